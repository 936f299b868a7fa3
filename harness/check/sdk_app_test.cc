// Services without tracing code under an SDK (instrumentation auto): the tree that is expected of them, and what is
// found when their spans are not what the SDK's facts say.
#include <gtest/gtest.h>

#include <algorithm>

#include "check/judge.h"
#include "config/load.h"
#include "plan/expand.h"
#include "plan/intent.h"
#include "sim/synthesize.h"
#include "testing/claims.h"

namespace hopcheck::check {
namespace {

using Found = std::vector<std::string>;
const std::string kRoot = HOPCHECK_SOURCE_DIR;

class SdkApp : public ::testing::Test {
 protected:
  void SetUp() override {
    auto profiles = config::load_profiles({kRoot});
    ASSERT_TRUE(profiles);
    profiles_ = std::move(*profiles);
    auto scenario = config::load_scenario(kRoot + "/scenarios/extended/sdk-app.yaml", {kRoot});
    ASSERT_TRUE(scenario) << config::to_text(scenario.error());
    input_.scenario = std::move(*scenario);
    input_.scenario.profile = "istio-1.30";
    input_.scenario.load.requests = 1;
    tag_.nonce = 0x0123456789abcdef;
    LoadPlan plan;
    plan.tag = tag_;
    plan.count = 1;
    plan.traceparent = TraceparentMode::kSampled;
    plan.trace_state = input_.scenario.load.trace_state;
    plan.journeys = input_.scenario.load.journeys;
    LedgerEntry entry;
    entry.intent = plan::intent_at(plan, plan::TagCipher(tag_), 0);
    entry.scenario = input_.scenario.name;
    entry.journey = plan.journeys[0].name;
    entry.outcome = {0, 1000, 2000, 3000, OutcomeKind::kOk, 200};
    input_.ledger.push_back(std::move(entry));
    const auto expansion = expand();
    ASSERT_TRUE(expansion) << expansion.error().why;
    tree_ = expansion->trees[0];
    sim::SynthesisInput synthesis;
    synthesis.tree = &tree_;
    synthesis.trace_id = input_.ledger[0].intent.trace_id;
    synthesis.root_parent = input_.ledger[0].intent.span_id;
    synthesis.trace_state = input_.ledger[0].intent.trace_state;
    spans_ = sim::synthesize(synthesis, arena_, rng_);
  }

  Result<plan::Expansion> expand() const {
    plan::ProfileBinding binding;
    for (const MeshProfile& profile : profiles_) {
      if (profile.name == input_.scenario.profile) binding.fallback = &profile;
    }
    return plan::expand(input_.scenario, binding);
  }

  Found findings() {
    JudgeInput input;
    input.spans = &spans_;
    input.tag = tag_;
    input.profiles = &profiles_;
    input.scenarios.push_back(input_);
    auto result = judge(input);
    EXPECT_TRUE(result);
    Found out;
    if (!result) return out;
    for (const Finding& finding : result->scenarios[0].findings)
      out.push_back(finding.code + " " + subject_key(finding.subject));
    return out;
  }

  // The one span of the app with that kind; the first of several.
  Span& app_span(SpanKind kind) {
    for (Span& span : spans_) {
      if (span.resource->service_name == "checkout" && span.kind == kind) return span;
    }
    ADD_FAILURE() << "no such span";
    return spans_[0];
  }
  Attribute* attributes_of(Span& span) {
    auto* list = arena_.array<Attribute>(span.attributes.size);
    std::copy(span.attributes.begin(), span.attributes.end(), list);
    span.attributes.data = list;
    return list;
  }
  Attribute& attribute(Span& span, std::string_view key) {
    Attribute* list = attributes_of(span);
    return *std::find_if(list, list + span.attributes.size, [&](const Attribute& one) { return one.key == key; });
  }

