// Section 7 of the conformance rows on recorded meshes: what a mesh span carries, and that its loss is noticed.
#include <set>

#include "check/recorded_test.h"

namespace hopcheck::check {
namespace {

const std::string kPlain = "1.30-1.38-grpc-app-gateway-plain";
const std::string kStatus = "1.30-1.38-grpc-app-gateway-status";
const std::string kStatus131 = "1.31-1.39-grpc-app-gateway-status";
const std::string kStrict = "1.30-1.38-grpc-app-gateway-strict-rbac";
const std::string kRetry = "1.30-1.38-grpc-app-gateway-retry-sidecar";
const std::string kSdk = "1.30-1.38-grpc-app-gateway-sdk-plain";

class IdentityRows : public RecordedTest {
 protected:
  static bool at_payments(const Span& span) { return workload_of(span) == "payments-dep"; }
  static bool at_checkout_out(const Span& span) {
    return workload_of(span) == "checkout-dep" && span.kind == SpanKind::kClient;
  }
  static bool at_gateway(const Span& span) { return workload_of(span) == "istio-ingressgateway"; }
  void take_from_payments(std::string_view key) {
    for (Span& span : spans_) {
      if (at_payments(span)) unset(span, key);
    }
  }
};

TEST_F(IdentityRows, EveryMeshSpanCarriesScopeComponentAndIstioTags) {
  proof::claim({"O-50", "O-51", "O-52"}, Polarity::kPositive, ProofKind::kCapture, kIstio130);
  proof::claim({"O-50", "O-51", "O-52"}, Polarity::kPositive, ProofKind::kCapture, kIstio131);
  for (const std::string& name : {kPlain, kStatus, kStatus131, kSdk}) {
    SCOPED_TRACE(name);
    open(name);
    EXPECT_TRUE(passes());
    size_t mesh = 0;
    for (const Span& span : spans_) {
      if (!by_envoy(span)) continue;
      ++mesh;
      EXPECT_EQ(span.scope->name, "envoy");
      EXPECT_EQ(span.attributes.text("component"), "proxy");
      EXPECT_NE(span.attributes.text("istio.canonical_service"), "");
      EXPECT_EQ(span.attributes.text("istio.mesh_id"), "cluster.local");
    }
    EXPECT_GE(mesh, 7u * 3);
  }
}

TEST_F(IdentityRows, AnotherScopeNameIsFound) {
  proof::claim({"O-50"}, Polarity::kNegative, ProofKind::kCapture, kIstio130);
  open(kPlain);
  Scope other = *one(at_payments).scope;
  other.name = "mesh";
  for (Span& span : spans_) {
    if (at_payments(span)) set_scope(span, other);
  }
  EXPECT_EQ(findings(), std::vector<std::string>{"HOP0502 service=payments"});
}

TEST_F(IdentityRows, AMissingComponentIsFound) {
  proof::claim({"O-51"}, Polarity::kNegative, ProofKind::kCapture, kIstio130);
  open(kPlain);
  take_from_payments("component");
  EXPECT_EQ(findings(), std::vector<std::string>{"HOP0504 service=payments object=component"});
}

TEST_F(IdentityRows, MissingIstioTagsAreFound) {
  proof::claim({"O-52"}, Polarity::kNegative, ProofKind::kCapture, kIstio130);
  open(kPlain);
  for (const char* key : {"istio.canonical_service", "istio.mesh_id"}) {
    restore();
    take_from_payments(key);
    EXPECT_EQ(findings(), std::vector<std::string>{std::string("HOP0504 service=payments object=") + key});
  }
}

TEST_F(IdentityRows, CodeFlagsAndLatencyAreThereForGoodAndFailedRequests) {
  proof::claim({"O-53"}, Polarity::kPositive, ProofKind::kCapture, kIstio130);
  proof::claim({"O-53"}, Polarity::kPositive, ProofKind::kCapture, kIstio131);
  for (const std::string& name : {kStatus, kStatus131}) {
    SCOPED_TRACE(name);
    open(name);
    EXPECT_TRUE(passes());
    std::set<std::string_view> codes_seen;
    for (const Span& span : spans_) {
      codes_seen.insert(span.attributes.text("http.status_code"));
      EXPECT_NE(span.attributes.text("response_flags"), "");
      EXPECT_GT(span.end_unix_nanos, span.start_unix_nanos);
    }
    EXPECT_EQ(codes_seen, (std::set<std::string_view>{"200", "404", "500", "503"}));
  }
}

TEST_F(IdentityRows, AMissingCodeOrFlagIsFoundOnAFailedRequestToo) {
  proof::claim({"O-53"}, Polarity::kNegative, ProofKind::kCapture, kIstio130);
  open(kStatus);
  for (const char* code : {"200", "500"}) {
    for (const char* key : {"http.status_code", "response_flags"}) {
      SCOPED_TRACE(std::string(code) + " " + key);
      restore();
      unset(one([&](const Span& s) { return at_payments(s) && s.attributes.text("http.status_code") == code; }), key);
      const auto found = findings();
      ASSERT_EQ(found.size(), 1u);
      EXPECT_EQ(found[0], std::string("HOP0504 service=payments object=") + key);
    }
  }
  restore();
  Span& backwards = one(at_payments);
  std::swap(backwards.start_unix_nanos, backwards.end_unix_nanos);
  EXPECT_EQ(findings(), std::vector<std::string>{"HOP0705 service=payments"});
}

// Istio below 1.25, or a proxy told to leave the scope out: component and node_id are enough.
TEST_F(IdentityRows, MeshSpansAreToldWithoutAScope) {
  proof::claim({"D-13"}, Polarity::kPositive, ProofKind::kCapture, kIstio130);
  open(kSdk);
  const Classifier classifier(scenario_.topology);
  for (Span& span : spans_) {
    const SpanInfo with = classifier.classify(span);
    set_scope(span, Scope{});
    const SpanInfo without = classifier.classify(span);
    EXPECT_EQ(without.mesh, by_envoy(span));
    EXPECT_EQ(without.mesh, with.mesh);
    EXPECT_EQ(without.role, with.role);
    EXPECT_EQ(without.service, with.service);
    EXPECT_EQ(without.peer, with.peer);
  }
  // Every span still has its place in the tree; this profile alone has a word about the scope.
  for (const std::string& found : findings()) EXPECT_EQ(found.substr(0, 7), "HOP0502") << found;
}

TEST_F(IdentityRows, WithoutScopeAndComponentItIsNoMeshSpan) {
  proof::claim({"D-13"}, Polarity::kNegative, ProofKind::kCapture, kIstio130);
  open(kPlain);
  for (Span& span : spans_) {
    if (!at_payments(span)) continue;
    set_scope(span, Scope{});
    unset(span, "component");
    EXPECT_FALSE(is_mesh_span(span));
  }
  EXPECT_FALSE(passes());
}

TEST_F(IdentityRows, IstioTagsStandOnTheSpan) {
  proof::claim({"D-14"}, Polarity::kPositive, ProofKind::kCapture, kIstio130);
  open(kPlain);
  for (const Span& span : spans_) {
    EXPECT_NE(span.attributes.find("istio.mesh_id"), nullptr);
    EXPECT_EQ(span.resource->attributes.find("istio.mesh_id"), nullptr);
  }
  EXPECT_TRUE(passes());
}

TEST_F(IdentityRows, IstioTagsOnTheResourceAreKnownAndTheirPlaceIsSaid) {
  proof::claim({"D-14"}, Polarity::kNegative, ProofKind::kCapture, kIstio130);
  open(kPlain);
  for (Span& span : spans_) {
    if (!at_payments(span)) continue;
    set_resource(span, "istio.mesh_id", span.attributes.text("istio.mesh_id"));
    unset(span, "istio.mesh_id");
  }
  const JudgeResult result = judged();
  ASSERT_EQ(codes(result), std::vector<std::string>{"HOP0504 service=payments object=istio.mesh_id"});
  EXPECT_EQ(result.scenarios[0].findings[0].actual, "on the resource: cluster.local");
}

TEST_F(IdentityRows, AppAndMeshSpansAreNeverMixedUp) {
  proof::claim({"O-55"}, Polarity::kPositive, ProofKind::kCapture, kIstio130);
  open(kSdk);
  const Classifier classifier(scenario_.topology);
  size_t mesh = 0, app = 0;
  for (const Span& span : spans_) {
    // The SDKs say themselves what they are.
    ASSERT_EQ(by_envoy(span), span.resource->attributes.text("telemetry.sdk.language") != "python");
    EXPECT_EQ(classifier.classify(span).mesh, by_envoy(span));
    ++(by_envoy(span) ? mesh : app);
  }
  EXPECT_EQ(mesh, 30u * 7);
  EXPECT_EQ(app, 30u * 8);
  EXPECT_TRUE(passes());
}

TEST_F(IdentityRows, AnAppSpanDressedAsMeshSpanIsFound) {
  proof::claim({"O-55"}, Polarity::kNegative, ProofKind::kCapture, kIstio130);
  open(kSdk);
  set(one([](const Span& span) { return span.name == "INSERT txn"; }), "component", "proxy");
  EXPECT_FALSE(passes());
  restore();
  Span& mesh = one([](const Span& span) { return by_envoy(span) && span.kind == SpanKind::kServer; });
  unset(mesh, "component");
  set_scope(mesh, Scope{});
  EXPECT_FALSE(passes());
}

TEST_F(IdentityRows, EachSidecarMakesOneSpanInAndOneSpanOut) {
  proof::claim({"M-60"}, Polarity::kPositive, ProofKind::kCapture, kIstio130);
  open(kPlain);
  EXPECT_TRUE(passes());
  for (const auto& [trace, spans] : traces()) {
    std::map<std::pair<std::string_view, SpanKind>, int> seen;
    for (const Span* span : spans) {
      if (span->attributes.text("node_id").rfind("sidecar~", 0) == 0) ++seen[{workload_of(*span), span->kind}];
    }
    EXPECT_EQ(seen, (std::map<std::pair<std::string_view, SpanKind>, int>{
                        {{"frontend-dep", SpanKind::kServer}, 1},
                        {{"frontend-dep", SpanKind::kClient}, 1},
                        {{"checkout-dep", SpanKind::kServer}, 1},
                        {{"checkout-dep", SpanKind::kClient}, 1},
                        {{"payments-dep", SpanKind::kServer}, 1}}));  // calls nobody
  }
}

TEST_F(IdentityRows, AMissingAndASurplusSideAreFound) {
  proof::claim({"M-60"}, Polarity::kNegative, ProofKind::kCapture, kIstio130);
  open(kPlain);
  remove(at_payments);
  EXPECT_TRUE(only(findings(), "HOP0301", "payments"));
  restore();
  Span twin = one(at_payments);
  twin.span_id.bytes[3] ^= 0x55;
  spans_.push_back(twin);
  EXPECT_TRUE(only(findings(), "HOP0302", "payments"));
  restore();
  Span outbound = one(at_checkout_out);
  outbound.span_id.bytes[3] ^= 0x55;
  spans_.push_back(outbound);
  EXPECT_TRUE(only(findings(), "HOP0302", "payments"));
}

// Row O-54: callers with mutual TLS (STRICT in the whole mesh) and without leave the same identity on their spans.
TEST_F(IdentityRows, UnderStrictMutualTlsTheIdentityIsTheSame) {
  proof::claim({"O-54"}, Polarity::kPositive, ProofKind::kCapture, kIstio130);
  const auto identities = [&](const std::string& name) {
    open(name);
    EXPECT_TRUE(passes());
    std::set<std::string> out;
    for (const Span& span : spans_) {
      if (workload_of(span).find("-dep") == std::string_view::npos) continue;
      std::string line(workload_of(span));
      for (const char* key : {"istio.canonical_service", "istio.canonical_revision", "istio.namespace", "istio.mesh_id",
                              "istio.cluster_id"})
        line += " " + std::string(span.attributes.text(key));
      out.insert(line);
    }
    return out;
  };
  const std::set<std::string> strict = identities(kStrict);
  EXPECT_EQ(strict.size(), 3u);
  EXPECT_EQ(strict, identities(kPlain));
}

TEST_F(IdentityRows, AnotherIdentityUnderMutualTlsIsFound) {
  proof::claim({"O-54"}, Polarity::kNegative, ProofKind::kCapture, kIstio130);
  open(kStrict);
  for (Span& span : spans_) {
    if (at_payments(span)) set(span, "istio.canonical_service", "spiffe");
  }
  EXPECT_EQ(findings(), std::vector<std::string>{"HOP0504 service=payments object=istio.canonical_service"});
}

// Row D-20: what a sidecar's CLIENT span says does not depend on how often it tried, nor on mutual TLS.
TEST_F(IdentityRows, AClientSpanTellsNeitherRetriesNorMutualTls) {
  proof::claim({"D-20"}, Polarity::kPositive, ProofKind::kCapture, kIstio130);
  const auto keys = [&](const std::string& name) {
    open(name);
    EXPECT_TRUE(passes());
    std::set<std::string> out;
    for (const Attribute& item : one(at_checkout_out).attributes) out.insert(std::string(item.key));
    return out;
  };
  const std::set<std::string> plain = keys(kPlain);
  EXPECT_EQ(keys(kRetry), plain);
  EXPECT_EQ(count(at_checkout_out), 3u);  // nine attempts
  EXPECT_EQ(count(at_payments), 9u);
  EXPECT_EQ(keys(kStrict), plain);
}

TEST_F(IdentityRows, AClientSpanForEachAttemptIsOneTooMany) {
  proof::claim({"D-20"}, Polarity::kNegative, ProofKind::kCapture, kIstio130);
  open(kRetry);
  Span again = one(at_checkout_out);
  again.span_id.bytes[0] = static_cast<uint8_t>(again.span_id.bytes[0] ^ 0x55);
  spans_.push_back(again);
  EXPECT_TRUE(only(findings(), "HOP0302", "checkout"));
}

// Row D-12: the gateway's name, in each naming mode.
TEST_F(IdentityRows, TheGatewaysNameIsThatOfTheMode) {
  proof::claim({"D-12"}, Polarity::kPositive, ProofKind::kCapture, kIstio130);
  const auto name_of_gateway = [&](const std::string& capture) {
    open(capture);
    EXPECT_TRUE(passes()) << capture;
    return std::string(one(at_gateway).resource->service_name);
  };
  EXPECT_EQ(name_of_gateway("1.30-1.38-grpc-app-naming"), "istio-ingressgateway.istio-system");
  EXPECT_EQ(name_of_gateway("1.30-1.38-grpc-canonns-naming"), "istio-ingressgateway.istio-system");
  EXPECT_EQ(name_of_gateway("1.30-1.38-grpc-canononly-naming"), "istio-ingressgateway");
}

TEST_F(IdentityRows, AnotherNameOfTheGatewayIsFound) {
  proof::claim({"D-12"}, Polarity::kNegative, ProofKind::kCapture, kIstio130);
  open(kPlain);
  for (Span& span : spans_) {
    if (at_gateway(span)) set_resource(span, "service.name", "ingress.istio-system");
  }
  EXPECT_EQ(findings(), std::vector<std::string>{"HOP0401 service=gateway"});
}

// Row M-53: without a mode the names are those of APP_LABEL_AND_NAMESPACE.
TEST_F(IdentityRows, WithoutAModeTheNamesAreThoseOfTheAppLabel) {
  proof::claim({"M-53"}, Polarity::kPositive, ProofKind::kCapture, kIstio130);
  open("1.30-1.38-grpc-app-naming");
  scenario_.environment.naming = NamingMode::kAppLabelAndNamespace;
  scenario_.environment.naming_unset = true;
  EXPECT_TRUE(passes());
}

TEST_F(IdentityRows, OtherNamesWithoutAModeAreFound) {
  proof::claim({"M-53"}, Polarity::kNegative, ProofKind::kCapture, kIstio130);
  open("1.30-1.38-grpc-canonns-naming");
  scenario_.environment.naming = NamingMode::kAppLabelAndNamespace;
  scenario_.environment.naming_unset = true;
  const std::vector<std::string> found = findings();
  EXPECT_NE(std::count(found.begin(), found.end(), "HOP0401 service=checkout"), 0);
}

}  // namespace
}  // namespace hopcheck::check
