#include "app/session.h"

#include <algorithm>
#include <chrono>
#include <set>

#include <fmt/format.h>

#include "base/clock.h"
#include "plan/binding.h"

namespace hopcheck::app {
namespace {

constexpr uint64_t kControlBase = UINT64_MAX - 1024;  // request numbers of the positive controls; no plan reaches them
constexpr uint64_t kControlBefore = 0;  // the ones after each group's drive follow
constexpr int64_t kSealTimeoutNanos = 20'000'000'000;

std::string control_body(const plan::TagCipher& cipher, uint64_t number) {
  const int64_t now = system_clock().wall_unix_nanos();
  return fmt::format(
      R"({{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"hopcheck"}}}}]}},)"
      R"("scopeSpans":[{{"scope":{{"name":"hopcheck"}},"spans":[{{"traceId":"{}","spanId":"{}","name":"positive control","kind":1,)"
      R"("startTimeUnixNano":"{}","endTimeUnixNano":"{}","status":{{}}}}]}}]}}]}})",
      to_hex(cipher.trace_id(kControlBase + number)), to_hex(cipher.span_id(kControlBase + number)), now, now);
}

// What the demo services are told to do wrong; everything else stands in the mesh.
std::vector<Fault> switched_faults(const Scenario& scenario) {
  std::vector<Fault> out;
  for (const auto* faults : {&scenario.faults, &scenario.inject}) {
    for (const Fault& fault : *faults) {
      const bool flaky = fault.kind == Fault::Kind::kRetry && fault.times > 0;
      if (!is_mesh_fault(fault.kind) || flaky) out.push_back(fault);
    }
  }
  return out;
}

// A service has one set of switches, for all its requests.
Result<void> can_switch(const Scenario& scenario, const std::vector<Fault>& faults) {
  std::set<std::string> services;
  for (const Fault& fault : faults) {
    const bool of_some = !fault.journey.empty() && scenario.load.journeys.size() > 1;
    if (!of_some && services.insert(fault.at).second) continue;
    return fail(
        ErrorKind::kUsage, fmt::format("scenario {} cannot be driven", scenario.name),
        of_some ? fmt::format("{} cannot do {} for journey {} alone", fault.at, to_string(fault.kind), fault.journey)
                : fmt::format("{} can do one thing wrong at a time", fault.at),
        "split the scenario");
  }
  return {};
}

}  // namespace

Session::Session(SessionInput input) : input_(std::move(input)), cipher_(input_.identity.tag) {}

Result<void> Session::phase(const std::string& name, const std::function<Result<void>()>& body) {
  if (stopped()) return fail(ErrorKind::kInterrupted, "interrupted before " + name);
  input_.log->start_phase(name);
  Result<void> result = body();
  if (result && stopped()) result = fail(ErrorKind::kInterrupted, "interrupted during " + name);
  input_.log->end_phase(result ? "ok" : stopped() ? "interrupted" : "failed");
  return result;
}

Result<void> Session::run() {
  Result<void> result = run_groups();
  input_.log->start_phase("store");
  store();
  input_.log->end_phase("ok");
  return result;
}

Result<void> Session::run_groups() {
  for (size_t group = 0; group < input_.plan->groups.size(); ++group) {
    if (auto done = run_group(group); !done) return done;
  }
  return {};
}

Result<void> Session::run_group(size_t group) {
  if (auto done = phase(group == 0 ? "deploy" : "change", [&] { return deploy(group); }); !done) return done;
  if (auto done = phase("probe", [&] { return probe(group); }); !done) return done;
  if (auto done = phase("warm up", [&] { return driver_->warm_up(scenarios_of(group)); }); !done) return done;
  drove_ = true;
  const auto driven = phase("drive", [&] { return drive_group(group); });
  // What was sent is waited for even when the drive failed: a run on a standing mesh leaves nothing to the next one.
  const auto drained = phase("drain", [&] { return drain(); });
  return driven ? drained : driven;
}

// Between naming modes every proxy starts anew, on purpose: what the old ones counted is read before they go.
Result<void> Session::restart_proxies(size_t group) {
  if (auto marked = input_.provider->mark(run::Provider::Mark::kAfter, environment_); !marked) return marked;
  run::keep_counters(environment_, earlier_);
  const CollectorFact collector = environment_.collector_fact;
  if (auto changed = input_.provider->ensure(input_.plan->groups[group], *input_.log, *input_.stop); !changed)
    return changed;
  if (auto settled = input_.provider->wait_tracing_settled(*input_.log, *input_.stop); !settled) return settled;
  auto marked = input_.provider->mark(run::Provider::Mark::kBefore, environment_);
  environment_.collector_fact = collector;  // it ran on: its first counters stay the first
  return marked;
}

Result<void> Session::deploy(size_t group) {
  const bool restarts =
      group > 0 && run::needs_restart(input_.plan->groups[group - 1], input_.plan->groups[group]);
  if (restarts) return restart_proxies(group);
  if (auto done = input_.provider->ensure(input_.plan->groups[group], *input_.log, *input_.stop); !done) return done;
  return group == 0 ? Result<void>{} : input_.provider->wait_tracing_settled(*input_.log, *input_.stop);
}

Result<void> Session::probe(size_t group) {
  if (group == 0) {
    tail_ = std::make_unique<CaptureTail>(*input_.provider, input_.directory->file("capture.hcl"), input_.identity.tag);
    if (auto started = tail_->start(); !started) return started;
    DriveContext context;
    context.provider = input_.provider;
    context.plan = input_.plan;
    context.tag = input_.identity.tag;
    context.log = input_.log;
    context.stop = input_.stop;
    context.total = input_.plan->total_requests();
    context.spans_arrived = [this] { return tail_->spans(); };
    driver_ = std::make_unique<Driver>(std::move(context));
    if (auto marked = input_.provider->mark(run::Provider::Mark::kBefore, environment_); !marked) return marked;
    marked_ = true;
    if (auto posted = post_control(kControlBefore); !posted) return posted;
    environment_.control.before_sent = true;
  }
  // Telemetry as it stands now holds from this group's first request on; what describe() replaces is kept.
  std::vector<TelemetryFact> earlier = std::move(environment_.telemetry);
  environment_.telemetry.clear();
  if (auto described = input_.provider->describe(environment_); !described) return described;
  const std::vector<size_t> scenarios = scenarios_of(group);
  for (TelemetryFact& fact : environment_.telemetry) {
    fact.from_n = scenarios.empty() ? 0 : input_.plan->scenarios[scenarios.front()].first_n;
  }
  environment_.telemetry.insert(environment_.telemetry.begin(), earlier.begin(), earlier.end());
  environment_.provider = input_.provider->name();
  for (size_t scenario : scenarios) expect_spans(scenario);
  return {};
}

std::vector<size_t> Session::scenarios_of(size_t group) const {
  std::vector<size_t> out;
  for (size_t i = 0; i < input_.plan->scenarios.size(); ++i) {
    if (input_.plan->scenarios[i].group == group) out.push_back(i);
  }
  return out;
}

void Session::expect_spans(size_t scenario) {
  if (!input_.must_be_complete[scenario]) return;
  const run::PlannedScenario& item = input_.plan->scenarios[scenario];
  std::string note;
  plan::ProfileBinding binding;
  binding.fallback = plan::choose_profile(*input_.profiles, environment_.istio, note);
  if (binding.fallback == nullptr || !plan::bind_declared(item.scenario, *input_.profiles, binding)) return;
  const auto expansion = plan::expand(item.scenario, binding);
  if (!expansion) return;  // the judge reports it
  size_t fewest = SIZE_MAX;
  for (const ExpectedTree& tree : expansion->trees) fewest = std::min(fewest, tree.spans.size());
  tail_->expect(item.first_n, item.scenario.load.requests, static_cast<uint32_t>(fewest));
}

double Session::rate_for(const std::vector<size_t>& scenarios) const {
  if (input_.suite_rate > 0 || scenarios.empty()) return input_.suite_rate;
  double rate = 0;
  for (size_t scenario : scenarios) rate = std::max(rate, input_.plan->scenarios[scenario].scenario.load.rate);
  return rate;
}

Result<void> Session::drive_group(size_t group) {
  std::vector<size_t> together, alone;
  for (size_t scenario : scenarios_of(group)) {
    (switched_faults(input_.plan->scenarios[scenario].scenario).empty() ? together : alone).push_back(scenario);
  }
  if (!together.empty()) {
    if (auto driven = driver_->drive(together, rate_for(together)); !driven) return driven;
  }
  for (size_t scenario : alone) {
    if (stopped()) return {};
    if (auto driven = drive_switched(scenario); !driven) return driven;
  }
  return {};
}

// A misbehaving service disturbs every scenario on its instance: these run by themselves, switch on, drive, switch off.
Result<void> Session::drive_switched(size_t scenario) {
  const run::PlannedScenario& item = input_.plan->scenarios[scenario];
  const run::TopologyInstance& instance = input_.plan->groups[item.group].instances[item.instance];
  const std::vector<Fault> faults = switched_faults(item.scenario);
  Result<void> driven = can_switch(item.scenario, faults);
  for (const Fault& fault : faults) {
    if (driven) driven = input_.provider->set_fault(instance, fault);
  }
  if (driven) driven = driver_->drive({scenario}, rate_for({scenario}));
  for (const Fault& fault : faults) {
    Fault clear;
    clear.at = fault.at;
    if (auto cleared = input_.provider->set_fault(instance, clear); !cleared && driven) driven = cleared;
  }
  return driven;
}

Result<void> Session::drain() {
  if (auto posted = post_control(++controls_after_); !posted) return posted;
  environment_.control.after_sent = true;
  run::DrainState state;
  state.drain_start_nanos = system_clock().monotonic_nanos();
  state.last_answer_nanos = driver_->last_answer_nanos();
  const run::DrainRule rule;
  run::DrainEnd end = run::DrainEnd::kNotYet;
  while (end == run::DrainEnd::kNotYet && !stopped()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    state.now_nanos = system_clock().monotonic_nanos();
    state.last_span_nanos = tail_->last_span_nanos();
    state.due_missing = tail_->due_missing(driver_->answered());
    end = run::drain_end(rule, state);
    if (end == run::DrainEnd::kQuiet) {
      state.queue = input_.provider->collector_queue();
      end = run::drain_end(rule, state);
    }
  }
  if (end != run::DrainEnd::kNotYet) environment_.drain.ended_by = run::to_string(end);
  environment_.drain.waited_nanos = state.now_nanos - state.drain_start_nanos;
  return {};
}

Result<void> Session::post_control(uint64_t number) {
  return input_.provider->post_to_collector(control_body(cipher_, number));
}

bool Session::control_arrived(uint64_t number) {
  return tail_ != nullptr && tail_->seen(cipher_.trace_id(kControlBase + number));
}

// Everything that judging needs, even after a failure: what is missing makes the verdict unknown, never a pass.
void Session::store() {
  const auto say = [&](const Result<void>& result) {
    if (!result) input_.log->note(result.error().what);
  };
  if (marked_) say(input_.provider->mark(run::Provider::Mark::kAfter, environment_));
  run::add_counters(earlier_, environment_);
  if (tail_ != nullptr) {
    environment_.control.before_arrived = control_arrived(kControlBefore);
    environment_.control.after_arrived = controls_after_ > 0;
    for (uint64_t number = 1; number <= controls_after_; ++number) {
      environment_.control.after_arrived = environment_.control.after_arrived && control_arrived(number);
    }
    say(input_.provider->sink_seal());
    if (auto finished = tail_->finish(kSealTimeoutNanos); !finished) {
      environment_.capture_complete = false;
      environment_.capture_problem = finished.error().what;
      say(finished);
    }
  }
  say(input_.directory->write_environment(environment_));
  if (driver_ != nullptr) say(input_.directory->write_ledger(driver_->ledger()));
  input_.identity.interrupted = stopped();
  say(write_identity(*input_.directory, input_.identity));
}

}  // namespace hopcheck::app