  Arena arena_;
  Rng rng_{3};
  std::vector<MeshProfile> profiles_;
  RunTag tag_;
  ScenarioInput input_;
  ExpectedTree tree_;
  std::vector<Span> spans_;
};

TEST_F(SdkApp, ItsSpansHangBetweenTheProxys) {
  std::vector<std::string> own;
  for (const ExpectedSpan& span : tree_.spans) {
    if (span.service_name != "checkout") continue;
    ASSERT_GE(span.parent, 0);
    own.push_back(std::string(to_string(span.kind)) + " " + span.name + " of " + span.scope + " under " +
                  std::string(to_string(tree_.spans[static_cast<size_t>(span.parent)].kind)));
  }
  EXPECT_EQ(own, (Found{"SERVER POST /checkout/<int:order> of opentelemetry.instrumentation.flask under SERVER",
                        "CLIENT POST of opentelemetry.instrumentation.requests under SERVER",
                        "CLIENT GET of opentelemetry.instrumentation.requests under SERVER"}));
  EXPECT_EQ(tree_.spans.size(), 17u);
}

TEST_F(SdkApp, ItMayEndLateAndNeedNotForwardTheRequestId) {
  proof::claim({"M-86"}, Polarity::kPositive, ProofKind::kSimulated);
  app_span(SpanKind::kServer).end_unix_nanos += 30'000'000;
  for (Span& span : spans_) {
    const bool behind = span.resource->service_name == "payments.hop-sdk" ||
                        (span.resource->service_name == "checkout.hop-sdk" && span.kind == SpanKind::kClient);
    if (behind) attribute(span, "guid:x-request-id").value.text = "0f0c8d1e-7a3b-9c4d-8e2f-90a1b2c3d4e5";
  }
  EXPECT_EQ(findings(), Found{});
}

TEST_F(SdkApp, ATraceThatItDoesNotCarryOnIsItsFinding) {
  proof::claim({"M-86"}, Polarity::kNegative, ProofKind::kSimulated);
  for (Span& span : spans_) {
    const bool behind = span.resource->service_name == "payments.hop-sdk" ||
                        (span.resource->service_name == "checkout.hop-sdk" && span.kind == SpanKind::kClient);
    if (behind) span.trace_state = "";
  }
  EXPECT_EQ(findings(), Found{"HOP0602 service=checkout header=tracestate"});
}

TEST_F(SdkApp, AnotherScopeIsFound) {
  Scope scope;
  scope.present = true;
  scope.name = "my.tracer";
  app_span(SpanKind::kServer).scope = arena_.make(scope);
  EXPECT_EQ(findings(), Found{"HOP0502 service=checkout"});
}

TEST_F(SdkApp, AnotherRouteIsFound) {
  attribute(app_span(SpanKind::kServer), "http.route").value.text = "/other";
  EXPECT_EQ(findings(), Found{"HOP0504 service=checkout object=http.route"});
}

TEST_F(SdkApp, AnAttributeOfAnotherTypeIsFound) {
  AnyValue& value = attribute(app_span(SpanKind::kClient), "http.status_code").value;
  value.type = AnyValue::Type::kString;
  value.text = "200";
  EXPECT_EQ(findings(), Found{"HOP0504 service=checkout object=http.status_code"});
}

TEST_F(SdkApp, AMissingAttributeIsFound) {
  attribute(app_span(SpanKind::kClient), "http.url").key = "url.full";
  EXPECT_EQ(findings(), Found{"HOP0504 service=checkout object=http.url"});
}

TEST_F(SdkApp, WhatItCannotDoIsRefused) {
  Topology& topology = input_.scenario.topology;
  Service& checkout = topology.services[static_cast<size_t>(topology.find("checkout"))];
  topology.services[static_cast<size_t>(topology.find("payments"))].ports[0].name = "grpc";
  EXPECT_EQ(expand().error().why, "its call to payments is no plain HTTP call, one after the other");
  checkout.sdk = "unheard-of";
  EXPECT_EQ(expand().error().why, "nothing is known of the SDK unheard-of");
}

}  // namespace
}  // namespace hopcheck::check
