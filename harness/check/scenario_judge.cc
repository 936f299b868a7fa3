#include "check/scenario_judge.h"

#include <fmt/format.h>

#include <algorithm>

#include "stats/binomial.h"

namespace hopcheck::check {
namespace {

// Connections that were open when tracing changed serve one more request each under the old configuration; Istio's proxies
// run two workers here, each with its own connections (facts 9.14).
constexpr int kOldConfigurationPerListener = 2;
constexpr double kRateAlpha = 1e-6;  // verdict.md section 6

bool is_defect(const Hit& hit) { return hit.cause < 0; }

bool means_absence(std::string_view code) {
  return code == "HOP0301" || code == "HOP0303" || code == "HOP1101" || code == "HOP1103";
}

int64_t signed_difference(int64_t a, int64_t b) { return a - b; }

int64_t duration_of(const Span& span) {
  return static_cast<int64_t>(span.end_unix_nanos) - static_cast<int64_t>(span.start_unix_nanos);
}

}  // namespace

ScenarioJudge::ScenarioJudge(const JudgeInput& input, const ScenarioInput& scenario, int index, const Classifier& classifier,
                             const plan::ProfileBinding& binding, plan::Expansion expansion)
    : input_(input), scenario_(scenario), index_(index), classifier_(classifier), binding_(binding), expansion_(std::move(expansion)) {
  result_.name = scenario.scenario.name;
  result_.file = scenario.scenario.file;
  completes_by_tree_.assign(expansion_.trees.size(), 0);
}

void ScenarioJudge::run(Attribution& attribution) {
  if (!scenario_.has_ledger) number_bare_requests(attribution);
  for (const TraceGroup& trace : attribution.traces) {
    if (trace.scenario == index_ && trace.n != kNoRequest) traces_of_[trace.n].push_back(&trace);
  }
  if (scenario_.has_ledger) {
    for (const LedgerEntry& entry : scenario_.ledger) judge_request(entry.intent.n, &entry, attribution);
  } else {
    for (const auto& [n, traces] : traces_of_) judge_request(n, nullptr, attribution);
  }
  collect_detached(attribution);
  finish();
}

// A trace begins here when a span of the entry's first role stands at its top.
bool ScenarioJudge::begins_here(const TraceGroup& trace, uint32_t& root) const {
  const ExpectedSpan& first = expansion_.trees.front().spans.front();
  for (uint32_t index : trace.spans) {
    const Span& span = (*input_.spans)[index];
    const SpanInfo info = classifier_.classify(span);
    if (first.role == ProxyRole::kNone ? (info.mesh || info.service != first.service)
                                       : (!info.mesh || info.role != first.role || info.service != first.service)) {
      continue;
    }
    const bool has_parent_here = std::any_of(trace.spans.begin(), trace.spans.end(), [&](uint32_t other) {
      return (*input_.spans)[other].span_id == span.parent_id;
    });
    if (has_parent_here) continue;
    root = index;
    return true;
  }
  return false;
}

void ScenarioJudge::number_bare_requests(Attribution& attribution) {
  uint64_t next = scenario_.first_n;
  std::map<std::string_view, uint64_t> by_request_id;
  for (TraceGroup& trace : attribution.traces) {
    uint32_t root = 0;
    if (trace.scenario >= 0 && trace.scenario != index_) continue;
    if (trace.n != kNoRequest || !begins_here(trace, root)) continue;
    trace.n = next++;
    trace.scenario = index_;
    for (uint32_t index : trace.spans) {
      attribution.span_class[index] = SpanClass::kMatched;
      const std::string_view id = (*input_.spans)[index].attributes.text("guid:x-request-id");
      if (!id.empty()) by_request_id.emplace(id, trace.n);
    }
  }
  for (TraceGroup& trace : attribution.traces) {
    if (trace.n != kNoRequest || trace.scenario != index_) continue;
    for (uint32_t index : trace.spans) {
      const auto found = by_request_id.find((*input_.spans)[index].attributes.text("guid:x-request-id"));
      if (found == by_request_id.end()) continue;
      trace.n = found->second;
      for (uint32_t i : trace.spans) attribution.span_class[i] = SpanClass::kMatched;
      break;
    }
  }
}

double ScenarioJudge::claimed_sampling(const LedgerEntry* entry) const {
  const Scenario& scenario = scenario_.scenario;
  const double percent = scenario.environment.sampling.value_or(100.0);
  const bool ours = entry != nullptr ? !entry->intent.trace_id.is_zero() : scenario.load.traceparent != TraceparentMode::kNone;
  const bool sampled = entry != nullptr ? entry->intent.sampled : scenario.load.traceparent == TraceparentMode::kSampled;
  if (ours && !sampled) return 0;
  if (ours && binding_.fallback->parent_decides_sampling) return 100;
  return percent;
}

RequestClass ScenarioJudge::class_of_absent(const LedgerEntry* entry) const {
  return claimed_sampling(entry) < 100 ? RequestClass::kUnsampled : RequestClass::kLost;
}

Observed ScenarioJudge::observed_of(uint64_t n) const {
  Observed out;
  const auto found = traces_of_.find(n);
  if (found == traces_of_.end()) return out;
  for (const TraceGroup* trace : found->second) {
    for (uint32_t index : trace->spans) out.spans.push_back(&(*input_.spans)[index]);
  }
  std::stable_sort(out.spans.begin(), out.spans.end(), [](const Span* a, const Span* b) {
    if (a->start_unix_nanos != b->start_unix_nanos) return a->start_unix_nanos < b->start_unix_nanos;
    if (a->trace_id != b->trace_id) return a->trace_id < b->trace_id;
    return a->span_id < b->span_id;
  });
  for (const Span* span : out.spans) out.infos.push_back(classifier_.classify(*span));
  if (scenario_.has_ledger) {
    const LedgerEntry& entry = scenario_.ledger[n - scenario_.first_n];
    out.own_trace = entry.intent.trace_id;
    out.own_parent = entry.intent.span_id;
  } else if (scenario_.scenario.load.traceparent != TraceparentMode::kNone) {
    uint32_t root = 0;
    for (const TraceGroup* trace : found->second) {
      if (!begins_here(*trace, root)) continue;
      out.own_trace = trace->id;  // what we sent is not known: the entry's parent is taken as it is
      out.own_parent = (*input_.spans)[root].parent_id;
    }
  }
  return out;
}

int ScenarioJudge::choose_tree(const Observed& observed, const LedgerEntry* entry, Match& match) const {
  std::vector<int> candidates;
  if (entry != nullptr) {
    candidates = expansion_.by_journey[std::min<size_t>(entry->intent.journey, expansion_.by_journey.size() - 1)];
  } else {
    for (size_t i = 0; i < expansion_.trees.size(); ++i) candidates.push_back(static_cast<int>(i));
  }
  int best = -1;
  size_t best_cost = 0;
  for (int candidate : candidates) {
    const ExpectedTree& tree = expansion_.trees[candidate];
    // The version that answered is read from the trace: a span of that service with another revision rules the variant out.
    size_t cost = 0;
    for (size_t i = 0; i < observed.infos.size(); ++i) {
      const SpanInfo& info = observed.infos[i];
      for (const auto& [service, revision] : tree.versions) {
        if (info.mesh && info.service == service && !info.revision.empty() && info.revision != revision) cost += 100;
      }
    }
    // Journeys are told apart by method and path at the entry where the ledger does not say.
    if (entry == nullptr && !observed.infos.empty()) {
      for (const SpanInfo& info : observed.infos) {
        if (info.url.empty()) continue;
        const ExpectedSpan& first = tree.spans.front();
        if (url_path(info.url) != first.path || info.method != first.method) cost += 10;
        break;
      }
    }
    Match trial = match_tree(observed, tree);
    cost += trial.cost();
    if (best < 0 || cost < best_cost) {
      best = candidate;
      best_cost = cost;
      match = std::move(trial);
    }
  }
  return best;
}

bool ScenarioJudge::excused_by_change(const Observed& observed, const Match& match, const ExpectedTree& tree) {
  if (!scenario_.scenario.tracing_changed_before_start || match.unexpected > 0 || observed.spans.empty()) return false;
  std::map<int, int> needed;
  for (size_t e = 0; e < tree.spans.size(); ++e) {
    if (match.link[e] == Link::kNone) {
      if (tree.spans[e].role != ProxyRole::kInbound) return false;
      ++needed[tree.spans[e].service];
    } else if (match.link[e] != Link::kExact && match.link[e] != Link::kUnknownParent) {
      return false;
    }
  }
  if (needed.empty()) return false;
  for (const auto& [service, count] : needed) {
    if (change_budget_[service] + count > kOldConfigurationPerListener) return false;
  }
  for (const auto& [service, count] : needed) {
    change_budget_[service] += count;
    excused_spans_ += static_cast<uint64_t>(count);
  }
  return true;
}

void ScenarioJudge::judge_request(uint64_t n, const LedgerEntry* entry, Attribution& attribution) {
  JudgedRequest request{n, -1, RequestClass::kUnsent};
  const auto done = [&](RequestClass klass) {
    request.klass = klass;
    ++result_.requests_by_class[static_cast<size_t>(klass)];
    requests_.push_back(request);
  };
  const OutcomeKind outcome = entry != nullptr ? entry->outcome.kind : OutcomeKind::kOk;
  ++result_.outcomes[static_cast<size_t>(outcome)];
  if (entry != nullptr) add_latency(entry->outcome);
  if (outcome == OutcomeKind::kUnsent) return done(RequestClass::kUnsent);

  const Observed observed = observed_of(n);
  if (outcome == OutcomeKind::kIndeterminate) {
    return done(observed.spans.empty() ? RequestClass::kUnresolved : RequestClass::kRecovered);
  }
  const double sampling = claimed_sampling(entry);
  if (sampling > 0 && sampling < 100) {
    ++rate_sent_;
    if (!observed.spans.empty()) ++rate_seen_;
  }
  if (observed.spans.empty()) {
    const RequestClass klass = class_of_absent(entry);
    if (klass == RequestClass::kLost) {
      aggregates_.add_finding(n, "HOP0101", {}, fmt::format("{} spans", expansion_.trees.front().spans.size()), "no span", {});
    }
    return done(klass);
  }
  if (sampling == 0) {
    aggregates_.add_finding(n, "HOP0103", {}, "no span: the traceparent we sent is unsampled",
                            fmt::format("{} spans", observed.spans.size()), {{observed.spans[0]->trace_id, observed.spans[0]->span_id}});
    return done(RequestClass::kMalformed);
  }
  ++judged_;
  Match match;
  request.tree = choose_tree(observed, entry, match);
  const ExpectedTree& tree = expansion_.trees[request.tree];
  const MeshProfile& profile = *binding_.fallback;
  const RequestView view{scenario_.scenario, classifier_, observed, tree, match,
                         entry != nullptr ? std::string_view(entry->intent.trace_state) : std::string_view{}, &profile.status};
  std::vector<Hit> hits;
  const bool excused = excused_by_change(observed, match, tree);
  if (!excused) hits = request_hits(view, patterns_);
  for (const TraceGroup* trace : traces_of_[n]) {
    if (trace->mixed) {
      Hit hit;
      hit.code = "HOP0206";
      hit.expected = "spans of one request";
      hit.actual = "hop tags of several requests in one trace";
      hit.span = 0;
      hits.push_back(std::move(hit));
    }
  }
  aggregates_.add(n, observed, hits);
  add_gaps(observed, tree, match);

  // Final span classes.
  std::map<std::pair<TraceId, SpanId>, SpanClass> classes;
  for (size_t s = 0; s < observed.spans.size(); ++s) {
    classes[{observed.spans[s]->trace_id, observed.spans[s]->span_id}] =
        !excused && match.expected_of[s] < 0 ? SpanClass::kUnexpected : SpanClass::kMatched;
  }
  for (const Hit& hit : hits) {
    if (hit.span < 0) continue;
    SpanClass& klass = classes[{observed.spans[hit.span]->trace_id, observed.spans[hit.span]->span_id}];
    if (klass == SpanClass::kMatched) klass = SpanClass::kMalformed;
  }
  for (const TraceGroup* trace : traces_of_[n]) {
    for (uint32_t index : trace->spans) {
      const Span& span = (*input_.spans)[index];
      attribution.span_class[index] = classes[{span.trace_id, span.span_id}];
    }
  }
  const bool absent = std::any_of(hits.begin(), hits.end(), [](const Hit& hit) { return means_absence(hit.code); });
  const bool defective = std::any_of(hits.begin(), hits.end(), is_defect);
  const RequestClass klass = absent ? RequestClass::kIncomplete : defective ? RequestClass::kMalformed : RequestClass::kComplete;
  if (klass == RequestClass::kComplete) ++completes_by_tree_[request.tree];
  done(klass);
}

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
      to = classifier_.service_label(node.peer);
    } else {
      to = classifier_.service_label(node.service);
      if (node.parent >= 0) from = classifier_.service_label(tree.spans[node.parent].service);
    }
    HopGaps& hop = gaps_[{from, to}];
    const Span* own = match.span_of[e] < 0 ? nullptr : observed.spans[match.span_of[e]];
    if (own != nullptr) ++(caller ? hop.client : hop.server);
    for (size_t c = i + 1; c < tree.spans.size(); ++c) {
      if (tree.spans[c].parent != e || match.span_of[c] < 0) continue;
      const Span& child = *observed.spans[match.span_of[c]];
      if (!caller && tree.spans[c].role == ProxyRole::kNone) ++hop.app;
      if (own == nullptr || match.link[c] != Link::kExact) continue;
      const int64_t gap = signed_difference(duration_of(*own), duration_of(child));
      if (caller && tree.spans[c].role == ProxyRole::kInbound) hop.wire.add(gap);
      if (!caller && tree.spans[c].role == ProxyRole::kNone) hop.proxy.add(gap);
    }
  }
}

