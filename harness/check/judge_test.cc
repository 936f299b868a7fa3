// The judge on synthesized runs: clean ones pass, each planted defect gives exactly its own finding, order does not
// matter.
#include "check/judge.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "check/catalogue.h"
#include "check/span_info.h"
#include "config/load.h"
#include "plan/expand.h"
#include "plan/intent.h"
#include "sim/synthesize.h"

namespace hopcheck::check {
namespace {

const std::string kRoot = HOPCHECK_SOURCE_DIR;

class JudgeTest : public testing::Test {
 protected:
  void SetUp() override {
    auto profiles = config::load_profiles({kRoot});
    ASSERT_TRUE(profiles) << config::to_text(profiles.error());
    profiles_ = std::move(*profiles);
    const auto own = std::find_if(profiles_.begin(), profiles_.end(),
                                  [](const MeshProfile& profile) { return profile.name == "istio-1.30"; });
    ASSERT_NE(own, profiles_.end());
    profile_ = &*own;
    auto scenario = config::load_scenario(kRoot + "/scenarios/core/checkout-gateway.yaml", {kRoot});
    ASSERT_TRUE(scenario) << config::to_text(scenario.error());
    input_.scenario = std::move(*scenario);
    input_.scenario.load.requests = 5;
    tag_.nonce = 0x0123456789abcdef;
    make_run();
  }

  // Five requests, each with the spans its expected tree says.
  void make_run() {
    LoadPlan plan;
    plan.tag = tag_;
    plan.count = input_.scenario.load.requests;
    plan.traceparent = input_.scenario.load.traceparent;
    plan.trace_state = input_.scenario.load.trace_state;
    plan.journeys = input_.scenario.load.journeys;
    const plan::TagCipher cipher(tag_);
    plan::ProfileBinding binding;
    binding.fallback = profile_;
    const auto expansion = plan::expand(input_.scenario, binding);
    ASSERT_TRUE(expansion);
    Rng rng(7);
    for (uint64_t i = 0; i < plan.count; ++i) {
      LedgerEntry entry;
      entry.intent = plan::intent_at(plan, cipher, i);
      entry.scenario = input_.scenario.name;
      entry.journey = plan.journeys[0].name;
      entry.outcome = {i, 1000, 2000, 3000, OutcomeKind::kOk, 200};
      sim::SynthesisInput synthesis;
      synthesis.tree = &expansion->trees[0];
      synthesis.trace_id = entry.intent.trace_id;
      synthesis.root_parent = entry.intent.span_id;
      synthesis.trace_state = entry.intent.trace_state;
      synthesis.start_unix_nanos += i * 1'000'000'000;
      const auto spans = sim::synthesize(synthesis, arena_, rng);
      per_request_ = spans.size();
      spans_.insert(spans_.end(), spans.begin(), spans.end());
      input_.ledger.push_back(std::move(entry));
    }
  }

  JudgeResult run() {
    JudgeInput input;
    input.spans = &spans_;
    input.bodies = {1, 1, 0, 0};
    input.tag = tag_;
    input.profiles = &profiles_;
    input.environment = environment_;
    input.scenarios.push_back(input_);
    auto result = judge(input);
    EXPECT_TRUE(result) << result.error().what;
    return std::move(*result);
  }

  static std::vector<std::string> codes(const JudgeResult& result) {
    std::vector<std::string> out;
    for (const Finding& finding : result.scenarios[0].findings)
      out.push_back(finding.code + " " + subject_key(finding.subject));
    for (const Finding& finding : result.findings) out.push_back(finding.code + " " + subject_key(finding.subject));
    return out;
  }

  Span& span_of(size_t request, const std::string& service, const std::string& name, SpanKind kind) {
    for (size_t i = request * per_request_; i < (request + 1) * per_request_; ++i) {
      if (spans_[i].resource->service_name == service && spans_[i].name == name && spans_[i].kind == kind)
        return spans_[i];
    }
    ADD_FAILURE() << "no span " << service << " " << name;
    return spans_[0];
  }

