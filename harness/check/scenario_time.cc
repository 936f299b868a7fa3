// What only all requests together tell about time: constant clock skew between pods, gaps per hop and what moves them
// (verdict.md section 5; rows O-69, O-70).
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "check/hits_internal.h"
#include "check/hop_time.h"
#include "check/scenario_judge.h"
#include "plan/fault_plan.h"

namespace hopcheck::check {
namespace {

int64_t duration_of(const Span& span) {
  return static_cast<int64_t>(span.end_unix_nanos) - static_cast<int64_t>(span.start_unix_nanos);
}

// A delay shorter than this is within what a busy machine does by itself.
constexpr int64_t kLeastDelayNanos = 50'000'000;
constexpr uint64_t kLeastSamples = 5;

int64_t declared(const Scenario& scenario, const std::string& journey, const std::string& service, Fault::Kind kind) {
  const Fault* fault = plan::find_fault(scenario, journey, service, kind);
  return fault == nullptr ? 0 : fault->delay_nanos;
}

bool any_fault(const Scenario& scenario, const std::string& journey) {
  return std::any_of(scenario.faults.begin(), scenario.faults.end(),
                     [&](const Fault& fault) { return fault.journey.empty() || fault.journey == journey; });
}

// The delay that a journey declares beside which the others can be measured; 0 = none, or something else goes on too.
int64_t delay_of(const Scenario& scenario, const std::string& journey) {
  int64_t longest = 0;
  for (const Fault& fault : scenario.faults) {
    if (!fault.journey.empty() && fault.journey != journey) continue;
    if (fault.kind != Fault::Kind::kWireDelay && fault.kind != Fault::Kind::kDelay) return 0;
    longest = std::max(longest, fault.delay_nanos);
  }
  return longest < kLeastDelayNanos ? 0 : longest;
}

// The caller was gone before the span's work was done: it ends early, what it had begun goes on.
bool is_abandoned(const Observed& observed, const Match& match, int e) {
  const SpanInfo& info = observed.infos[static_cast<size_t>(match.span_of[static_cast<size_t>(e)])];
  return has_flag(info.response_flags, "DC") || has_flag(info.response_flags, "UT") || info.canceled;
}

}  // namespace

void ScenarioJudge::add_gaps(const Observed& observed, const ExpectedTree& tree, const Match& match) {
  for (size_t i = 0; i < tree.spans.size(); ++i) {
    const ExpectedSpan& node = tree.spans[i];
    if (node.role == ProxyRole::kNone) continue;
    const int e = static_cast<int>(i);
    const bool caller = node.role != ProxyRole::kInbound;
    // The gateway's downstream span is no end of a hop where a spawned upstream span exists.
    const bool has_spawned = node.role == ProxyRole::kGatewayServer && i + 1 < tree.spans.size() &&
                             tree.spans[i + 1].role == ProxyRole::kGatewayClient;
    if (has_spawned) continue;
    std::string from = "client", to;
    if (caller) {
      from = classifier_.service_label(node.service);
      to = node.peer < 0 ? "outside" : classifier_.service_label(node.peer);
    } else {
      to = classifier_.service_label(node.service);
      if (node.parent >= 0) from = classifier_.service_label(tree.spans[node.parent].service);
    }
    HopGaps& hop = gaps_[{from, to}];
    HopGaps& of_journey = gaps_by_journey_[tree.journey][{from, to}];
    const Span* own = match.span_of[e] < 0 ? nullptr : observed.spans[match.span_of[e]];
    if (own != nullptr) ++(caller ? hop.client : hop.server);
    if (caller || node.parent < 0) {
      if (const auto nanos = own_nanos(observed, tree, match, i)) hop.own.add(*nanos);
    }
    // Where a hop was tried several times the time between the attempts is nobody's gap; one that its caller gave up
    // has none either.
    const bool tried_once = std::count_if(tree.spans.begin(), tree.spans.end(), [&](const ExpectedSpan& span) {
                              return span.parent == e && span.role == ProxyRole::kInbound;
                            }) == 1;
    const bool left = own != nullptr && is_abandoned(observed, match, e);
    for (size_t c = i + 1; c < tree.spans.size(); ++c) {
      if (tree.spans[c].parent != e) continue;
      if (!caller && tree.spans[c].role == ProxyRole::kNone) hop.app_expected = true;
      if (match.span_of[c] < 0) continue;
      const Span& child = *observed.spans[match.span_of[c]];
      if (!caller && tree.spans[c].role == ProxyRole::kNone) ++hop.app;
      if (own == nullptr || left || match.link[c] != Link::kExact) continue;
      const int64_t gap = duration_of(*own) - duration_of(child);
      if (caller && tried_once && tree.spans[c].role == ProxyRole::kInbound) {
        hop.wire.add(gap);
        of_journey.wire.add(gap);
      }
      if (!caller && tree.spans[c].role == ProxyRole::kNone) {
        hop.proxy.add(gap);
        of_journey.proxy.add(gap);
      }
    }
  }
}

// Every CLIENT span of a proxy with the one SERVER span of another below it.
void ScenarioJudge::read_clocks() {
  for (const auto& [n, traces] : traces_of_) {
    for (const TraceGroup* trace : traces) {
      std::map<SpanId, std::pair<const Span*, int>> clients;  // by id, with how many servers are below
      const auto each = [&](const auto& visit) {
        for (uint32_t index : trace->spans) {
          const Span& span = (*input_.spans)[index];
          if (is_mesh_span(span)) visit(span);
        }
      };
      each([&](const Span& span) { clients.emplace(span.span_id, std::make_pair(&span, 0)); });
      const auto client_of = [&](const Span& span) {
        return span.kind == SpanKind::kServer ? clients.find(span.parent_id) : clients.end();
      };
      each([&](const Span& span) {
        if (const auto found = client_of(span); found != clients.end()) ++found->second.second;
      });
      each([&](const Span& span) {
        const auto found = client_of(span);
        if (found == clients.end() || found->second.second != 1) return;
        const Span& client = *found->second.first;
        if (client.kind == SpanKind::kClient)
          skew_.add(client, classifier_.classify(client), span, classifier_.classify(span));
      });
    }
  }
}

void ScenarioJudge::report_skew() {
  if (!rules_.on("HOP0707")) return;
  for (const auto& [pods, clocks] : skew_.all()) {
    if (!clocks.constant(scenario_.scenario.rules.nesting_tolerance_nanos)) continue;
    Subject subject;
    subject.hop = pods.first + "->" + pods.second;
    aggregates_.add_finding(0, "HOP0707", subject, "clocks that agree within the tolerance",
                            fmt::format("the second clock is {} to {} behind the first, by {} pairs of spans",
                                        format_nanos(clocks.low), format_nanos(clocks.high), clocks.pairs),
                            {{clocks.low_witness.first, clocks.low_witness.second},
                             {clocks.high_witness.first, clocks.high_witness.second}});
  }
}

// A declared delay in the caller's proxy moves the wire gap of its own hop and nothing else; one of an app moves no
// gap. Measured between a journey with nothing but delays and one without any fault; where every journey has one, a gap
// is measured against none.
void ScenarioJudge::compare_gaps() {
  if (!rules_.on("HOP0708")) return;
  const Scenario& scenario = scenario_.scenario;
  const auto base = std::find_if(gaps_by_journey_.begin(), gaps_by_journey_.end(),
                                 [&](const auto& item) { return !any_fault(scenario, item.first); });
  const bool beside = base != gaps_by_journey_.end();
  for (const auto& [journey, hops] : gaps_by_journey_) {
    const int64_t delay = delay_of(scenario, journey);
    if (delay == 0) continue;
    for (const auto& [ends, gaps] : hops) {
      const HopGaps* other = nullptr;
      if (beside) {
        const auto found = base->second.find(ends);
        if (found == base->second.end()) continue;
        other = &found->second;
      }
      const auto compare = [&](const stats::Histogram& with, const stats::Histogram* without, const char* gap,
                               int64_t want) {
        if (with.count() < kLeastSamples || (without != nullptr && without->count() < kLeastSamples)) return;
        // A busy machine only adds to gaps: the lower quartile hears least of it.
        const int64_t moved = with.quantile(0.25) - (without == nullptr ? 0 : without->quantile(0.25));
        if (std::abs(moved - want) <= std::max(delay / 4, kLeastDelayNanos / 2)) return;
        Subject subject;
        subject.hop = ends.first + "->" + ends.second;
        subject.object = gap;
        const std::string of = beside ? " in journey " + base->first : " without a delay";
        aggregates_.add_finding(0, "HOP0708", subject,
                                want == 0 ? "as" + of : fmt::format("{} more than{}", format_nanos(want), of),
                                fmt::format("the lower quartile of journey {} is {} away from it", journey,
                                            format_nanos(moved)),
                                {});
      };
      compare(gaps.wire, other == nullptr ? nullptr : &other->wire, "wire gap",
              declared(scenario, journey, ends.second, Fault::Kind::kWireDelay));
      compare(gaps.proxy, other == nullptr ? nullptr : &other->proxy, "proxy gap", 0);
    }
  }
}

}  // namespace hopcheck::check
