#include "check/scenario_judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace hopcheck::check {
namespace {

// Connections that were open when tracing changed serve one more request each under the old configuration; Istio's
// proxies run two workers here, each with its own connections (facts 9.14).
constexpr int kOldConfigurationPerListener = 2;

// Late ends are judged by how many there are; one by one they are no defect.
bool is_late_end(const Hit& hit) { return std::string_view(hit.code) == "HOP0706"; }
bool is_defect(const Hit& hit) { return hit.cause < 0 && !is_late_end(hit); }

bool means_absence(std::string_view code) {
  return code == "HOP0301" || code == "HOP0303" || code == "HOP1101" || code == "HOP1103";
}

size_t unlikeness(const Observed& observed, const ExpectedTree& tree, const Match& match) {
  size_t out = 0;
  for (size_t e = 0; e < tree.spans.size(); ++e) {
    const int s = match.span_of[e];
    if (s < 0) continue;
    const int status = tree.spans[e].http_status;
    if (observed.spans[static_cast<size_t>(s)]->name != tree.spans[e].name) ++out;
    if (status != 0 && observed.infos[static_cast<size_t>(s)].http_status != status) ++out;
  }
  return out;
}

}  // namespace

ScenarioJudge::ScenarioJudge(const JudgeInput& input, const ScenarioInput& scenario, int index,
                             const Classifier& classifier, const plan::ProfileBinding& binding,
                             plan::Expansion expansion)
    : input_(input),
      scenario_(scenario),
      index_(index),
      classifier_(classifier),
      binding_(binding),
      expansion_(std::move(expansion)),
      rules_(input.without_rules),
      patterns_(input.patterns != nullptr ? *input.patterns : own_patterns_) {
  result_.name = scenario.scenario.name;
  result_.file = scenario.scenario.file;
  completes_by_tree_.assign(expansion_.trees.size(), 0);
}