  Arena arena_;
  std::vector<MeshProfile> profiles_;
  const MeshProfile* profile_ = nullptr;  // of profiles_: what the mesh runs
  ScenarioInput input_;
  RunTag tag_;
  std::vector<Span> spans_;
  size_t per_request_ = 0;
  Environment environment_;
};

TEST_F(JudgeTest, CleanRunIsCompleteAndSumsHold) {
  const JudgeResult result = run();
  EXPECT_EQ(per_request_, 12u);
  EXPECT_EQ(codes(result), std::vector<std::string>{});
  EXPECT_EQ(result.scenarios[0].verdict, Verdict::kPass);
  EXPECT_EQ(result.scenarios[0].requests_by_class[static_cast<size_t>(RequestClass::kComplete)], 5u);
  EXPECT_EQ(result.spans_by_class[static_cast<size_t>(SpanClass::kMatched)], 60u);
  for (const SumCheck& sum : result.sums) EXPECT_TRUE(sum.holds) << sum.text;
}

// In a standing mesh the run before may still have a span under way: its proxy counted it before our first mark.
TEST_F(JudgeTest, ALateSpanOfTheRunBeforeBreaksNoSum) {
  const Span gateway = spans_[0];
  ProxyFact proxy;
  const std::string node(gateway.attributes.text("node_id"));
  proxy.pod =
      node.substr(node.find("istio-ingressgateway-"), node.find('.', node.find("ingress")) - node.find("istio-"));
  proxy.ns = "istio-system";
  proxy.sent_before = 100;
  proxy.sent_after = 100 + 2 * input_.ledger.size();
  environment_.proxies = {proxy};
  const auto sum_of_proxy = [&] {
    for (const SumCheck& sum : run().sums) {
      if (sum.text.rfind("proxy ", 0) == 0) return sum;
    }
    ADD_FAILURE() << "no sum of a proxy";
    return SumCheck{};
  };
  EXPECT_TRUE(sum_of_proxy().holds) << sum_of_proxy().text;
  Span late = gateway;
  late.trace_id.bytes[0] ^= 0x5a;
  Attribute* attributes = arena_.array<Attribute>(late.attributes.size);
  std::copy(late.attributes.begin(), late.attributes.end(), attributes);
  for (uint32_t i = 0; i < late.attributes.size; ++i) {
    if (attributes[i].key == "http.url") attributes[i].value.text = "http://shop/?hop=89abcdef-7";
  }
  late.attributes = {attributes, late.attributes.size};
  spans_.push_back(late);
  EXPECT_TRUE(sum_of_proxy().holds) << sum_of_proxy().text;
  environment_.proxies[0].sent_after = *proxy.sent_after + 2;
  EXPECT_FALSE(sum_of_proxy().holds) << "more was sent than is stored";
  environment_.proxies[0].sent_after = *proxy.sent_after - 1;
  EXPECT_FALSE(sum_of_proxy().holds) << "a span of our own that no proxy sent";
}

TEST_F(JudgeTest, ArrivalOrderDoesNotMatter) {
  spans_.erase(spans_.begin() + 17);
  span_of(0, "checkout", "SELECT cart", SpanKind::kInternal).name = "SELECT basket";
  const JudgeResult first = run();
  Rng rng(3);
  for (int round = 0; round < 5; ++round) {
    for (size_t i = spans_.size(); i > 1; --i) std::swap(spans_[i - 1], spans_[rng.below(i)]);
    const JudgeResult again = run();
    EXPECT_EQ(codes(again), codes(first));
    ASSERT_EQ(again.scenarios[0].findings.size(), first.scenarios[0].findings.size());
    for (size_t i = 0; i < first.scenarios[0].findings.size(); ++i) {
      EXPECT_EQ(again.scenarios[0].findings[i].witnesses, first.scenarios[0].findings[i].witnesses);
    }
  }
}

TEST_F(JudgeTest, DroppedTraceparentIsOneFindingOfTheServiceThatDropsIt) {
  Rng rng(11);
  for (size_t request = 0; request < 5; ++request) {
    TraceId fresh;
    fresh.bytes.fill(static_cast<uint8_t>(0x40 + request));
    Span& client =
        span_of(request, "checkout.hop-checkout", "payments.hop-checkout.svc.cluster.local:8080/*", SpanKind::kClient);
    client.parent_id = {};
    for (Span* span : {&client,
                       &span_of(request, "payments.hop-checkout", "payments.hop-checkout.svc.cluster.local:8080/*",
                                SpanKind::kServer),
                       &span_of(request, "payments", "POST /charge", SpanKind::kServer),
                       &span_of(request, "payments", "INSERT txn", SpanKind::kInternal)}) {
      span->trace_id = fresh;
      span->trace_state = {};
    }
    // Attribution beside the trace id: the hop tag in http.url.
    const std::string url = "http://payments:8080/charge?hop=01234567-" + std::to_string(request);
    for (uint32_t i = 0; i < client.attributes.size; ++i) {
      if (client.attributes.data[i].key == "http.url")
        const_cast<Attribute&>(client.attributes.data[i]).value.text = arena_.copy(url);
    }
  }
  const JudgeResult result = run();
  EXPECT_EQ(codes(result), std::vector<std::string>{"HOP0601 service=checkout header=traceparent"});
  EXPECT_EQ(result.scenarios[0].findings[0].count, 5u);
  EXPECT_GE(result.scenarios[0].findings[0].witnesses.size(), 2u);
  EXPECT_EQ(result.scenarios[0].verdict, Verdict::kFail);
}

// Removing, re-parenting or renaming any one app span gives exactly one finding.
TEST_F(JudgeTest, EachAppSpanDefectIsExactlyOneFinding) {
  const std::vector<Span> clean = spans_;
  for (size_t i = 0; i < per_request_; ++i) {
    if (is_mesh_span(clean[i])) continue;
    SCOPED_TRACE(std::string(clean[i].resource->service_name) + " " + std::string(clean[i].name));
    spans_ = clean;
    spans_.erase(spans_.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_EQ(codes(run()).size(), 1u) << "removed";
    spans_ = clean;
    spans_[i].name = "renamed";
    EXPECT_EQ(codes(run()).size(), 1u) << "renamed";
    spans_ = clean;
    spans_[i].parent_id = clean[0].span_id == clean[i].parent_id ? clean[1].span_id : clean[0].span_id;
    EXPECT_EQ(codes(run()).size(), 1u) << "re-parented";
    spans_ = clean;
    spans_[i].parent_id.bytes.fill(0x77);
    EXPECT_EQ(codes(run()).size(), 1u) << "orphaned";
  }
}

TEST_F(JudgeTest, ZeroedParentOfAnyMeshSpanIsExactlyOneFinding) {
  const std::vector<Span> clean = spans_;
  for (size_t i = 1; i < per_request_; ++i) {
    SCOPED_TRACE(std::string(clean[i].name));
    spans_ = clean;
    spans_[i].parent_id = {};
    const auto found = codes(run());
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].substr(0, 7), "HOP0203");
  }
}

TEST_F(JudgeTest, EveryMutationIsReported) {
  const std::vector<Span> clean(spans_.begin(), spans_.begin() + static_cast<std::ptrdiff_t>(per_request_));
  const std::vector<Span> rest(spans_.begin() + static_cast<std::ptrdiff_t>(per_request_), spans_.end());
  for (int m = 0; m < static_cast<int>(sim::Mutation::kCount); ++m) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
      Rng rng(seed);
      std::vector<Span> mutated = clean;
      sim::mutate(static_cast<sim::Mutation>(m), mutated, arena_, rng);
      spans_ = rest;
      spans_.insert(spans_.end(), mutated.begin(), mutated.end());
      EXPECT_FALSE(codes(run()).empty()) << sim::to_string(static_cast<sim::Mutation>(m)) << " seed " << seed;
    }
  }
}

