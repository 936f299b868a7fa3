// Sampling and scope: the draw of each request known beforehand, and silence that a Telemetry object's scope explains.
#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>

#include "check/judge.h"
#include "config/load.h"
#include "plan/expand.h"
#include "plan/intent.h"
#include "sim/synthesize.h"

namespace hopcheck::check {
namespace {

const std::string kRoot = HOPCHECK_SOURCE_DIR;

class SamplingTest : public testing::Test {
 protected:
  void load(const std::string& path, const std::string& profile, uint64_t requests) {
    auto profiles = config::load_profiles({kRoot});
    ASSERT_TRUE(profiles);
    profiles_ = std::move(*profiles);
    auto scenario = config::load_scenario(kRoot + "/scenarios/" + path, {kRoot});
    ASSERT_TRUE(scenario) << config::to_text(scenario.error());
    input_.scenario = std::move(*scenario);
    input_.scenario.profile = profile;
    input_.scenario.load.requests = requests;
    tag_.nonce = 0x0123456789abcdef;
    LoadPlan plan;
    plan.tag = tag_;
    plan.count = requests;
    plan.traceparent = TraceparentMode::kSampled;
    plan.journeys = input_.scenario.load.journeys;
    const plan::TagCipher cipher(tag_);
    for (uint64_t i = 0; i < requests; ++i) {
      LedgerEntry entry;
      entry.intent = plan::intent_at(plan, cipher, i);
      entry.scenario = input_.scenario.name;
      entry.journey = plan.journeys[0].name;
      entry.outcome = {i, 1000, 2000, 3000, OutcomeKind::kOk, 200};
      input_.ledger.push_back(std::move(entry));
    }
  }

  // The spans that request `n` leaves in a mesh which is as `real` says.
  void leave(uint64_t n, const Scenario& real) {
    plan::ProfileBinding binding;
    for (const MeshProfile& profile : profiles_) {
      if (profile.name == real.profile) binding.fallback = &profile;
    }
    ASSERT_NE(binding.fallback, nullptr);
    const auto expansion = plan::expand(real, binding);
    ASSERT_TRUE(expansion);
    sim::SynthesisInput synthesis;
    synthesis.tree = &expansion->trees[0];
    synthesis.trace_id = input_.ledger[n].intent.trace_id;
    synthesis.root_parent = input_.ledger[n].intent.span_id;
    synthesis.start_unix_nanos += n * 1'000'000'000;
    const auto spans = sim::synthesize(synthesis, arena_, rng_);
    spans_.insert(spans_.end(), spans.begin(), spans.end());
  }

  std::vector<std::string> judged() {
    JudgeInput input;
    input.spans = &spans_;
    input.tag = tag_;
    input.profiles = &profiles_;
    input.environment = environment_;
    input.environment.control = {true, true, true, true};
    input.scenarios.push_back(input_);
    auto result = judge(input);
    EXPECT_TRUE(result);
    std::vector<std::string> out;
    if (!result) return out;
    result_ = std::move(*result);
    for (const Finding& finding : result_.scenarios[0].findings)
      out.push_back(finding.code + " " + subject_key(finding.subject));
    return out;
  }

  // Facts 1.8: the first eight hex digits, modulo 10 000, below 100 times the percentage.
  bool drawn(uint64_t n, uint32_t percent) const {
    uint32_t value = 0;
    const std::string& id = input_.ledger[n].intent.request_id;
    EXPECT_EQ(std::from_chars(id.data(), id.data() + 8, value, 16).ptr, id.data() + 8);
    return value % 10'000 < percent * 100;
  }

