// Sampling and scope: the draw of each request known beforehand, and silence that a Telemetry object's scope explains.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "check/judge.h"
#include "config/load.h"
#include "plan/expand.h"
#include "plan/intent.h"
#include "sim/synthesize.h"
#include "testing/claims.h"

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

  int64_t notes_with(const std::string& text) const {
    const auto& notes = result_.scenarios.at(0).notes;
    return std::count_if(notes.begin(), notes.end(),
                         [&](const std::string& note) { return note.find(text) != std::string::npos; });
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

TEST_F(SamplingTest, AFailureThatWasNotSampledIsMissingAndTailSamplingRecommended) {
  proof::claim({"O-22"}, Polarity::kPositive, ProofKind::kSimulated);
  load("core/checkout-mesh.yaml", "istio-1.31", 40);
  input_.scenario.environment.sampling = 50;
  uint64_t unseen = 0;
  for (uint64_t n = 0; n < 40; ++n) {
    if (n % 4 == 0) input_.ledger[n].outcome.status = 503;
    if (drawn(n, 50)) continue;
    unseen += n % 4 == 0 ? 1 : 0;
  }
  ASSERT_GT(unseen, 0u);
  for (uint64_t n = 0; n < 40; ++n) {
    if (drawn(n, 50)) leave(n, input_.scenario);
  }
  judged();
  const std::string note = fmt::format("{} requests that failed left no trace", unseen);
  EXPECT_EQ(notes_with(note), 1);
  EXPECT_EQ(notes_with("tail_sampling"), 1);
}

TEST_F(SamplingTest, AtAHundredPercentAFailureWithoutTraceIsLossAndNothingIsRecommended) {
  proof::claim({"O-22"}, Polarity::kNegative, ProofKind::kSimulated);
  load("core/checkout-mesh.yaml", "istio-1.31", 8);
  input_.ledger[3].outcome.status = 503;
  for (uint64_t n = 0; n < 8; ++n) {
    if (n != 3) leave(n, input_.scenario);
  }
  EXPECT_EQ(judged(), std::vector<std::string>{"HOP0101 "});
  EXPECT_EQ(notes_with("tail_sampling"), 0);
}

// Row O-71: with mesh tracing off the apps' spans stand as they are, and are judged as strictly.
TEST_F(SamplingTest, AppSpansOfAMeshThatIsNotTracedAreThoseOfATracedOne) {
  proof::claim({"O-71"}, Polarity::kPositive, ProofKind::kSimulated);
  load("extended/additive-tracing-off.yaml", "istio-1.30", 6);
  for (uint64_t n = 0; n < 6; ++n) leave(n, input_.scenario);
  EXPECT_EQ(judged(), std::vector<std::string>{});
}

TEST_F(SamplingTest, AnAppSpanThatComesWithTheMeshAloneIsMissed) {
  proof::claim({"O-71"}, Polarity::kNegative, ProofKind::kSimulated);
  load("extended/additive-tracing-off.yaml", "istio-1.30", 6);
  for (uint64_t n = 0; n < 6; ++n) leave(n, input_.scenario);
  const auto of_payments = [](const Span& span) { return span.resource->service_name == "payments"; };
  ASSERT_GT(std::count_if(spans_.begin(), spans_.end(), of_payments), 0);
  spans_.erase(std::remove_if(spans_.begin(), spans_.end(), of_payments), spans_.end());
  EXPECT_EQ(judged(), std::vector<std::string>{"HOP1103 service=payments"});
}

// Row M-54: one app label in two namespaces.
TEST_F(SamplingTest, TwinsOfTwoNamespacesAreTwoNamesExceptWithoutANamespace) {
  proof::claim({"M-54"}, Polarity::kPositive, ProofKind::kSimulated);
  load("extended/naming-canonical-only.yaml", "istio-1.30", 4);
  for (uint64_t n = 0; n < 4; ++n) leave(n, input_.scenario);
  EXPECT_EQ(judged(), std::vector<std::string>{});
  EXPECT_EQ(notes_with("share the service.name `twin`"), 1);
  spans_.clear();
  input_.scenario.environment.naming = NamingMode::kAppLabelAndNamespace;
  for (uint64_t n = 0; n < 4; ++n) leave(n, input_.scenario);
  EXPECT_EQ(judged(), std::vector<std::string>{});
  EXPECT_EQ(notes_with("share the service.name"), 0);
}

TEST_F(SamplingTest, TwinsUnderOneNameInAModeWithNamespacesAreFound) {
  proof::claim({"M-54"}, Polarity::kNegative, ProofKind::kSimulated);
  load("extended/naming-canonical-only.yaml", "istio-1.30", 4);
  for (uint64_t n = 0; n < 4; ++n) leave(n, input_.scenario);  // both are `twin`
  input_.scenario.environment.naming = NamingMode::kCanonicalNameAndNamespace;
  const std::vector<std::string> found = judged();
  EXPECT_EQ(std::count(found.begin(), found.end(), "HOP0401 service=twin-here"), 1);
  EXPECT_EQ(std::count(found.begin(), found.end(), "HOP0401 service=twin-there"), 1);
}

// Row D-07: what is left where the Telemetry object names a provider that MeshConfig does not have.
TEST_F(SamplingTest, AnUnknownProviderIsNamed) {
  load("canary/telemetry-unknown-provider.yaml", "istio-1.30", 6);
  Scenario real = input_.scenario;
  real.environment.mesh_tracing = false;
  for (uint64_t n = 0; n < 6; ++n) leave(n, real);
  environment_.telemetry = {{"istio-system", "mesh-default", "no-such-provider", 100.0, 0}};
  EXPECT_EQ(judged().size(), 3u);  // a missing pair of spans for each hop: without MeshConfig nobody knows why
  environment_.extension_providers = {"otel-http", "otel-tracing"};
  EXPECT_EQ(judged(), std::vector<std::string>{"HOP0112 object=Telemetry istio-system/mesh-default"});
  spans_.clear();
  load("extended/telemetry-provider-unknown.yaml", "istio-1.30", 6);
  for (uint64_t n = 0; n < 6; ++n) leave(n, real);
  EXPECT_EQ(judged(), std::vector<std::string>{}) << "claimed as it is, nothing is missing";
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