TEST_F(JudgeTest, LostRequestsNameTheTelemetryObject) {
  spans_.erase(spans_.begin() + static_cast<std::ptrdiff_t>(per_request_), spans_.end());
  environment_.control = {true, true, true, true};
  EXPECT_EQ(codes(run()), std::vector<std::string>{"HOP0101 "});
  environment_.telemetry.push_back({"istio-system", "mesh-default", "otel-tracing", std::nullopt, 0});
  const JudgeResult result = run();
  EXPECT_EQ(codes(result), std::vector<std::string>{"HOP0104 object=Telemetry istio-system/mesh-default"});
  EXPECT_NE(result.scenarios[0].findings[0].actual.find("1 %"), std::string::npos);
}

TEST_F(JudgeTest, AbsenceWithoutPositiveControlIsUnknown) {
  spans_.clear();
  environment_.control = {true, true, true, false};
  const JudgeResult result = run();
  EXPECT_EQ(codes(result), std::vector<std::string>{"HOP0107 object=Collector -> backend"});
  EXPECT_EQ(result.scenarios[0].verdict, Verdict::kUnknown);
  ASSERT_EQ(result.scenarios[0].findings[0].consequences.size(), 1u);
  EXPECT_EQ(result.scenarios[0].findings[0].consequences[0].code, "HOP0101");
}

