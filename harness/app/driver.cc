#include "app/driver.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include <fmt/format.h>

#include "base/clock.h"
#include "load/engine.h"
#include "plan/intent.h"

namespace hopcheck::app {
namespace {

constexpr uint64_t kFirstWarmup = uint64_t{1} << 40;  // request numbers no plan reaches
constexpr int64_t kWarmupDeadlineNanos = 60'000'000'000;
constexpr uint64_t kWarmupRequests = 6;
constexpr auto kAgentPoll = std::chrono::milliseconds(250);

}  // namespace

Driver::Driver(DriveContext context) : context_(std::move(context)), next_warmup_n_(kFirstWarmup) {
  for (const run::PlannedScenario& item : context_.plan->scenarios) {
    std::vector<Outcome> outcomes(item.scenario.load.requests);
    for (size_t i = 0; i < outcomes.size(); ++i) outcomes[i].n = item.first_n + i;
    outcomes_.push_back(std::move(outcomes));
  }
}

LoadPlan Driver::plan_of(size_t scenario) const {
  const run::PlannedScenario& item = context_.plan->scenarios[scenario];
  LoadPlan plan;
  plan.tag = context_.tag;
  plan.first_n = item.first_n;
  plan.count = item.scenario.load.requests;
  plan.rate = item.scenario.load.rate;
  plan.traceparent = item.scenario.load.traceparent;
  plan.tag_mode = item.scenario.load.tag;
  plan.trace_state = item.scenario.load.trace_state;
  plan.request_id = item.scenario.load.request_id;
  plan.journeys = item.scenario.load.journeys;
  return plan;
}

Result<run::DriveTarget> Driver::target_of(size_t scenario) const {
  const run::PlannedScenario& item = context_.plan->scenarios[scenario];
  return context_.provider->target(item.scenario.entry, context_.plan->groups[item.group].instances[item.instance]);
}

Result<std::vector<Driver::Lane>> Driver::lanes_of(const std::vector<size_t>& scenarios) const {
  std::vector<Lane> lanes;
  for (size_t scenario : scenarios) {
    auto target = target_of(scenario);
    if (!target) return tl::unexpected(target.error());
    Lane* lane = nullptr;
    for (Lane& known : lanes) {
      if (known.target.from_host == target->from_host && known.target.agent == target->agent) lane = &known;
    }
    if (lane == nullptr) {
      lanes.push_back({*target, {}, 0});
      lane = &lanes.back();
    }
    lane->scenarios.push_back(scenario);
    lane->requests += context_.plan->scenarios[scenario].scenario.load.requests;
  }
  return lanes;
}

Result<void> Driver::send(const run::DriveTarget& target, const LoadPlan& plan,
                          const std::function<void(const Outcome&)>& sink) {
  return target.from_host ? load::run(plan, sink, *context_.stop, target.source_ip)
                          : send_by_agent(target, plan, sink);
}

Result<void> Driver::send_by_agent(const run::DriveTarget& target, const LoadPlan& plan,
                                   const std::function<void(const Outcome&)>& sink) {
  if (auto started = context_.provider->agent_start(target.agent, plan); !started) return started;
  uint64_t from = 0;
  const int64_t planned = static_cast<int64_t>(static_cast<double>(plan.count) / plan.rate * 1e9);
  const int64_t deadline = system_clock().monotonic_nanos() + planned + plan.timeout_nanos + 30'000'000'000;
  int failures = 0;
  while (!*context_.stop) {
    const auto page = context_.provider->agent_poll(target.agent, plan.first_n, from);
    if (!page && ++failures > 20) return tl::unexpected(page.error());
    if (page) {
      failures = 0;
      for (const Outcome& outcome : page->outcomes) sink(outcome);
      from += page->outcomes.size();
      if (page->finished && page->outcomes.empty()) return {};
    }
    if (system_clock().monotonic_nanos() > deadline) {
      return fail(ErrorKind::kEnvironment, fmt::format("the load agent {} did not finish in time", target.agent), "",
                  "look at its log");
    }
    if (!page || page->outcomes.empty()) std::this_thread::sleep_for(kAgentPoll);
  }
  // Interrupted: a standing environment must not go on being driven.
  return context_.provider->agent_stop(target.agent);
}

void Driver::keep(size_t scenario, const Outcome& outcome) {
  const run::PlannedScenario& item = context_.plan->scenarios[scenario];
  if (outcome.n < item.first_n || outcome.n - item.first_n >= item.scenario.load.requests) return;
  {
    const std::lock_guard lock(mutex_);
    outcomes_[scenario][outcome.n - item.first_n] = outcome;
  }
  last_answer_nanos_ = system_clock().monotonic_nanos();
  const uint64_t done = ++done_;
  if (context_.log->progress() == nullptr) return;
  ui::Counters counters;
  counters.done = done;
  counters.total = context_.total;
  counters.spans = context_.spans_arrived ? context_.spans_arrived() : 0;
  const double seconds = static_cast<double>(last_answer_nanos_ - started_nanos_) / 1e9;
  counters.rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
  context_.log->progress()->counters(counters);
}

Result<void> Driver::warm_target(const run::DriveTarget& target, size_t scenario) {
  const int64_t deadline = system_clock().monotonic_nanos() + kWarmupDeadlineNanos;
  std::string last = "no answer";
  uint64_t in_a_row = 0;
  // A mesh that is told to fail answers as it is told.
  const run::PlannedScenario& item = context_.plan->scenarios[scenario];
  const bool faulty = !context_.plan->groups[item.group].instances[item.instance].faults.empty();
  while (in_a_row < kWarmupRequests && !*context_.stop) {
    LoadPlan plan = plan_of(scenario);
    plan.warmup = true;
    plan.count = in_a_row == 0 ? 1 : kWarmupRequests - in_a_row;
    plan.first_n = next_warmup_n_.fetch_add(plan.count);
    plan.rate = 50;
    plan.base_url = target.base_url;
    plan.host_header = target.host_header;
    plan.timeout_nanos = 5'000'000'000;
    const auto sent = send(target, plan, [&](const Outcome& outcome) {
      if (outcome.kind == OutcomeKind::kOk || (outcome.kind == OutcomeKind::kFailed && faulty)) {
        ++in_a_row;
      } else {
        in_a_row = 0;
        last = fmt::format("{} (HTTP {})", to_string(outcome.kind), outcome.status);
      }
    });
    if (!sent) return sent;
    if (system_clock().monotonic_nanos() > deadline) {
      return fail(ErrorKind::kEnvironment, fmt::format("{} does not answer well", target.base_url),
                  "last answer: " + last, "look at the pods' logs in the run directory");
    }
    if (in_a_row == 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(200));  // between retries, not a fixed wait
  }
  return {};
}

Result<void> Driver::warm_up(const std::vector<size_t>& scenarios) {
  std::vector<std::pair<std::string, size_t>> targets;  // one per (client, URL, host)
  for (size_t scenario : scenarios) {
    const auto target = target_of(scenario);
    if (!target) return tl::unexpected(target.error());
    const std::string key = target->agent + " " + target->base_url + " " + target->host_header;
    const bool known = std::any_of(targets.begin(), targets.end(), [&](const auto& item) { return item.first == key; });
    if (!known) targets.emplace_back(key, scenario);
  }
  for (const auto& item : targets) {
    const auto target = target_of(item.second);
    if (!target) return tl::unexpected(target.error());
    if (auto warmed = warm_target(*target, item.second); !warmed) return warmed;
  }
  return {};
}

Result<void> Driver::drive(const std::vector<size_t>& scenarios, double rate) {
  auto lanes = lanes_of(scenarios);
  if (!lanes) return tl::unexpected(lanes.error());
  uint64_t total = 0;
  for (const Lane& lane : *lanes) total += lane.requests;
  if (started_nanos_ == 0) started_nanos_ = system_clock().monotonic_nanos();
  std::vector<Result<void>> results(lanes->size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < lanes->size(); ++i) {
    threads.emplace_back([&, i] {
      const Lane& lane = (*lanes)[i];
      for (size_t scenario : lane.scenarios) {
        if (*context_.stop) return;
        const auto target = target_of(scenario);
        if (!target) {
          results[i] = tl::unexpected(target.error());
          return;
        }
        LoadPlan plan = plan_of(scenario);
        plan.base_url = target->base_url;
        plan.host_header = target->host_header;
        plan.rate = rate * static_cast<double>(lane.requests) / static_cast<double>(total);
        results[i] = send(*target, plan, [&, scenario](const Outcome& outcome) { keep(scenario, outcome); });
        if (!results[i]) return;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (Result<void>& result : results) {
    if (!result) return result;
  }
  return {};
}

std::vector<LedgerEntry> Driver::ledger() const {
  std::vector<LedgerEntry> out;
  const plan::TagCipher cipher(context_.tag);
  const std::lock_guard lock(mutex_);
  for (size_t s = 0; s < outcomes_.size(); ++s) {
    const LoadPlan plan = plan_of(s);
    for (size_t i = 0; i < outcomes_[s].size(); ++i) {
      LedgerEntry entry;
      entry.intent = plan::intent_at(plan, cipher, i);
      entry.journey = plan.journeys[entry.intent.journey].name;
      entry.scenario = context_.plan->scenarios[s].scenario.name;
      entry.outcome = outcomes_[s][i];
      out.push_back(std::move(entry));
    }
  }
  return out;
}

std::vector<bool> Driver::answered() const {
  std::vector<bool> out(context_.plan->total_requests(), false);
  const std::lock_guard lock(mutex_);
  for (const auto& list : outcomes_) {
    for (const Outcome& outcome : list) {
      if (outcome.n < out.size())
        out[outcome.n] = outcome.kind == OutcomeKind::kOk || outcome.kind == OutcomeKind::kFailed;
    }
  }
  return out;
}

}  // namespace hopcheck::app