  Arena arena_;
  Rng rng_{5};
  std::vector<MeshProfile> profiles_;
  ScenarioInput input_;
  RunTag tag_;
  Environment environment_;
  std::vector<Span> spans_;
  JudgeResult result_;
};

// Rows M-23, M-89: sent by a meshed pod our x-request-id decides, request by request.
TEST_F(SamplingTest, EachDrawIsKnownBeforehand) {
  load("core/checkout-mesh.yaml", "istio-1.31", 40);
  input_.scenario.environment.sampling = 50;
  uint64_t sampled = 0;
  for (uint64_t n = 0; n < 40; ++n) {
    if (!drawn(n, 50)) continue;
    leave(n, input_.scenario);
    ++sampled;
  }
  EXPECT_GT(sampled, 10u);
  EXPECT_LT(sampled, 30u);
  EXPECT_EQ(judged(), std::vector<std::string>{});
  const auto& classes = result_.scenarios[0].requests_by_class;
  EXPECT_EQ(classes[static_cast<size_t>(RequestClass::kComplete)], sampled);
  EXPECT_EQ(classes[static_cast<size_t>(RequestClass::kUnsampled)], 40 - sampled);
}

TEST_F(SamplingTest, ADrawThatDoesNotFollowFromTheIdIsFound) {
  load("core/checkout-mesh.yaml", "istio-1.31", 40);
  input_.scenario.environment.sampling = 50;
  uint64_t left_out = 40, added = 40;
  for (uint64_t n = 0; n < 40; ++n) {
    const bool wanted = drawn(n, 50);
    if (wanted && left_out == 40) {
      left_out = n;  // should have been sampled
      continue;
    }
    if (!wanted && added == 40) added = n;  // should not have been
    if (wanted || added == n) leave(n, input_.scenario);
  }
  EXPECT_EQ(judged(), (std::vector<std::string>{"HOP0101 ", "HOP0103 "}));
  for (const Finding& finding : result_.scenarios[0].findings) EXPECT_EQ(finding.count, 1u) << finding.code;
}

// Through the gateway the id is another one, so that only the share can be judged.
TEST_F(SamplingTest, BehindTheGatewayOnlyTheShareIsJudged) {
  load("core/checkout-gateway.yaml", "istio-1.31", 40);
  input_.scenario.environment.sampling = 50;
  for (uint64_t n = 0; n < 40; n += 2) leave(n, input_.scenario);
  EXPECT_EQ(judged(), std::vector<std::string>{});
}

TEST_F(SamplingTest, NoSpansAtZeroPercent) {
  load("core/checkout-gateway.yaml", "istio-1.31", 10);
  input_.scenario.environment.sampling = 0;
  EXPECT_EQ(judged(), std::vector<std::string>{});
  leave(3, input_.scenario);
  EXPECT_EQ(judged(), std::vector<std::string>{"HOP0103 "});
  EXPECT_EQ(result_.scenarios[0].findings[0].expected, "no span: sampling is 0 %");
}

// Row D-04: the gateway is silent because the only Telemetry object governs another namespace.
TEST_F(SamplingTest, SilenceOutsideTheScopeIsNoLoss) {
  load("canary/telemetry-without-namespace.yaml", "istio-1.30", 6);
  input_.scenario.load.traceparent = TraceparentMode::kSampled;
  Scenario real = input_.scenario;
  real.expect_environment.reset();
  for (uint64_t n = 0; n < 6; ++n) leave(n, real);
  environment_.telemetry = {{"hop-checkout", "mesh-default", "otel-tracing", 100.0, 0}};
  EXPECT_EQ(judged(), std::vector<std::string>{"HOP0109 object=Telemetry hop-checkout/mesh-default"});
  environment_.telemetry = {{"istio-system", "mesh-default", "otel-tracing", 100.0, 0}};
  const auto loss = judged();
  EXPECT_EQ(std::count(loss.begin(), loss.end(), "HOP0109 object=Telemetry hop-checkout/mesh-default"), 0);
  EXPECT_FALSE(loss.empty()) << "with an object in the root namespace the same silence is a loss";
  input_.scenario.expect_environment.reset();
  EXPECT_EQ(judged(), std::vector<std::string>{}) << "claimed as it is, nothing is missing";
}

// Row D-11: the mesh is set to a mode and its proxies carry the names of the one before; one finding for the window.
TEST_F(SamplingTest, NamesFromBeforeTheChangeAreOneFinding) {
  load("canary/naming-window.yaml", "istio-1.30", 4);
  Scenario real = input_.scenario;
  real.environment.naming = NamingMode::kAppLabelAndNamespace;
  for (uint64_t n = 0; n < 4; ++n) leave(n, real);
  EXPECT_EQ(judged(), std::vector<std::string>{"HOP0404 object=names of APP_LABEL_AND_NAMESPACE"});
  const std::string& actual = result_.scenarios[0].findings[0].actual;
  for (const char* name : {"gateway `istio-ingressgateway.istio-system`", "payments `payments.hop-checkout`"})
    EXPECT_NE(actual.find(name), std::string::npos) << actual;
  input_.scenario.expect_environment = real.environment;
  EXPECT_EQ(judged(), std::vector<std::string>{}) << "claimed as they are, the old names are right";
}

TEST_F(SamplingTest, AnotherModeThanClaimedIsAWrongName) {
  load("canary/wrong-expected-naming.yaml", "istio-1.30", 2);
  Scenario real = input_.scenario;
  real.expect_environment.reset();
  for (uint64_t n = 0; n < 2; ++n) leave(n, real);
  EXPECT_EQ(judged(), (std::vector<std::string>{"HOP0401 service=checkout", "HOP0401 service=frontend",
                                                "HOP0401 service=gateway", "HOP0401 service=payments"}));
}

}  // namespace
}  // namespace hopcheck::check