TEST_F(JudgeTest, LateEndsCountOnlyWhenTheyAreMany) {
  const auto end_late = [&](size_t request, uint64_t nanos) {
    Span& span = span_of(request, "frontend.hop-checkout", "checkout.hop-checkout.svc.cluster.local:8080/*",
                         SpanKind::kClient);
    span.end_unix_nanos += nanos;
  };
  const uint64_t request_nanos = span_of(0, "frontend", "POST /checkout", SpanKind::kServer).end_unix_nanos -
                                 span_of(0, "frontend", "POST /checkout", SpanKind::kServer).start_unix_nanos;
  end_late(0, request_nanos + 8'000'000);
  const JudgeResult one = run();
  EXPECT_EQ(codes(one), std::vector<std::string>{});
  EXPECT_EQ(one.scenarios[0].requests_by_class[static_cast<size_t>(RequestClass::kComplete)], 5u);
  EXPECT_EQ(one.scenarios[0].notes.size(), 1u);
  end_late(1, request_nanos + 8'000'000);
  const JudgeResult two = run();
  EXPECT_EQ(codes(two), std::vector<std::string>{"HOP0706 hop=frontend->checkout"});
  EXPECT_EQ(two.scenarios[0].verdict, Verdict::kUnknown);
  end_late(2, request_nanos + 60'000'000);
  EXPECT_EQ(run().scenarios[0].verdict, Verdict::kFail) << "beyond the overhang it is HOP0702";
}

TEST_F(JudgeTest, RunThatWasNotDrainedProvesNoAbsence) {
  spans_.resize(spans_.size() - 3);
  environment_.provider = "kind";
  environment_.drain.ended_by = "complete";
  EXPECT_EQ(run().scenarios[0].verdict, Verdict::kFail);
  environment_.drain.ended_by = "";
  EXPECT_EQ(run().scenarios[0].verdict, Verdict::kUnknown);
  environment_.drain.ended_by = "deadline";
  environment_.control = {true, true, true, false};
  EXPECT_EQ(run().scenarios[0].verdict, Verdict::kUnknown) << "the last positive control did not arrive";
}

TEST_F(JudgeTest, CrashIsNamedAndPutsAbsenceInDoubt) {
  spans_.resize(spans_.size() - 3);
  environment_.crashes = {"envoy payments-1 ended by itself: signal 11: boom (log: /x)"};
  const JudgeResult result = run();
  EXPECT_EQ(result.scenarios[0].verdict, Verdict::kUnknown);
  ASSERT_EQ(result.findings.size(), 1u);
  EXPECT_EQ(result.findings[0].code, "HOP0805");
  EXPECT_EQ(result.findings[0].subject.object, "envoy payments-1");
  EXPECT_EQ(result.findings[0].actual, environment_.crashes[0]);
}