void ScenarioJudge::run(Attribution& attribution) {
  if (!scenario_.has_ledger) number_bare_requests(attribution);
  for (const TraceGroup& trace : attribution.traces) {
    if (trace.scenario == index_ && trace.n != kNoRequest) traces_of_[trace.n].push_back(&trace);
  }
  if (rules_.on("HOP0802")) {
    for (const auto& [first, second] : attribution.conflicts)
      disputed_.emplace((*input_.spans)[first].trace_id, (*input_.spans)[first].span_id);
  }
  read_clocks();
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
  const auto some = std::find_if(expansion_.trees.begin(), expansion_.trees.end(),
                                 [](const ExpectedTree& tree) { return !tree.spans.empty(); });
  if (some == expansion_.trees.end()) return false;
  const ExpectedSpan& first = some->spans.front();
  std::set<SpanId> ids;
  for (uint32_t index : trace.spans) ids.insert((*input_.spans)[index].span_id);
  for (uint32_t index : trace.spans) {
    const Span& span = (*input_.spans)[index];
    const SpanInfo info = classifier_.classify(span);
    if (first.role == ProxyRole::kNone ? (info.mesh || info.service != first.service)
                                       : (!info.mesh || info.role != first.role || info.service != first.service)) {
      continue;
    }
    if (ids.count(span.parent_id) > 0) continue;
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

// Envoy's own draw where our x-request-id reaches it: the first eight hex digits, modulo 10 000, against the percentage
// in hundredths (facts 1.8). Index 14 of ours says that nobody has drawn before. The gateway makes an id of its own.
std::optional<bool> ScenarioJudge::own_draw(const LedgerEntry* entry) const {
  if (entry == nullptr || entry->intent.request_id.size() < 8 || scenario_.scenario.entry == Entry::kGateway)
    return std::nullopt;
  const double percent = claimed_environment(scenario_.scenario).sampling.value_or(100.0);
  uint32_t value = 0;
  const char* begin = entry->intent.request_id.data();
  if (std::from_chars(begin, begin + 8, value, 16).ptr != begin + 8) return std::nullopt;
  return value % 10'000 < static_cast<uint32_t>(std::lround(percent * 100));
}

// Of the proxy that a request meets first: it decides, and what those behind make of its decision is no matter of rate.
const MeshProfile& ScenarioJudge::first_profile() const {
  const Scenario& scenario = scenario_.scenario;
  return binding_.of(scenario.entry == Entry::kGateway ? kGatewayService
                     : scenario.entry == Entry::kMesh  ? kClientService
                                                       : scenario.topology.find(scenario.topology.entry));
}

double ScenarioJudge::claimed_sampling(const LedgerEntry* entry) const {
  const Scenario& scenario = scenario_.scenario;
  const double percent = claimed_environment(scenario).sampling.value_or(100.0);
  const bool ours =
      entry != nullptr ? !entry->intent.trace_id.is_zero() : scenario.load.traceparent != TraceparentMode::kNone;
  const bool sampled =
      entry != nullptr ? entry->intent.sampled : scenario.load.traceparent == TraceparentMode::kSampled;
  if (ours && !sampled) return 0;
  if (ours && first_profile().parent_decides_sampling) return 100;
  if (const auto drawn = own_draw(entry); drawn && percent > 0 && percent < 100) return *drawn ? 100 : 0;
  return percent;
}

void ScenarioJudge::count_rate(const LedgerEntry* entry, const Observed& observed) {
  const double percent = claimed_environment(scenario_.scenario).sampling.value_or(100.0);
  const double sampling = claimed_sampling(entry);
  const bool known = own_draw(entry).has_value();
  const bool by_parent = entry != nullptr && !entry->intent.trace_id.is_zero() &&
                         (!entry->intent.sampled || first_profile().parent_decides_sampling);
  if (by_parent || percent <= 0 || percent >= 100 || (!known && (sampling <= 0 || sampling >= 100))) return;
  ++rate_sent_;
  if (known) ++drawn_;
  if (!observed.spans.empty()) ++rate_seen_;
}

std::string ScenarioJudge::why_unsampled(const LedgerEntry* entry) const {
  // Without a ledger only an unsampled traceparent makes a request due to leave nothing, or 0 %.
  const bool unsampled = entry == nullptr ? scenario_.scenario.load.traceparent == TraceparentMode::kUnsampled
                                          : !entry->intent.trace_id.is_zero() && !entry->intent.sampled;
  if (unsampled) return "no span: the traceparent we sent is unsampled";
  const double percent = claimed_environment(scenario_.scenario).sampling.value_or(100.0);
  if (percent <= 0 || entry == nullptr) return fmt::format("no span: sampling is {:g} %", percent);
  return fmt::format("no span: x-request-id {} does not fall under {:g} %", entry->intent.request_id, percent);
}

void ScenarioJudge::add_finding(uint64_t n, const char* code, std::string expected, std::string actual,
                                std::vector<Witness> witnesses) {
  if (rules_.on(code))
    aggregates_.add_finding(n, code, {}, std::move(expected), std::move(actual), std::move(witnesses));
}

std::vector<bool> ScenarioJudge::disputed(const Observed& observed) const {
  std::vector<bool> out(observed.spans.size(), false);
  if (disputed_.empty()) return out;
  for (size_t s = 0; s < out.size(); ++s)
    out[s] = disputed_.count({observed.spans[s]->trace_id, observed.spans[s]->span_id}) > 0;
  return out;
}

// An answered request without spans, or one that must have none.
RequestClass ScenarioJudge::judge_absence(uint64_t n, const LedgerEntry* entry, const Observed& observed) {
  count_rate(entry, observed);
  if (!observed.spans.empty()) {
    add_finding(n, "HOP0103", why_unsampled(entry),
                            fmt::format("{} spans", observed.spans.size()),
                            {{observed.spans[0]->trace_id, observed.spans[0]->span_id}});
    return RequestClass::kMalformed;
  }
  if (claimed_sampling(entry) < 100) {
    if (entry != nullptr && entry->outcome.status >= 500) ++failures_unseen_;
    return RequestClass::kUnsampled;
  }
  // A declared failure of a service that makes no spans, asked directly: nothing is what is expected.
  const auto& candidates = expansion_.by_journey;
  const size_t journey = entry != nullptr ? std::min<size_t>(entry->intent.journey, candidates.size() - 1) : 0;
  const bool may_be_silent = std::any_of(candidates[journey].begin(), candidates[journey].end(),
                                         [&](int tree) { return expansion_.trees[tree].spans.empty(); });
  if (may_be_silent) return RequestClass::kComplete;
  add_finding(n, "HOP0101", fmt::format("{} spans", expansion_.trees.front().spans.size()), "no span",
                          {});
  return RequestClass::kLost;
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
  std::pair<size_t, size_t> best_cost;  // of the shape; then of names and statuses, which tell equal shapes apart
  for (int candidate : candidates) {
    const ExpectedTree& tree = expansion_.trees[candidate];
    if (entry == nullptr && tree.spans.empty()) continue;  // of a request that leaves nothing to be seen
    // The version that answered is read from the trace: a span of that service with another revision rules the variant
    // out.
    size_t cost = 0;
    for (size_t i = 0; i < observed.infos.size(); ++i) {
      const SpanInfo& info = observed.infos[i];
      for (const auto& [service, revision] : tree.versions) {
        if (info.mesh && info.service == service && !info.revision.empty() && info.revision != revision) cost += 100;
      }
    }
    // Journeys are told apart by method and path at the entry where the ledger does not say.
    if (entry == nullptr && !observed.infos.empty() && !tree.spans.empty()) {
      for (const SpanInfo& info : observed.infos) {
        if (info.url.empty()) continue;
        const ExpectedSpan& first = tree.spans.front();
        if (url_path(info.url) != first.path || info.method != first.method) cost += 10;
        break;
      }
    }
    Match trial = match_tree(observed, tree);
    const std::pair<size_t, size_t> whole{cost + trial.cost(), unlikeness(observed, tree, trial)};
    if (best < 0 || whole < best_cost) {
      best = candidate;
      best_cost = whole;
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
  if (observed.spans.empty() || claimed_sampling(entry) == 0) return done(judge_absence(n, entry, observed));
  count_rate(entry, observed);
  ++judged_;
  Match match;
  request.tree = choose_tree(observed, entry, match);
  const ExpectedTree& tree = expansion_.trees[request.tree];
  const std::vector<bool> in_dispute = disputed(observed);
  const RequestView view{scenario_.scenario,
                         classifier_,
                         observed,
                         tree,
                         match,
                         entry != nullptr ? std::string_view(entry->intent.trace_state) : std::string_view{},
                         &rules_,
                         std::any_of(traces_of_[n].begin(), traces_of_[n].end(),
                                     [](const TraceGroup* trace) { return trace->mixed; }),
                         entry != nullptr ? std::string_view(entry->intent.hop) : std::string_view{},
                         &in_dispute,
                         rules_.on("HOP0707") ? &skew_ : nullptr};
  std::vector<Hit> hits;
  const bool excused = excused_by_change(observed, match, tree);
  if (!excused) hits = request_hits(view, patterns_);
  aggregates_.add(n, observed, hits);
  add_gaps(observed, tree, match);
  // An excused request shows two configurations at once.
  if (input_.signatures == JudgeInput::Signatures::kCollect && !excused) signature_.add(tree.journey, observed, match);
  classify_spans(observed, tree, match, hits, excused, attribution);
  const bool absent = std::any_of(hits.begin(), hits.end(), [](const Hit& hit) { return means_absence(hit.code); });
  const bool defective = std::any_of(hits.begin(), hits.end(), is_defect);
  const RequestClass klass = absent      ? RequestClass::kIncomplete
                             : defective ? RequestClass::kMalformed
                                         : RequestClass::kComplete;
  if (klass == RequestClass::kComplete) ++completes_by_tree_[request.tree];
  done(klass);
}

// Final classes: what a hit points at is malformed, what no node of the tree explains is unexpected.
// Spans of a request to a place outside the topology are foreign to it.
void ScenarioJudge::classify_spans(const Observed& observed, const ExpectedTree& tree, const Match& match,
                                   const std::vector<Hit>& hits, bool excused, Attribution& attribution) {
  const auto class_of = [&](size_t s) -> SpanClass& {
    return attribution.span_class[static_cast<size_t>(observed.spans[s] - input_.spans->data())];
  };
  const SpanClass right = tree.outside ? SpanClass::kForeign : SpanClass::kMatched;
  for (size_t s = 0; s < observed.spans.size(); ++s)
    class_of(s) = !excused && match.expected_of[s] < 0 ? SpanClass::kUnexpected : right;
  for (const Hit& hit : hits) {
    if (hit.span < 0 || is_late_end(hit)) continue;
    SpanClass& klass = class_of(static_cast<size_t>(hit.span));
    if (klass == right) klass = SpanClass::kMalformed;
  }
}

void ScenarioJudge::collect_detached(const Attribution& attribution) {
  for (const TraceGroup& trace : attribution.traces) {
    if (trace.n != kNoRequest || trace.scenario != index_ || trace.spans.empty()) continue;
    std::set<SpanId> ids;
    for (uint32_t index : trace.spans) ids.insert((*input_.spans)[index].span_id);
    for (uint32_t index : trace.spans) {
      const Span& span = (*input_.spans)[index];
      if (ids.count(span.parent_id) > 0) continue;
      detached_.push_back({&trace, index, classifier_.classify(span)});
      break;
    }
  }
}

ScenarioResult ScenarioJudge::take_result() { return std::move(result_); }

}  // namespace hopcheck::check
