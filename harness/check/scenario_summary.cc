// What a scenario's judgement adds up to: gaps per hop, latency, rates, counts, signature.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "check/scenario_judge.h"
#include "stats/binomial.h"

namespace hopcheck::check {
namespace {

constexpr double kRateAlpha = 1e-6;  // verdict.md section 6

}  // namespace

void ScenarioJudge::add_latency(const Outcome& outcome) {
  if (outcome.kind == OutcomeKind::kUnsent || outcome.sent_unix_nanos == 0) return;
  const int64_t late = outcome.sent_unix_nanos - outcome.due_unix_nanos;
  lateness_.add(late);
  if (late > 10'000'000) ++late_;
  if (outcome.done_unix_nanos == 0) return;
  corrected_.add(outcome.done_unix_nanos - outcome.due_unix_nanos);
  uncorrected_.add(outcome.done_unix_nanos - outcome.sent_unix_nanos);
}

// Journeys to places outside the topology whose requests no proxy makes a span of; the weights give their number.
uint64_t ScenarioJudge::silent_requests() const {
  const LoadSpec& load = scenario_.scenario.load;
  uint64_t total = 0, silent = 0;
  for (size_t j = 0; j < load.journeys.size(); ++j) {
    const auto weight = static_cast<uint64_t>(std::max(load.journeys[j].weight, 0));
    total += weight;
    const auto& trees = expansion_.by_journey[j];
    if (load.journeys[j].outside && !trees.empty() && expansion_.trees[trees.front()].spans.empty()) silent += weight;
  }
  return total == 0 ? 0 : load.requests * silent / total;
}

// A bare capture: what was planned can only be counted.
void ScenarioJudge::judge_count() {
  const Scenario& scenario = scenario_.scenario;

  result_.notes.push_back("arrival per request is not judged: no ledger");
  uint64_t seen = traces_of_.size();
  // Requests that leave nothing to be seen are taken as the scenario counts them.
  const uint64_t silent = silent_requests();
  result_.requests_by_class[static_cast<size_t>(RequestClass::kComplete)] += silent;
  result_.outcomes[static_cast<size_t>(OutcomeKind::kOk)] += silent;
  seen += silent;
  const double sampling = claimed_sampling(nullptr);
  if (sampling > 0 && sampling < 100) {
    rate_sent_ = scenario.load.requests;
    rate_seen_ = seen;
    // The unseen ones are the unsampled: the class sums stay whole.
    const uint64_t unseen = rate_sent_ > seen ? rate_sent_ - seen : 0;
    result_.requests_by_class[static_cast<size_t>(RequestClass::kUnsampled)] += unseen;
    result_.outcomes[static_cast<size_t>(OutcomeKind::kOk)] += unseen;
  } else if (seen != scenario.load.requests) {
    add_finding(0, "HOP0108", fmt::format("{} requests", scenario.load.requests),
                            fmt::format("{} requests", seen), {});
  }
  result_.requests = 0;  // what the classes hold: the traces seen, and the unsampled where a rate is claimed
  for (uint64_t count : result_.requests_by_class) result_.requests += count;
}

// Sampling by the exact two-sided binomial test (verdict.md section 6).
void ScenarioJudge::judge_rate() {
  const double rate = claimed_environment(scenario_.scenario).sampling.value_or(100.0) / 100.0;
  const double p = stats::binomial_two_sided_p(rate_seen_, rate_sent_, rate);
  const auto interval = stats::binomial_interval(rate_sent_, rate, kRateAlpha);
  result_.notes.push_back(fmt::format(
      "sampling {} %: {} of {} requests seen, accepted {:.0f} to {:.0f} at alpha 1e-6", rate * 100, rate_seen_,
      rate_sent_, interval.first * static_cast<double>(rate_sent_), interval.second * static_cast<double>(rate_sent_)));
  if (drawn_ > 0) {
    result_.notes.push_back(
        fmt::format("the draw of each of {} requests followed from our x-request-id beforehand", drawn_));
  }
  if (p < kRateAlpha) {
    add_finding(0, "HOP0106", fmt::format("{} % of {}", rate * 100, rate_sent_),
                            fmt::format("{} seen", rate_seen_), {});
  }
}

// Two workloads under one service.name cannot be told apart by any backend (row M-54).
void ScenarioJudge::note_collisions() {
  std::map<std::string, std::set<std::string>> workloads;
  for (size_t t = 0; t < expansion_.trees.size(); ++t) {
    if (completes_by_tree_[t] == 0) continue;
    for (const ExpectedSpan& span : expansion_.trees[t].spans) {
      if (span.role != ProxyRole::kNone && span.service >= 0)
        workloads[span.service_name].insert(span.workload_namespace + "/" + classifier_.service_label(span.service));
    }
  }
  for (const auto& [name, services] : workloads) {
    if (services.size() < 2) continue;
    std::string list;
    for (const std::string& service : services) list += (list.empty() ? "" : ", ") + service;
    result_.notes.push_back(fmt::format("warning: {} share the service.name `{}` under {}", list, name,
                                        to_string(claimed_environment(scenario_.scenario).naming)));
  }
}

void ScenarioJudge::finish() {
  note_collisions();
  result_.requests = scenario_.ledger.size();
  if (!scenario_.has_ledger) judge_count();
  if (rate_sent_ > 0) judge_rate();
  if (failures_unseen_ > 0) {  // row O-22
    result_.notes.push_back(
        fmt::format("{} requests that failed left no trace: a sampling percentage is drawn before anything has failed. "
                    "To keep every failure sample 100 % and let the Collector choose (tail_sampling, status_code)",
                    failures_unseen_));
  }
  if (excused_spans_ > 0) {
    result_.notes.push_back(
        fmt::format("{} inbound SERVER spans attributed to the old configuration (tracing changed before the start)",
                    excused_spans_));
  }
  if (late_ * 100 > lateness_.count()) {
    result_.notes.push_back(fmt::format(
        "{} of {} requests went out more than 10 ms late: latency and gaps are not judged", late_, lateness_.count()));
  }
  report_skew();
  compare_gaps();
  for (const auto& [key, hop] : gaps_) {
    HopResult out;
    out.from = key.first;
    out.to = key.second;
    out.client = hop.client;
    out.server = hop.server;
    out.app = hop.app;
    out.rule = hop.app_expected ? "triple" : "pair";
    out.wire_gap = hop.wire.distribution();
    out.proxy_gap = hop.proxy.distribution();
    out.own_time = hop.own.distribution();
    result_.hops.push_back(std::move(out));
  }
  result_.latency = {corrected_.distribution(), uncorrected_.distribution(), lateness_.distribution()};
  if (input_.signatures == JudgeInput::Signatures::kCollect) result_.signature = signature_.lines(expansion_);
}

}  // namespace hopcheck::check