TEST_F(JudgeTest, DamagedCaptureIsNeverAVerdict) {
  spans_.resize(spans_.size() - 5);
  environment_.capture_complete = false;
  environment_.capture_problem = "torn tail";
  const JudgeResult result = run();
  EXPECT_EQ(result.scenarios[0].verdict, Verdict::kUnknown);
}

TEST_F(JudgeTest, ExportsThroughTheSidecarAreExplainedOnlyWhereDeclared) {
  Span own = span_of(0, "checkout.hop-checkout", "payments.hop-checkout.svc.cluster.local:8080/*", SpanKind::kClient);
  own.trace_id.bytes[0] ^= 0x5a;
  own.span_id.bytes[0] ^= 0x5a;
  own.parent_id = {};
  own.name = "opentelemetry-collector.observability.svc.cluster.local:4318/*";
  // The proxy's own attributes stay; the cluster is the Collector's, and the request id one of its own.
  std::vector<Attribute> attributes(own.attributes.begin(), own.attributes.end());
  for (Attribute& attribute : attributes) {
    if (attribute.key == "upstream_cluster" || attribute.key == "upstream_cluster.name")
      attribute.value.text = "outbound|4318||opentelemetry-collector.observability.svc.cluster.local";
    if (attribute.key == "guid:x-request-id") attribute.value.text = "5a5a5a5a-0000-4000-8000-000000000000";
  }
  own.attributes = {attributes.data(), static_cast<uint32_t>(attributes.size())};
  spans_.push_back(own);
  EXPECT_EQ(codes(run()), std::vector<std::string>{"HOP0806 service=checkout.hop-checkout"});
  input_.scenario.environment.app_export_through_sidecar = true;
  const JudgeResult declared = run();
  EXPECT_EQ(codes(declared), std::vector<std::string>{});
  EXPECT_EQ(declared.scenarios[0].spans_by_class[static_cast<size_t>(SpanClass::kDetached)], 1u);
}

TEST_F(JudgeTest, DuplicatesAreCountedConflictsFail) {
  Span copy = spans_[3];
  spans_.push_back(copy);
  EXPECT_EQ(codes(run()), std::vector<std::string>{});
  EXPECT_EQ(run().spans_by_class[static_cast<size_t>(SpanClass::kDuplicate)], 1u);
  spans_.back().name = "other";
  EXPECT_EQ(codes(run()).size(), 1u);
  EXPECT_EQ(codes(run())[0].substr(0, 7), "HOP0802");
}

TEST_F(JudgeTest, MoreSentThanStoredIsLossInTheNamedSegment) {
  ProxyFact proxy;
  proxy.service = "checkout";
  proxy.pod = "checkout-6d5f7c9b8-qx2lm";
  proxy.ns = "hop-checkout";
  proxy.sent_before = 0;
  proxy.sent_after = 12;  // ten are stored
  environment_.proxies.push_back(proxy);
  environment_.collector_fact.received_before = 0;
  environment_.collector_fact.received_after = 100;
  const auto found = codes(run());
  EXPECT_EQ(found, std::vector<std::string>{"HOP0801 object=Collector -> backend"});
  environment_.collector_fact.received_after = 20;  // fewer than the 25 app spans that are stored, and these 12
  EXPECT_EQ(codes(run()), std::vector<std::string>{"HOP0801 service=checkout object=proxy -> Collector"});
}

TEST(Catalogue, CodesAscendAndHaveTheirForm) {
  const auto& rules = catalogue();
  for (size_t i = 0; i < rules.size(); ++i) {
    const std::string code = rules[i].code;
    EXPECT_EQ(code.size(), 7u);
    EXPECT_STRNE(family_title(code), "");
    if (i == 0) continue;
    EXPECT_LT(std::string(rules[i - 1].code), code);
  }
}

}  // namespace
}  // namespace hopcheck::check
