// Environment plan, drain rule, tally, suite comparison, judge canary.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "config/load.h"
#include "run/canary.h"
#include "run/drain.h"
#include "run/earlier_facts.h"
#include "run/environment_plan.h"
#include "run/expectation_check.h"
#include "run/tally.h"

namespace hopcheck::run {
namespace {

const std::string kRoot = HOPCHECK_SOURCE_DIR;

Scenario load(const std::string& path) {
  auto scenario = config::load_scenario(kRoot + "/scenarios/" + path, {kRoot});
  EXPECT_TRUE(scenario) << config::to_text(scenario.error());
  return scenario ? *scenario : Scenario{};
}

TEST(EnvironmentPlan, GroupsByTelemetryAndGivesEachWayOfDeployingItsNamespace) {
  const std::vector<Scenario> scenarios = {load("core/checkout-gateway.yaml"), load("core/checkout-direct.yaml"),
                                           load("canary/telemetry-without-percentage.yaml"),
                                           load("canary/no-sidecar.yaml"), load("core/checkout-mesh.yaml")};
  const auto plan = plan_environment(scenarios, "1.31", 1);
  ASSERT_EQ(plan.groups.size(), 2u);
  EXPECT_EQ(plan.groups[0].sampling, 100.0);
  EXPECT_FALSE(plan.groups[1].sampling.has_value());
  std::set<std::string> namespaces;
  bool mesh_client = false;
  for (const TopologyInstance& instance : plan.groups[0].instances) {
    namespaces.insert(instance.topology.ns);
    if (instance.topology.ns == "hop-checkout") mesh_client = instance.mesh_client;
  }
  EXPECT_EQ(namespaces, (std::set<std::string>{"hop-checkout", "hop-checkout-direct", "hop-checkout-no-payments"}));
  EXPECT_TRUE(mesh_client);
  uint64_t next = 0;
  for (const PlannedScenario& item : plan.scenarios) {
    EXPECT_EQ(item.first_n, next);
    next += item.scenario.load.requests;
    EXPECT_EQ(item.scenario.topology.ns, plan.groups[0].instances[item.instance].topology.ns);
  }
  EXPECT_EQ(plan.scenarios.back().scenario.name, "telemetry-without-percentage");
}

// Naming modes take turns in one run; states of one mode stand together, so that proxies restart as seldom as can be.
TEST(EnvironmentPlan, GroupsOfOneNamingStandTogether) {
  Scenario other = load("core/checkout-gateway.yaml"), half = other, again = other;
  other.environment.naming = NamingMode::kCanonicalNameOnly;
  half.environment.sampling = 50;
  again.environment.naming = NamingMode::kCanonicalNameOnly;
  again.environment.sampling = 50;
  const auto plan = plan_environment({load("core/checkout-gateway.yaml"), other, half, again}, "", 1);
  ASSERT_EQ(plan.groups.size(), 4u);
  EXPECT_FALSE(needs_restart(plan.groups[0], plan.groups[1]));
  EXPECT_TRUE(needs_restart(plan.groups[1], plan.groups[2]));
  EXPECT_FALSE(needs_restart(plan.groups[2], plan.groups[3]));
  ASSERT_EQ(plan.scenarios.size(), 4u);
  std::vector<size_t> sources;
  for (const PlannedScenario& item : plan.scenarios) {
    sources.push_back(item.source);
    EXPECT_EQ(plan.groups[item.group].sampling, item.scenario.environment.sampling);
    EXPECT_EQ(plan.groups[item.group].naming, item.scenario.environment.naming);
  }
  EXPECT_EQ(sources, (std::vector<size_t>{0, 2, 1, 3}));
}

// Every namespace of a topology moves with its instance: two copies never meet in one.
TEST(EnvironmentPlan, AnInstanceKeepsItsNamespacesApart) {
  Scenario names = load("extended/naming-app.yaml"), direct = names;
  direct.name = "direct";
  direct.entry = Entry::kDirect;
  const auto plan = plan_environment({names, direct}, "", 1);
  ASSERT_EQ(plan.groups[0].instances.size(), 2u);
  std::set<std::string> namespaces;
  for (const TopologyInstance& instance : plan.groups[0].instances) {
    for (const Service& service : instance.topology.services) namespaces.insert(service.ns);
  }
  EXPECT_EQ(namespaces,
            (std::set<std::string>{"hop-names", "hop-names-direct", "hop-names-too", "hop-names-too-direct"}));
}

TEST(EarlierFacts, CountersGoOnAcrossARestart) {
  Environment environment;
  environment.proxies.resize(2);
  environment.proxies[0].pod = "kept";
  environment.proxies[1].pod = "gone";
  for (ProxyFact& proxy : environment.proxies) {
    proxy.sent_before = 10;
    proxy.sent_after = 25;
  }
  environment.collector_fact.restarts = 1;
  EarlierFacts earlier;
  keep_counters(environment, earlier);
  Environment later;
  later.proxies.resize(1);
  later.proxies[0].pod = "kept";
  later.proxies[0].sent_before = 0;
  later.proxies[0].sent_after = 7;
  add_counters(earlier, later);
  ASSERT_EQ(later.proxies.size(), 2u);
  EXPECT_EQ(later.proxies[0].sent_after, 22u);
  EXPECT_EQ(later.proxies[0].sent_before, 0u);
  EXPECT_EQ(later.proxies[1].pod, "gone");
  EXPECT_EQ(later.collector_fact.restarts, 1);
}

TEST(DrawFault, DrawsEveryKindAndOnlyWhereItCanBeSeen) {
  const Scenario scenario = load("canary/random.yaml");
  std::map<std::string, int> seen;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    const Fault fault = draw_fault(scenario.topology, seed);
    EXPECT_EQ(describe(fault), describe(draw_fault(scenario.topology, seed)));
    EXPECT_NE(fault.at, "payments");  // it calls nobody: nothing it drops could be seen
    EXPECT_EQ(fault.kind == Fault::Kind::kNone, findings_of_fault(scenario.topology, fault).empty());
    ++seen[describe(fault)];
  }
  EXPECT_EQ(seen.size(), 9u);  // none, three headers at two services, callTwice at two services
}

DrainState state_at(int64_t seconds) {
  DrainState state;
  state.now_nanos = seconds * 1'000'000'000;
  state.drain_start_nanos = 100'000'000'000;
  state.last_answer_nanos = 100'000'000'000;
  state.last_span_nanos = 104'000'000'000;
  return state;
}

TEST(Drain, EndsWhenCompleteAndFlushedOrQuietOrAtTheDeadline) {
  const DrainRule rule;
  DrainState state = state_at(103);
  EXPECT_EQ(drain_end(rule, state), DrainEnd::kNotYet);  // complete, but a duplicate could still be flushed
  state = state_at(107);
  EXPECT_EQ(drain_end(rule, state), DrainEnd::kComplete);
  state.due_missing = 3;
  EXPECT_EQ(drain_end(rule, state), DrainEnd::kNotYet);
  state = state_at(112);
  state.due_missing = 3;
  EXPECT_EQ(drain_end(rule, state), DrainEnd::kQuiet);
  state.queue = 5;  // the Collector still holds something
  EXPECT_EQ(drain_end(rule, state), DrainEnd::kNotYet);
  state.now_nanos = 161'000'000'000;
  EXPECT_EQ(drain_end(rule, state), DrainEnd::kDeadline);
}

TEST(Tally, CountsByTraceIdAndByHopEvenWhenTheHopComesLate) {
  RunTag tag;
  tag.nonce = 0xabcdef0123456789;
  const plan::TagCipher cipher(tag);
  Tally tally(tag);
  tally.expect(0, 2, 2);
  const Resource resource;
  const Scope scope;
  Span span;
  span.resource = &resource;
  span.scope = &scope;
  span.trace_id = cipher.trace_id(0);
  EXPECT_TRUE(tally.add(span));
  EXPECT_TRUE(tally.add(span));
  span.trace_id.bytes.fill(9);  // header-less: the app span arrives before the proxy span that names the request
  EXPECT_FALSE(tally.add(span));
  EXPECT_EQ(tally.due_missing({true, true}), 1u);
  const std::string url = "http://x/y?hop=" + cipher.run8() + "-1";
  Attribute attribute;
  attribute.key = "http.url";
  attribute.value.type = AnyValue::Type::kString;
  attribute.value.text = url;
  span.attributes = {&attribute, 1};
  EXPECT_TRUE(tally.add(span));
  EXPECT_EQ(tally.due_missing({true, true}), 0u);
  EXPECT_EQ(tally.due_missing({true, false}), 0u);
}

ScenarioResult observed(Verdict verdict, const std::vector<std::string>& codes) {
  ScenarioResult result;
  result.verdict = verdict;
  for (const std::string& code : codes) {
    Finding finding;
    finding.code = code;
    finding.subject.service = "checkout";
    result.findings.push_back(finding);
  }
  return result;
}

TEST(Suite, DeviationInEitherDirectionFails) {
  SuiteEntry canary;
  canary.expect_verdict = "fail";
  canary.expect_findings = {{"HOP0601", "service=checkout"}};
  ScenarioResult result = observed(Verdict::kFail, {"HOP0601"});
  compare_with_expectation(canary, result);
  EXPECT_TRUE(result.as_expected);
  for (const auto& codes : std::vector<std::vector<std::string>>{{}, {"HOP0602"}, {"HOP0601", "HOP0401"}}) {
    result = observed(Verdict::kFail, codes);
    compare_with_expectation(canary, result);
    EXPECT_FALSE(result.as_expected);
  }
  RunResult run;
  run.suite = "s";
  run.scenarios = {observed(Verdict::kFail, {"HOP0601"})};
  run.scenarios[0].as_expected = true;
  settle_run(run);
  EXPECT_EQ(run.exit_code, 0);
  run.scenarios[0].as_expected = false;
  settle_run(run);
  EXPECT_EQ(run.exit_code, 1);
  run.scenarios[0].verdict = Verdict::kUnknown;
  settle_run(run);
  EXPECT_EQ(run.exit_code, 2);
  run.scenarios[0].verdict.reset();
  settle_run(run);
  EXPECT_EQ(run.exit_code, 5);
}

TEST(Canary, IsReportedForEveryShippedScenarioAndTheCleanTracePasses) {
  const auto profiles = config::load_profiles({kRoot});
  ASSERT_TRUE(profiles);
  for (const char* path : {"core/checkout-gateway.yaml", "core/checkout-mesh-headerless.yaml",
                           "core/checkout-direct.yaml", "core/checkout-unmeshed.yaml", "core/bookinfo-gateway.yaml"}) {
    const Scenario scenario = load(path);
    for (const MeshProfile& profile : *profiles) {
      for (uint64_t seed = 0; seed < 50; ++seed) {
        const auto canary = judge_canary(scenario, profile, seed);
        ASSERT_TRUE(canary);
        EXPECT_TRUE(canary->reported) << path << " " << seed << " " << canary->mutation;
        EXPECT_TRUE(canary->clean_passes) << path << " " << canary->detail;
      }
    }
  }
}

}  // namespace
}  // namespace hopcheck::run
