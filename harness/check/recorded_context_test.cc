// Sections 3, 6 and 10 of the conformance rows on recorded meshes: sampling, names, propagation, and their breaches.
#include <set>

#include "check/recorded_test.h"
#include "plan/naming.h"

namespace hopcheck::check {
namespace {

const std::string kPrefix = "1.30-1.38-grpc-app-gateway-";
const std::string kPlain = kPrefix + "plain";
const std::string kSdk = kPrefix + "sdk-plain";
const std::string kForwardsNone = kPrefix + "checkout-forwards-none";
const std::string kForwardsXrid = kPrefix + "checkout-forwards-xrid";

using Found = std::vector<std::string>;

class ContextRows : public RecordedTest {
 protected:
  static bool at_payments(const Span& span) { return workload_of(span) == "payments-dep"; }
  static bool checkout_out(const Span& span) {
    return workload_of(span) == "checkout-dep" && span.kind == SpanKind::kClient;
  }
  static bool frontend_out(const Span& span) {
    return workload_of(span) == "frontend-dep" && span.kind == SpanKind::kClient;
  }
  static bool from_frontend_out(const Span& span) {
    return frontend_out(span) || workload_of(span) == "checkout-dep" || at_payments(span);
  }
  static bool by_gateway(const Span& span) {
    return span.resource->service_name == "istio-ingressgateway.istio-system";
  }
  uint64_t requests(RequestClass which) {
    return judged().scenarios.at(0).requests_by_class[static_cast<size_t>(which)];
  }
  // What the piece of each trace from the given span on looks like when the service before it forwards no traceparent.
  void split_at(const Which& top, const Which& piece, uint8_t mark) {
    for (Span& span : spans_) {
      if (!piece(span)) continue;
      if (top(span)) span.parent_id = {};
      span.trace_id.bytes[0] = mark;
      span.trace_state = {};
    }
  }
  void new_request_id(const Which& piece, char mark) {
    for (Span& span : spans_) {
      if (!piece(span)) continue;
      std::string id(span.attributes.text("guid:x-request-id"));
      id[0] = mark;
      id[1] = mark;
      set(span, "guid:x-request-id", id);
    }
  }
};

// --- 10 Propagation

TEST_F(ContextRows, ForwardedContextLeavesOneTraceWithItsStateAndRequestId) {
  proof::claim({"M-80", "M-81", "M-82"}, Polarity::kPositive, ProofKind::kCapture, kIstio130);
  open(kPrefix + "traceparent01");
  know_what_was_sent();
  EXPECT_TRUE(passes());
  const auto by_trace = traces();
  EXPECT_EQ(by_trace.size(), 20u);
  std::set<std::string_view> states;
  for (const auto& [trace, spans] : by_trace) {
    EXPECT_EQ(spans.size(), 7u);
    std::set<std::string_view> here, ids;
    for (const Span* span : spans) {
      here.insert(span->trace_state);
      if (span->attributes.find("node_id") != nullptr) ids.insert(span->attributes.text("guid:x-request-id"));
    }
    EXPECT_EQ(here.size(), 1u);
    EXPECT_EQ(ids.size(), 1u);
    EXPECT_EQ(ids.begin()->size(), 36u);
    states.insert(*here.begin());
  }
  EXPECT_EQ(states.size(), 20u) << "each request had a tracestate of its own";
}

TEST_F(ContextRows, ADroppedTraceparentSplitsTheTraceAtTheNamedService) {
  proof::claim({"M-80", "M-83", "M-86"}, Polarity::kNegative, ProofKind::kCapture, kIstio130);
  open(kForwardsNone);
  const JudgeResult result = judged();
  EXPECT_EQ(codes(result), Found{"HOP0601 service=checkout header=traceparent"});
  EXPECT_EQ(result.scenarios[0].findings[0].count, 20u) << "one finding for twenty traces";
  std::map<size_t, int> sizes;
  for (const auto& [trace, spans] : traces()) ++sizes[spans.size()];
  EXPECT_EQ(sizes, (std::map<size_t, int>{{2, 20}, {5, 20}}));
}

TEST_F(ContextRows, WhereNothingIsDroppedNobodyIsAccused) {
  proof::claim({"M-83", "M-84", "M-85"}, Polarity::kPositive, ProofKind::kCapture, kIstio130);
  open(kPrefix + "traceparent01");
  know_what_was_sent();
  EXPECT_EQ(findings(), Found{});
}

TEST_F(ContextRows, ADroppedTracestateAloneIsNamedAndTheTraceStaysWhole) {
  proof::claim({"M-81", "M-84"}, Polarity::kNegative, ProofKind::kCapture, kIstio130);
  open(kPrefix + "traceparent01");
  know_what_was_sent();
  for (Span& span : spans_) {
    if (checkout_out(span) || at_payments(span)) span.trace_state = {};
  }
  EXPECT_EQ(findings(), Found{"HOP0602 service=checkout header=tracestate"});
  EXPECT_EQ(traces().size(), 20u);
}

TEST_F(ContextRows, ADroppedRequestIdAloneIsNamedAndTheTraceStaysWhole) {
  proof::claim({"M-82", "M-85"}, Polarity::kNegative, ProofKind::kCapture, kIstio130);
  open(kPlain);
  new_request_id([](const Span& span) { return checkout_out(span) || at_payments(span); }, 'e');
  EXPECT_EQ(findings(), Found{"HOP0603 service=checkout header=x-request-id"});
  EXPECT_EQ(traces().size(), 21u);
}

TEST_F(ContextRows, AnSdkPropagatesByItselfAndForwardedHeadersDoWithoutOne) {
  proof::claim({"M-86"}, Polarity::kPositive, ProofKind::kCapture, kIstio130);
  open(kSdk);  // Flask under an SDK, with no code for it
  EXPECT_TRUE(passes());
  EXPECT_EQ(traces().size(), 30u);
  open(kPlain);  // no SDK; the app forwards the headers
  EXPECT_TRUE(passes());
  EXPECT_EQ(traces().size(), 21u);
}

TEST_F(ContextRows, PiecesThatShareARequestIdStayPieces) {
  proof::claim({"M-87"}, Polarity::kNegative, ProofKind::kCapture, kIstio130);
  open(kForwardsXrid);
  std::map<std::string_view, std::set<TraceId>> traces_of_id;
  for (const Span& span : spans_) {
    if (span.attributes.find("node_id") != nullptr)
      traces_of_id[span.attributes.text("guid:x-request-id")].insert(span.trace_id);
  }
  for (const auto& [id, own] : traces_of_id) EXPECT_EQ(own.size(), 2u) << "one id joins both pieces of a request";
  EXPECT_EQ(findings(), Found{"HOP0601 service=checkout header=traceparent"});
  EXPECT_EQ(requests(RequestClass::kComplete), 0u);
}

TEST_F(ContextRows, TheSamePiecesJoinedByTheirIdsAreWhole) {
  proof::claim({"M-87"}, Polarity::kPositive, ProofKind::kCapture, kIstio130);
  open(kForwardsXrid);
  std::map<std::string_view, const Span*> server_of_id;  // checkout's, by request id
  for (const Span& span : spans_) {
    if (workload_of(span) == "checkout-dep" && span.kind == SpanKind::kServer)
      server_of_id[span.attributes.text("guid:x-request-id")] = &span;
  }
  for (Span& span : spans_) {
    if (!checkout_out(span) && !at_payments(span)) continue;
    const Span* server = server_of_id.at(span.attributes.text("guid:x-request-id"));
    span.trace_id = server->trace_id;
    span.trace_state = server->trace_state;
    if (checkout_out(span)) span.parent_id = server->span_id;
  }
  EXPECT_TRUE(passes());
  EXPECT_EQ(requests(RequestClass::kComplete), 20u);
}

TEST_F(ContextRows, WithPropagationNoHopStandsAlone) {
  proof::claim({"M-88"}, Polarity::kPositive, ProofKind::kCapture, kIstio130);
  open(kPlain);
  EXPECT_TRUE(passes());
  for (const auto& [trace, spans] : traces()) EXPECT_EQ(spans.size(), 7u);
}

TEST_F(ContextRows, WithoutAnyPropagationEachHopIsATraceOfTwoAndEachServiceIsNamed) {
  proof::claim({"M-88"}, Polarity::kNegative, ProofKind::kSimulated, kIstio130);
  open(kPlain);
  split_at(frontend_out, from_frontend_out, 0xf1);
  split_at(checkout_out, [](const Span& span) { return checkout_out(span) || at_payments(span); }, 0xf2);
  std::map<size_t, int> sizes;
  for (const auto& [trace, spans] : traces()) ++sizes[spans.size()];
  EXPECT_EQ(sizes, (std::map<size_t, int>{{2, 42}, {3, 21}})) << "the first one with the gateway's spans";
  const auto found = findings();
  EXPECT_EQ(std::set<std::string>(found.begin(), found.end()),
            (std::set<std::string>{"HOP0601 service=checkout header=traceparent",
                                   "HOP0601 service=frontend header=traceparent"}));
}

TEST_F(ContextRows, OneRequestIdIsOneDecision) {
  proof::claim({"M-89"}, Polarity::kPositive, ProofKind::kCapture, kIstio130);
  open(kPrefix + "sampling50-plain");
  EXPECT_TRUE(passes());
  size_t whole = 0;
  for (const auto& [trace, spans] : traces()) {
    std::set<std::string_view> ids;
    for (const Span* span : spans) {
      if (span->attributes.find("node_id") != nullptr) ids.insert(span->attributes.text("guid:x-request-id"));
    }
    EXPECT_EQ(ids.size(), 1u);
    whole += spans.size() == 7 ? 1 : 0;
  }
  EXPECT_EQ(whole, 101u);  // and the first, of which connections of before the change kept three spans
}

TEST_F(ContextRows, ANewRequestIdAtEachHopCutsTraces) {
  proof::claim({"M-89"}, Polarity::kNegative, ProofKind::kCapture, kIstio131);
  open("1.31-1.39-grpc-app-gateway-sampling50-apps-forward-tp");
  std::map<size_t, int> sizes;
  for (const auto& [trace, spans] : traces()) {
    ++sizes[spans.size()];
    std::set<std::string_view> ids;
    for (const Span* span : spans) {
      if (span->attributes.find("node_id") != nullptr) ids.insert(span->attributes.text("guid:x-request-id"));
    }
    EXPECT_EQ(ids.size(), spans.size() == 7 ? 3u : spans.size() == 5 ? 2u : 1u);
  }
  EXPECT_EQ(sizes, (std::map<size_t, int>{{3, 15}, {5, 7}, {7, 10}}));
  EXPECT_FALSE(passes());
}

// --- 6 Service naming

class NamingRows : public ContextRows {
 protected:
  static std::string capture(const std::string& mode) { return "1.30-1.38-grpc-" + mode + "-naming"; }
  std::map<std::string, std::string> names() const {  // by workload and namespace
    std::map<std::string, std::string> out;
    for (const Span& span : spans_) {
      if (span.attributes.text("node_id").empty()) continue;
      const std::string_view pod = proxy_key(span);
      out[std::string(workload_of(span)) + "." + std::string(pod.substr(pod.rfind('.') + 1))] =
          std::string(span.resource->service_name);
    }
    return out;
  }
  const MeshProfile& profile(const std::string& name) const {
    const auto found = std::find_if(profiles_.begin(), profiles_.end(),
                                    [&](const MeshProfile& profile) { return profile.name == name; });
    EXPECT_NE(found, profiles_.end());
    return *found;
  }
};

TEST_F(NamingRows, MeshNamesAreWorkloadAndNamespaceBesideTheAppsOwn) {
  proof::claim({"O-40", "O-41"}, Polarity::kPositive, ProofKind::kCapture, kIstio130);
  open(kSdk);
  EXPECT_TRUE(passes());
  std::set<std::string_view> mesh, app;
  for (const Span& span : spans_) {
    (by_envoy(span) ? mesh : app).insert(span.resource->service_name);
    if (span.attributes.text("node_id").rfind("sidecar~", 0) == 0) {
      EXPECT_EQ(span.resource->service_name, std::string(workload_of(span)) + ".shop");
    }
  }
  EXPECT_EQ(mesh, (std::set<std::string_view>{"checkout.shop", "frontend.shop", "istio-ingressgateway.istio-system",
                                              "payments.shop"}));
  EXPECT_EQ(app, (std::set<std::string_view>{"checkout", "frontend", "payments"}));
}

TEST_F(NamingRows, AMeshSpanUnderAnotherNameOrTheAppsIsFound) {
  proof::claim({"O-40", "O-41"}, Polarity::kNegative, ProofKind::kCapture, kIstio130);
  for (const char* name : {"payments.default", "payments"}) {
    open(kSdk);
    for (Span& span : spans_) {
      if (workload_of(span) == "payments") set_resource(span, "service.name", name);
    }
    EXPECT_EQ(findings(), Found{"HOP0401 service=payments"}) << name;
  }
}

TEST_F(NamingRows, EachModeGivesItsPredictedName) {
  proof::claim({"M-50", "M-51", "M-52", "D-09"}, Polarity::kPositive, ProofKind::kCapture, kIstio130);
  std::set<std::string> of_frontend;
  for (const auto& [mode, name] : {std::pair("app", "frontend-app.shop"), std::pair("canonns", "frontend-canon.shop"),
                                   std::pair("canononly", "frontend-canon")}) {
    open(capture(mode));
    EXPECT_TRUE(passes()) << mode;
    EXPECT_EQ(names().at("frontend-dep.shop"), name);
    of_frontend.insert(name);
  }
  EXPECT_EQ(of_frontend.size(), 3u) << "three modes, three names";
}

TEST_F(NamingRows, TheNamesOfAnotherModeAreFoundForEveryService) {
  proof::claim({"M-50", "M-51", "M-52", "D-09"}, Polarity::kNegative, ProofKind::kCapture, kIstio130);
  for (const char* claimed : {"app", "canonns", "canononly"}) {
    for (const char* had : {"app", "canonns", "canononly"}) {
      if (claimed == std::string(had)) continue;
      open(capture(had), capture(claimed));
      const auto found = findings();
      for (const char* service : {"frontend", "checkout", "payments"}) {
        EXPECT_NE(std::find(found.begin(), found.end(), std::string("HOP0401 service=") + service), found.end())
            << claimed << " " << had;
      }
      for (const std::string& one : found) EXPECT_EQ(one.substr(0, 7), "HOP0401") << one;
    }
  }
}

// Workloads of namespace "names", each with another set of labels, against the chains of the profiles.
TEST_F(NamingRows, PodsWithoutAnAppLabelAreNamedByTheVersionsChain) {
  proof::claim({"D-10"}, Polarity::kPositive, ProofKind::kCapture, kIstio130);
  proof::claim({"D-10"}, Polarity::kNegative, ProofKind::kCapture, kIstio130);
  open(capture("app"));
  const auto seen = names();
  const auto predicted = [&](const std::string& name, const std::map<std::string, std::string>& labels,
                             const std::string& workload) {
    Service service;
    service.ns = "names";
    service.labels = labels;
    service.workloads = {{workload, "", {}}};
    return plan::proxy_service_name(profile(name).naming.at(NamingMode::kAppLabelAndNamespace), service,
                                    service.workloads[0]);
  };
  const std::map<std::string, std::string> canon = {{"service.istio.io/canonical-name", "onlycanon-canon"}};
  const std::map<std::string, std::string> k8s = {{"app.kubernetes.io/name", "onlyk8s-k8s"}};
  EXPECT_EQ(seen.at("onlycanon-dep.names"), predicted("istio-1.30", canon, "onlycanon-dep"));
  EXPECT_EQ(seen.at("onlyk8s-dep.names"), predicted("istio-1.30", k8s, "onlyk8s-dep"));
  EXPECT_EQ(seen.at("bare-dep.names"), predicted("istio-1.30", {}, "bare-dep"));
  EXPECT_NE(seen.at("onlycanon-dep.names"), predicted("istio-1.29", canon, "onlycanon-dep"));
  EXPECT_NE(seen.at("onlyk8s-dep.names"), predicted("istio-1.29", k8s, "onlyk8s-dep"));
}

// --- 3 Sampling

class SamplingRows : public ContextRows {};

TEST_F(SamplingRows, EveryHopOfEveryHeaderlessRequestIsThereAtHundredPercent) {
  proof::claim({"O-20", "O-21", "M-22"}, Polarity::kPositive, ProofKind::kCapture, kIstio130);
  open(kPlain);
  ASSERT_EQ(scenario_.load.traceparent, TraceparentMode::kNone);
  EXPECT_TRUE(passes());
  EXPECT_EQ(requests(RequestClass::kComplete), 21u);
  EXPECT_EQ(count(by_gateway), 42u) << "the gateway's are among them";
}

TEST_F(SamplingRows, AMissingRequestAndAMissingHopAreFound) {
  proof::claim({"O-21"}, Polarity::kNegative, ProofKind::kCapture, kIstio130);
  open(kPlain);
  const TraceId first = spans_.front().trace_id;
  remove([&](const Span& span) { return span.trace_id == first; });
  EXPECT_EQ(findings(), Found{"HOP0108 "});
  restore();
  remove([&](const Span& span) { return span.trace_id == first && at_payments(span); });
  EXPECT_TRUE(only(findings(), "HOP0301", "payments"));
}

TEST_F(SamplingRows, AMeshWithoutItsGatewaysIsNotWhole) {
  proof::claim({"O-20"}, Polarity::kNegative, ProofKind::kCapture, kIstio130);
  open(kPlain);
  remove(by_gateway);
  EXPECT_FALSE(passes());
}

TEST_F(SamplingRows, SpansAtZeroPercentAreFound) {
  proof::claim({"M-22"}, Polarity::kNegative, ProofKind::kCapture, kIstio130);
  open(kPlain);
  scenario_.environment.sampling = 0;
  EXPECT_FALSE(passes());
}

TEST_F(SamplingRows, SampledSharesFitTheirIntervalsAndNoTraceIsHalfThere) {
  proof::claim({"M-23"}, Polarity::kPositive, ProofKind::kCapture, kIstio130);
  for (const char* name : {"sampling1-plain", "sampling50-plain"}) {
    open(kPrefix + name);
    EXPECT_TRUE(passes()) << name;
  }
}

TEST_F(SamplingRows, AnotherShareAndHalfTracesAreFound) {
  proof::claim({"M-23"}, Polarity::kNegative, ProofKind::kCapture, kIstio130);
  open(kPrefix + "sampling50-plain");
  for (const double claimed : {1.0, 10.0}) {
    scenario_.environment.sampling = claimed;
    EXPECT_EQ(findings(), Found{"HOP0106 "}) << claimed;
  }
  scenario_.environment.sampling = 50;
  std::set<TraceId> cut;
  for (const auto& [trace, spans] : traces()) {
    if (spans.size() == 7 && cut.size() < 10) cut.insert(trace);
  }
  remove([&](const Span& span) { return cut.contains(span.trace_id) && (checkout_out(span) || at_payments(span)); });
  const auto found = findings();
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found[0].substr(0, 5), "HOP03");
}

TEST_F(SamplingRows, AChangeThatTookNoEffectIsFound) {
  proof::claim({"M-24"}, Polarity::kNegative, ProofKind::kCapture, kIstio130);
  open(kPlain);  // all of 21 are there
  scenario_.environment.sampling = 50;
  EXPECT_EQ(findings(), Found{"HOP0106 "});
}

// What a tail sampler does: whole traces, here every second one.
TEST_F(SamplingRows, WholeTracesMayBeKeptOrDropped) {
  proof::claim({"O-23"}, Polarity::kPositive, ProofKind::kSimulated, kIstio130);
  open(kSdk);
  scenario_.environment.sampling = 50;
  std::set<TraceId> dropped;
  for (const auto& [trace, spans] : traces()) {
    if (dropped.size() < 15) dropped.insert(trace);
  }
  remove([&](const Span& span) { return dropped.contains(span.trace_id); });
  EXPECT_EQ(findings(), Found{});
}

TEST_F(SamplingRows, AppSpansThatLostTheirMeshSpansAreFound) {
  proof::claim({"O-23"}, Polarity::kNegative, ProofKind::kSimulated, kIstio130);
  open(kSdk);
  const TraceId cut = spans_.front().trace_id;
  remove([&](const Span& span) { return span.trace_id == cut && by_envoy(span); });
  EXPECT_FALSE(passes());
}

TEST_F(SamplingRows, ASampledParentIsReportedAtZeroPercent) {
  proof::claim({"D-05"}, Polarity::kPositive, ProofKind::kCapture, kIstio130);
  open(kPrefix + "sampling0-traceparent01");
  ASSERT_EQ(scenario_.environment.sampling, 0.0);
  EXPECT_TRUE(passes());
  EXPECT_EQ(requests(RequestClass::kComplete), 20u);
}

TEST_F(SamplingRows, SpansOfAnUnsampledParentAreFound) {
  proof::claim({"D-05"}, Polarity::kNegative, ProofKind::kCapture, kIstio130);
  open(kPrefix + "sampling0-traceparent01");
  scenario_.environment.sampling = 100;
  scenario_.load.traceparent = TraceparentMode::kUnsampled;
  EXPECT_FALSE(passes());
}

}  // namespace
}  // namespace hopcheck::check
