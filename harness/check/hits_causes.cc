// Precedence within one request (verdict.md section 2): which hits only follow from another.
#include <optional>

#include "check/hits_internal.h"

namespace hopcheck::check {
namespace {

bool is_one_of(std::string_view code, std::initializer_list<std::string_view> codes) {
  for (std::string_view item : codes) {
    if (item == code) return true;
  }
  return false;
}

class Linker {
 public:
  explicit Linker(HitList& list) : list_(list), tree_(list.view.tree) {
    for (size_t i = 0; i < list.hits.size(); ++i) {
      const Hit& hit = list.hits[i];
      if (std::string_view(hit.code) == "HOP0206") mixed_.push_back(static_cast<int>(i));
      if (std::string_view(hit.code) == "HOP0508" && hit.span >= 0) invalid_.emplace(hit.span, static_cast<int>(i));
    }
  }

  void run() {
    for (size_t i = 0; i < list_.hits.size(); ++i) {
      Hit& hit = list_.hits[i];
      if (hit.cause >= 0) continue;
      now_ = static_cast<int>(i);
      by_code(hit);
      if (hit.cause >= 0 || hit.expected_index < 0) continue;
      // What a failing service did not do any more: spans below it.
      const int error = list_.find("HOP0506");
      const bool absent = is_one_of(hit.code, {"HOP0301", "HOP1101", "HOP0303"});
      if (error >= 0 && absent && under(hit.expected_index, list_.hits[error].expected_index)) follow(hit, error);
    }
  }

 private:
  void follow(Hit& hit, int cause) {
    if (hit.cause < 0 && cause >= 0 && cause != now_ && list_.hits[cause].cause < 0) hit.cause = cause;
  }

  bool under(int node, int ancestor) const {
    for (int e = node; e >= 0; e = tree_.spans[e].parent) {
      if (e == ancestor) return true;
    }
    return false;
  }

  void by_code(Hit& hit) {
    const std::string_view code = hit.code;
    if (is_one_of(code, {"HOP0602", "HOP0603"})) {
      follow(hit, list_.find("HOP0601", hit.subject.service));
      follow(hit, list_.find("HOP0604"));
    } else if (code == "HOP0301") {
      follow(hit, list_.find("HOP0303", hit.subject.service));
    } else if (is_one_of(code, {"HOP0202", "HOP0501", "HOP0504", "HOP0505", "HOP0402"})) {
      const int node = hit.expected_index;
      const bool at_gateway = node >= 0 && (tree_.spans[node].service == kGatewayService || code == "HOP0202");
      if (at_gateway) follow(hit, list_.find("HOP0304"));
    }
    if (code == "HOP0202" && hit.span >= 0) {
      follow(hit, list_.cycle_of[hit.span]);
      surplus_parent(hit);
    }
    if (is_one_of(code, {"HOP0201", "HOP0202", "HOP0203", "HOP0601", "HOP0604"})) broken_ids(hit);
    if (is_one_of(code, {"HOP0602", "HOP0603", "HOP0701", "HOP0702", "HOP0703", "HOP0706"})) {
      for (int mixed : mixed_) {
        if (hit.expected_index >= 0 && under(hit.expected_index, list_.hits[mixed].expected_index)) follow(hit, mixed);
      }
    }
    if (is_one_of(code, {"HOP0701", "HOP0702"})) same_clock(hit);
    if (code == "HOP0509") follow(hit, list_.find("HOP0506"));
    if (code == "HOP0402") faulty_route(hit);
  }

  // A VirtualService that faults one path names the span by it.
  void faulty_route(Hit& hit) {
    for (size_t i = 0; i < list_.hits.size(); ++i) {
      const bool same = hit.expected_index >= 0 && list_.hits[i].expected_index == hit.expected_index;
      if (same && std::string_view(list_.hits[i].code) == "HOP0509") follow(hit, static_cast<int>(i));
    }
  }

  // A span under one that should not be there at all hangs wrong for that reason.
  void surplus_parent(Hit& hit) {
    const int parent = list_.view.match.parent_of[hit.span];
    const int surplus = parent < 0 ? -1 : list_.surplus_of[parent];
    if (surplus < 0 || std::string_view(list_.hits[surplus].code) != "HOP0302") return;
    follow(hit, list_.hits[surplus].cause >= 0 ? list_.hits[surplus].cause : surplus);
  }

  // A link to or from a span whose ids are invalid says nothing more.
  void broken_ids(Hit& hit) {
    for (int span : {hit.span, hit.other}) {
      const auto found = invalid_.find(span);
      if (found != invalid_.end()) follow(hit, found->second);
    }
  }

  // Which service's clock a hit accuses, seen from `service`: -1 behind the others', +1 ahead, nothing when the hit is
  // not between that service and another one.
  std::optional<int> accuses(const Hit& hit, int service) const {
    if (hit.expected_index < 0) return std::nullopt;
    const ExpectedSpan& child = tree_.spans[hit.expected_index];
    if (child.parent < 0) return std::nullopt;
    const int above = tree_.spans[child.parent].service;
    const int early = std::string_view(hit.code) == "HOP0701" ? 1 : -1;
    if (child.service == above) return std::nullopt;
    if (child.service == service) return -early;
    if (above == service) return early;
    return std::nullopt;
  }

  // One clock that differs shows on both sides of its service: towards the callers first, since the tree comes from
  // there.
  void same_clock(Hit& hit) {
    if (!first_clock_) {
      first_clock_ = now_;
      return;
    }
    const Hit& first = list_.hits[*first_clock_];
    if (first.expected_index < 0) return;
    const int service = tree_.spans[first.expected_index].service;
    const auto own = accuses(first, service), here = accuses(hit, service);
    if (own && here && *own == *here) follow(hit, *first_clock_);
  }

  HitList& list_;
  const ExpectedTree& tree_;
  std::map<int, int> invalid_;  // observed span → its HOP0508
  std::vector<int> mixed_;      // HOP0206, one for each call that went on with another request's context
  std::optional<int> first_clock_;
  int now_ = 0;
};

}  // namespace

void link_causes(HitList& list) { Linker(list).run(); }

}  // namespace hopcheck::check
