// Time: containment with tolerance and its measured exceptions (verdict.md section 5, facts 9.3, 9.17, 9.20).
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/text.h"
#include "check/hits_internal.h"

namespace hopcheck::check {
namespace {

int64_t difference(uint64_t later, uint64_t earlier) {
  return later >= earlier ? static_cast<int64_t>(std::min<uint64_t>(later - earlier, INT64_MAX))
                          : -static_cast<int64_t>(std::min<uint64_t>(earlier - later, INT64_MAX));
}

// A time that is now once it is read in a coarser unit was sent in the wrong one.
std::string wrong_unit(uint64_t start, uint64_t above) {
  constexpr int64_t kNear = 86'400'000'000'000;  // a day
  struct Unit {
    uint64_t nanos;
    const char* name;
  };
  for (const Unit& unit :
       {Unit{1'000, "microseconds"}, Unit{1'000'000, "milliseconds"}, Unit{1'000'000'000, "seconds"}}) {
    if (start == 0 || start > UINT64_MAX / unit.nanos) continue;
    if (std::abs(difference(start * unit.nanos, above)) < kNear)
      return fmt::format("; its time is now when it is read in {}: sent in the wrong unit", unit.name);
  }
  return "";
}

class PairJudge {
 public:
  PairJudge(HitList& list, int child, int parent)
      : list_(list), child_(child), parent_(parent), rules_(list.view.scenario.rules) {}

  void run() {
    const Span& child = *list_.span_at(child_);
    const Span& parent = *list_.span_at(parent_);
    const ExpectedSpan& node = list_.view.tree.spans[child_];
    // Clocks that differ by a constant are reported as such, once (HOP0707).
    const SkewBook* skew = list_.view.skew;
    const SkewInterval* clocks =
        skew != nullptr && node.role == ProxyRole::kInbound ? skew->find(parent, child) : nullptr;
    if (clocks != nullptr && clocks->constant(rules_.nesting_tolerance_nanos)) return;
    const int64_t early = difference(parent.start_unix_nanos, child.start_unix_nanos);
    if (early > rules_.nesting_tolerance_nanos) add("HOP0701", "starts not before", early);
    const int64_t over = difference(child.end_unix_nanos, parent.end_unix_nanos);
    // A proxy whose caller left ends its span at once; what it had begun goes on.
    const SpanInfo& above = *list_.info_at(parent_);
    const bool abandoned = has_flag(above.response_flags, "DC");
    if (abandoned) return;
    if (node.role == ProxyRole::kNone) {
      // SDKs end the SERVER span after the response is written: an overhang, tolerated up to its own limit.
      const bool below_proxy = list_.view.tree.spans[parent_].role != ProxyRole::kNone &&
                               parent.end_unix_nanos >= parent.start_unix_nanos;
      if (below_proxy && over > rules_.overhang_tolerance_nanos) add("HOP0703", "ends at most 50ms after", over);
      return;
    }
    if (parent.end_unix_nanos < parent.start_unix_nanos) return;  // HOP0705: no end to compare with
    const SpanInfo& info = *list_.info_at(child_);
    const bool excused = above.canceled || has_flag(above.response_flags, "UT") || has_flag(info.response_flags, "DC");
    if (excused || over <= rules_.nesting_tolerance_nanos) return;
    // A span's end is recorded after its last byte is written: one that lost its processor in between ends a little
    // late. Many of these mean something (compose.h), a single one does not.
    add(over > rules_.overhang_tolerance_nanos ? "HOP0702" : "HOP0706", "ends not after", over);
  }

 private:
  void add(const char* code, const char* rule, int64_t by) {
    Hit hit;
    hit.code = code;
    hit.expected_index = child_;
    hit.span = list_.view.match.span_of[child_];
    hit.other = list_.view.match.span_of[parent_];
    hit.subject.hop = list_.hop_at(child_);
    if (hit.subject.hop.empty()) {
      hit.subject.service = list_.service_at(child_);
      hit.subject.object = list_.view.tree.spans[child_].name;
    }
    hit.expected = fmt::format("{} its parent `{}`", rule, list_.view.tree.spans[parent_].name);
    const bool early = code == std::string_view("HOP0701");
    hit.actual = fmt::format("{} {}", early ? "earlier by" : "later by", format_nanos(by));
    if (early) {
      hit.actual += wrong_unit(list_.span_at(child_)->start_unix_nanos, list_.span_at(parent_)->start_unix_nanos);
    }
    list_.add(std::move(hit));
  }

  HitList& list_;
  const int child_;
  const int parent_;
  const RuleOptions& rules_;
};

}  // namespace

void add_time_hits(HitList& list) {
  const auto& view = list.view;
  for (size_t i = 0; i < view.tree.spans.size(); ++i) {
    const int e = static_cast<int>(i);
    const Span* span = list.span_at(e);
    if (span == nullptr) continue;
    if (span->end_unix_nanos < span->start_unix_nanos) {
      Hit hit;
      hit.code = "HOP0705";
      hit.expected_index = e;
      hit.span = view.match.span_of[e];
      hit.subject.service = list.service_at(e);
      hit.expected = "end at or after start";
      hit.actual = format_nanos(-difference(span->start_unix_nanos, span->end_unix_nanos));
      list.add(std::move(hit));
      continue;
    }
    if (view.match.link[e] == Link::kExact && view.tree.spans[e].parent >= 0)
      PairJudge(list, e, view.tree.spans[e].parent).run();
  }
}

}  // namespace hopcheck::check