void ScenarioJudge::add_latency(const Outcome& outcome) {
  if (outcome.kind == OutcomeKind::kUnsent || outcome.sent_unix_nanos == 0) return;
  const int64_t late = outcome.sent_unix_nanos - outcome.due_unix_nanos;
  lateness_.add(late);
  if (late > 10'000'000) ++late_;
  if (outcome.done_unix_nanos == 0) return;
  corrected_.add(outcome.done_unix_nanos - outcome.due_unix_nanos);
  uncorrected_.add(outcome.done_unix_nanos - outcome.sent_unix_nanos);
}

void ScenarioJudge::collect_detached(const Attribution& attribution) {
  for (const TraceGroup& trace : attribution.traces) {
    if (trace.n != kNoRequest || trace.scenario != index_ || trace.spans.empty()) continue;
    for (uint32_t index : trace.spans) {
      const Span& span = (*input_.spans)[index];
      const bool top = std::none_of(trace.spans.begin(), trace.spans.end(),
                                    [&](uint32_t other) { return (*input_.spans)[other].span_id == span.parent_id; });
      if (!top) continue;
      detached_.push_back({&trace, index, classifier_.classify(span)});
      break;
    }
  }
}

void ScenarioJudge::finish() {
  const Scenario& scenario = scenario_.scenario;
  result_.requests = scenario_.has_ledger ? scenario_.ledger.size() : scenario.load.requests;
  if (!scenario_.has_ledger) {
    result_.notes.push_back("arrival per request is not judged: no ledger");
    const uint64_t seen = traces_of_.size();
    const double sampling = claimed_sampling(nullptr);
    if (sampling > 0 && sampling < 100) {
      rate_sent_ = scenario.load.requests;
      rate_seen_ = seen;
      // The unseen ones are the unsampled: the class sums stay whole.
      const uint64_t unseen = rate_sent_ > seen ? rate_sent_ - seen : 0;
      result_.requests_by_class[static_cast<size_t>(RequestClass::kUnsampled)] += unseen;
      result_.outcomes[static_cast<size_t>(OutcomeKind::kOk)] += unseen;
    } else if (seen != scenario.load.requests) {
      aggregates_.add_finding(0, "HOP0108", {}, fmt::format("{} requests", scenario.load.requests), fmt::format("{} requests", seen), {});
    }
    result_.requests = 0;  // what the classes hold: the traces seen, and the unsampled where a rate is claimed
    for (uint64_t count : result_.requests_by_class) result_.requests += count;
  }
  if (rate_sent_ > 0) {
    const double rate = scenario.environment.sampling.value_or(100.0) / 100.0;
    const double p = stats::binomial_two_sided_p(rate_seen_, rate_sent_, rate);
    const auto interval = stats::binomial_interval(rate_sent_, rate, kRateAlpha);
    result_.notes.push_back(fmt::format("sampling {} %: {} of {} requests seen, accepted {:.0f} to {:.0f} at alpha 1e-6", rate * 100,
                                        rate_seen_, rate_sent_, interval.first * static_cast<double>(rate_sent_),
                                        interval.second * static_cast<double>(rate_sent_)));
    if (p < kRateAlpha) {
      aggregates_.add_finding(0, "HOP0106", {}, fmt::format("{} % of {}", rate * 100, rate_sent_), fmt::format("{} seen", rate_seen_), {});
    }
  }
  if (excused_spans_ > 0) {
    result_.notes.push_back(fmt::format("{} inbound SERVER spans attributed to the old configuration (tracing changed before the start)",
                                        excused_spans_));
  }
  if (late_ * 100 > lateness_.count()) {
    result_.notes.push_back(fmt::format("{} of {} requests went out more than 10 ms late: latency and gaps are not judged", late_,
                                        lateness_.count()));
  }
  for (const auto& [key, hop] : gaps_) {
    HopResult out;
    out.from = key.first;
    out.to = key.second;
    out.client = hop.client;
    out.server = hop.server;
    out.app = hop.app;
    out.wire_gap = hop.wire.distribution();
    out.proxy_gap = hop.proxy.distribution();
    result_.hops.push_back(std::move(out));
  }
  result_.latency = {corrected_.distribution(), uncorrected_.distribution(), lateness_.distribution()};
  std::map<std::pair<std::string, std::string>, uint64_t> signature;
  for (size_t t = 0; t < expansion_.trees.size(); ++t) {
    if (completes_by_tree_[t] == 0) continue;
    std::vector<std::string> paths;
    for (const ExpectedSpan& span : expansion_.trees[t].spans) {
      const std::string own = fmt::format("{}/{}/{}", span.service_name, to_string(span.kind), span.name);
      paths.push_back(span.parent < 0 ? own : paths[span.parent] + " > " + own);
      signature[{expansion_.trees[t].journey, paths.back()}] += completes_by_tree_[t];
    }
  }
  for (const auto& [key, count] : signature) result_.signature.push_back({key.first, key.second, count});
}

ScenarioResult ScenarioJudge::take_result() { return std::move(result_); }

}  // namespace hopcheck::check
