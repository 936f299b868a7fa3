// Derived counts of facts section 7, computed from topology × profile × entry, never written in scenarios.
#include "plan/expand.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "config/load.h"
#include "plan/naming.h"

namespace hopcheck::plan {
namespace {

const std::string kRoot = HOPCHECK_SOURCE_DIR;

class ExpandTest : public testing::Test {
 protected:
  void SetUp() override {
    auto profiles = config::load_profiles({kRoot});
    ASSERT_TRUE(profiles);
    profiles_ = std::move(*profiles);
  }
  const MeshProfile& named(const std::string& name) const {
    for (const MeshProfile& profile : profiles_) {
      if (profile.name == name) return profile;
    }
    ADD_FAILURE() << "no profile " << name;
    return profiles_.front();
  }
  Scenario scenario(const std::string& path) const {
    auto loaded = config::load_scenario(kRoot + "/" + path, {kRoot});
    EXPECT_TRUE(loaded) << config::to_text(loaded.error());
    return loaded ? *loaded : Scenario{};
  }
  std::vector<std::pair<size_t, size_t>> counts(const Scenario& s,
                                                const std::string& profile) const {  // mesh, all; by variant
    ProfileBinding binding;
    binding.fallback = &named(profile);
    const auto expansion = expand(s, binding);
    EXPECT_TRUE(expansion);
    std::vector<std::pair<size_t, size_t>> out;
    for (const ExpectedTree& tree : expansion->trees) {
      size_t mesh = 0;
      for (const ExpectedSpan& span : tree.spans) mesh += span.role != ProxyRole::kNone ? 1 : 0;
      out.emplace_back(mesh, tree.spans.size());
    }
    return out;
  }
  std::vector<MeshProfile> profiles_;
};

using Counts = std::vector<std::pair<size_t, size_t>>;

TEST_F(ExpandTest, CheckoutByEntry) {
  for (const char* profile : {"istio-1.28", "istio-1.29", "istio-1.30", "istio-1.31"}) {
    EXPECT_EQ(counts(scenario("scenarios/core/checkout-gateway.yaml"), profile), (Counts{{7, 12}}));
    EXPECT_EQ(counts(scenario("scenarios/core/checkout-mesh.yaml"), profile), (Counts{{6, 11}}));
    EXPECT_EQ(counts(scenario("scenarios/core/checkout-unmeshed.yaml"), profile), (Counts{{5, 10}}));
    EXPECT_EQ(counts(scenario("scenarios/core/checkout-direct.yaml"), profile), (Counts{{4, 9}}));
  }
}

// facts section 0: one gateway span up to 1.25 and, unasked, in 1.26 and 1.27.
TEST_F(ExpandTest, GatewaySpansFollowTheVersionWhereTheScenarioLeavesThemOpen) {
  Scenario s = scenario("scenarios/core/checkout-gateway.yaml");
  ASSERT_EQ(s.environment.gateway_spawn, std::nullopt);
  for (const char* profile : {"istio-1.22", "istio-1.23", "istio-1.24", "istio-1.25", "istio-1.26", "istio-1.27"}) {
    EXPECT_EQ(counts(s, profile), (Counts{{6, 11}})) << profile;
  }
  for (const char* profile : {"istio-1.28", "istio-1.29", "istio-1.30", "istio-1.31"}) {
    EXPECT_EQ(counts(s, profile), (Counts{{7, 12}})) << profile;
  }
  s.environment.gateway_spawn = true;
  EXPECT_EQ(counts(s, "istio-1.25"), (Counts{{6, 11}})) << "there is no flag yet";
  EXPECT_EQ(counts(s, "istio-1.26"), (Counts{{7, 12}}));
  EXPECT_EQ(counts(s, "istio-1.27"), (Counts{{7, 12}}));
}

TEST_F(ExpandTest, GatewaySpawnOffIsOneSpanWhereTheVersionHasIt) {
  Scenario s = scenario("scenarios/core/checkout-gateway.yaml");
  s.environment.gateway_spawn = false;
  for (const char* profile : {"istio-1.28", "istio-1.29", "istio-1.30"}) {
    EXPECT_EQ(counts(s, profile), (Counts{{6, 11}})) << profile;
  }
  EXPECT_EQ(counts(s, "istio-1.31"), (Counts{{7, 12}}));  // always spawns
}

TEST_F(ExpandTest, BookinfoByReviewsVersion) {
  // gateway 2 + 5, and 2 more with ratings
  EXPECT_EQ(counts(scenario("scenarios/core/bookinfo-gateway.yaml"), "istio-1.30"), (Counts{{7, 7}, {9, 9}, {9, 9}}));
}

TEST_F(ExpandTest, DeclaredRetriesAndCalls) {
  Scenario s = scenario("scenarios/core/checkout-gateway.yaml");
  Fault retry;
  retry.kind = Fault::Kind::kRetry;
  retry.at = "frontend";
  retry.times = 2;
  s.faults = {retry};
  EXPECT_EQ(counts(s, "istio-1.30")[0].first, 11u);  // facts 9: 3 × 11
  s.faults[0].at = "payments";
  EXPECT_EQ(counts(s, "istio-1.30")[0].first, 9u);   // one CLIENT, three SERVER
  s.faults[0].kind = Fault::Kind::kCallTwice;
  s.faults[0].at = "checkout";
  EXPECT_EQ(counts(s, "istio-1.30")[0].first, 9u);
}

// Rows O-80…O-83, D-18: gateway 2, hub's inbound 1, two for each HTTP hop, none for the TCP hop.
TEST_F(ExpandTest, PortsDecideWhichHopsLeaveMeshSpans) {
  const Scenario s = scenario("scenarios/extended/ports-names.yaml");
  EXPECT_EQ(counts(s, "istio-1.30"), (Counts{{2 + 1 + 2 * 6, 15 + 8}}));
  EXPECT_EQ(counts(scenario("scenarios/canary/tcp-port-expected-http.yaml"), "istio-1.30")[0].first, 17u);
  EXPECT_EQ(counts(scenario("scenarios/canary/http-port-expected-tcp.yaml"), "istio-1.30")[0].first, 7u);
  ProfileBinding binding;
  binding.fallback = &named("istio-1.30");
  const auto expansion = expand(s, binding);
  ASSERT_TRUE(expansion);
  const auto& spans = expansion->trees[0].spans;
  const auto span_of = [&](const std::string& name) {
    return std::find_if(spans.begin(), spans.end(), [&](const ExpectedSpan& span) { return span.name == name; });
  };
  const auto raw = span_of("GET /raw");
  ASSERT_NE(raw, spans.end());
  EXPECT_EQ(spans[static_cast<size_t>(raw->parent)].name, "GET /ports") << "the caller's app span is the parent";
  const auto plain = span_of("GET /plain");
  ASSERT_NE(plain, spans.end());
  EXPECT_EQ(spans[static_cast<size_t>(plain->parent)].role, ProxyRole::kInbound);
}

// Row O-84: gateway 2, cart's inbound 1, two for the HTTP hop; the CLIENT span around the Redis call is the app's.
TEST_F(ExpandTest, RedisHopsLeaveAppSpansOnly) {
  EXPECT_EQ(counts(scenario("scenarios/extended/ports-redis.yaml"), "istio-1.30"), (Counts{{5, 5 + 5}}));
  EXPECT_EQ(counts(scenario("scenarios/canary/redis-port-expected-http.yaml"), "istio-1.30"), (Counts{{7, 7 + 5}}));
}

TEST_F(ExpandTest, GrpcHopsHaveTheirRequestLineAndTags) {
  Scenario s = scenario("scenarios/core/checkout-gateway.yaml");
  Service& payments = s.topology.services[static_cast<size_t>(s.topology.find("payments"))];
  payments.ports[0].app_protocol = "grpc";
  s.topology.services[static_cast<size_t>(s.topology.find("checkout"))].calls[0].path = "/shop.Payments/Charge";
  ProfileBinding binding;
  binding.fallback = &named("istio-1.30");
  const auto expansion = expand(s, binding);
  ASSERT_TRUE(expansion);
  int seen = 0;
  for (const ExpectedSpan& span : expansion->trees[0].spans) {
    if (span.role == ProxyRole::kNone || span.host != fqdn(payments)) continue;
    ++seen;
    EXPECT_EQ(span.method + " " + span.path, "POST /shop.Payments/Charge");
    std::map<std::string, ExpectedAttribute> by_key;
    for (const ExpectedAttribute& attribute : span.attributes) by_key[attribute.key] = attribute;
    EXPECT_EQ(by_key["grpc.path"].value, "/shop.Payments/Charge");
    EXPECT_EQ(by_key["grpc.path"].when, AttributeRule::When::kAlways);
    EXPECT_EQ(by_key["grpc.timeout"].when, AttributeRule::When::kOptional);
    EXPECT_EQ(by_key["http.protocol"].value, span.role == ProxyRole::kInbound ? "HTTP/2" : "");
  }
  EXPECT_EQ(seen, 2);
}

TEST_F(ExpandTest, EntryMustCarryHttp) {
  Scenario s = scenario("scenarios/core/checkout-gateway.yaml");
  ProfileBinding binding;
  binding.fallback = &named("istio-1.30");
  for (const char* name : {"tcp-x", "grpc"}) {
    s.topology.services[static_cast<size_t>(s.topology.find("frontend"))].ports[0].name = name;
    const auto refused = expand(s, binding);
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().kind, ErrorKind::kUsage);
  }
}

// facts 2.5, 9: measured on the captures faults, noendpoint and unknownhost.
TEST_F(ExpandTest, DeclaredFaultsHaveTheirTrees) {
  Scenario s = scenario("fixtures/captures/scenarios/1.30-1.38-grpc-app-gateway-faults.yaml");
  EXPECT_EQ(counts(s, "istio-1.30"), (Counts{{6, 6}, {7, 7}, {25, 25}}));
  EXPECT_EQ(counts(s, "istio-1.31"), (Counts{{6, 6}, {7, 7}, {25, 25}}));
  ProfileBinding binding;
  binding.fallback = &named("istio-1.30");
  const auto expansion = expand(s, binding);
  ASSERT_TRUE(expansion);
  const auto line = [&](size_t tree, size_t span) {
    const ExpectedSpan& item = expansion->trees[tree].spans[span];
    return item.name + " " + std::to_string(item.http_status) + " " + item.response_flag;
  };
  EXPECT_EQ(line(0, 5), "payments.shop.svc.cluster.local:8080/abort* 418 FI");
  EXPECT_EQ(line(0, 4), "checkout.shop.svc.cluster.local:8080/* 0 ");  // what the app makes of it is not asked
  EXPECT_EQ(line(1, 5), "payments.shop.svc.cluster.local:8080/delay* 200 DI");
  EXPECT_EQ(line(1, 6), "payments.shop.svc.cluster.local:8080/delay* 200 -");
  EXPECT_EQ(line(2, 0), "frontend.shop.svc.cluster.local:80/* 0 URX");
  EXPECT_EQ(line(2, 5), "payments.shop.svc.cluster.local:8080/slow* 504 UT");
  EXPECT_EQ(line(2, 6), "payments.shop.svc.cluster.local:8080/slow* 0 DC");
  s.environment.gateway_spawn = false;
  EXPECT_EQ(counts(s, "istio-1.30"), (Counts{{5, 5}, {6, 6}, {21, 21}}));  // four attempts of five spans under one
}

TEST_F(ExpandTest, UnreachableServices) {
  Scenario s = scenario("scenarios/core/checkout-gateway.yaml");
  Fault fault;
  fault.at = "payments";
  fault.kind = Fault::Kind::kNoEndpoint;
  s.faults = {fault};
  EXPECT_EQ(counts(s, "istio-1.30"), (Counts{{6, 9}}));  // neither payments' proxy nor its two app spans
  s.faults[0].kind = Fault::Kind::kAppDown;
  EXPECT_EQ(counts(s, "istio-1.30"), (Counts{{7, 10}}));
  s.faults[0].at = "frontend";
  s.faults[0].kind = Fault::Kind::kNoEndpoint;
  EXPECT_EQ(counts(s, "istio-1.30"), (Counts{{1, 1}})) << "no attempt was made, so the gateway spawned no span";
  s.faults.clear();
  s.load.journeys[0].host = "nosuch.example";
  EXPECT_EQ(counts(s, "istio-1.30"), (Counts{{1, 1}}));
}

TEST_F(ExpandTest, FaultOfOneJourneyThatWouldHoldForAnotherIsRefused) {
  Scenario s = scenario("scenarios/core/checkout-gateway.yaml");
  s.load.journeys = {{"slow", 1, "GET", "/slow"}, {"slower", 1, "GET", "/slower"}};
  Fault fault;
  fault.kind = Fault::Kind::kAbort;
  fault.at = "frontend";
  fault.journey = "slow";
  s.faults = {fault};
  ProfileBinding binding;
  binding.fallback = &named("istio-1.30");
  const auto refused = expand(s, binding);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().what, "scenario checkout-gateway: a fault of journey slow would hold for slower too");
  s.faults[0].journey = "slower";
  EXPECT_TRUE(expand(s, binding));
}

TEST_F(ExpandTest, NamesFollowTheMode) {
  const auto topology = config::load_topology("shop", "", {kRoot});
  ASSERT_TRUE(topology);
  const Service& frontend = topology->services[static_cast<size_t>(topology->find("frontend"))];
  const auto& naming = named("istio-1.30").naming;
  const auto name = [&](NamingMode mode) {
    return proxy_service_name(naming.at(mode), frontend, frontend.workloads[0]);
  };
  EXPECT_EQ(name(NamingMode::kAppLabelAndNamespace), "frontend-app.shop");
  EXPECT_EQ(name(NamingMode::kCanonicalNameOnly), "frontend-canon");
  EXPECT_EQ(name(NamingMode::kCanonicalNameAndNamespace), "frontend-canon.shop");
  EXPECT_EQ(name(NamingMode::kOtelSemanticConventions), "frontend-k8s");
}

// facts 2.1: before 1.30 only the label app stands before the workload's name.
TEST_F(ExpandTest, WorkloadWithoutAppIsNamedByVersion) {
  Service service;
  service.ns = "shop";
  service.labels = {{"app.kubernetes.io/name", "k8s"}, {"service.istio.io/canonical-name", "canon"}};
  service.workloads = {{"orders-dep", "", {}}};
  const auto name = [&](const std::string& profile, NamingMode mode) {
    return proxy_service_name(named(profile).naming.at(mode), service, service.workloads[0]);
  };
  for (const char* profile : {"istio-1.28", "istio-1.29"}) {
    EXPECT_EQ(name(profile, NamingMode::kAppLabelAndNamespace), "orders-dep.shop") << profile;
    EXPECT_EQ(name(profile, NamingMode::kCanonicalNameOnly), "canon") << profile;
    EXPECT_EQ(name(profile, NamingMode::kCanonicalNameAndNamespace), "canon.shop") << profile;
  }
  EXPECT_EQ(name("istio-1.30", NamingMode::kAppLabelAndNamespace), "k8s.shop");
  EXPECT_EQ(name("istio-1.31", NamingMode::kAppLabelAndNamespace), "k8s.shop");
}

TEST_F(ExpandTest, NamingModeThatTheVersionLacksIsRefused) {
  Scenario s = scenario("scenarios/core/checkout-gateway.yaml");
  s.environment.naming = NamingMode::kOtelSemanticConventions;
  ProfileBinding binding;
  binding.fallback = &named("istio-1.30");
  EXPECT_TRUE(expand(s, binding));
  binding.fallback = &named("istio-1.29");
  const auto refused = expand(s, binding);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kUsage);
  EXPECT_EQ(refused.error().what, "scenario checkout-gateway: Istio 1.29 has no OTEL_SEMANTIC_CONVENTIONS");
}

TEST_F(ExpandTest, ProfileByExactMinorElseTheNearestLower) {
  std::string note;
  EXPECT_EQ(choose_profile(profiles_, "1.31.2-vendor.4", note)->name, "istio-1.31");
  for (const char* minor : {"1.28", "1.29", "1.30"}) {
    EXPECT_EQ(choose_profile(profiles_, std::string(minor) + ".4-dev", note)->name, "istio-" + std::string(minor));
  }
  EXPECT_EQ(note, "");
  EXPECT_EQ(choose_profile(profiles_, "1.35.0", note)->name, "istio-1.31");
  EXPECT_NE(note, "");
  EXPECT_EQ(choose_profile(profiles_, "1.12.0", note), nullptr);
  EXPECT_EQ(envoy_minor_of("0ebf/1.38.3/Modified/RELEASE/BoringSSL"), "1.38");
  EXPECT_EQ(envoy_minor_of("nonsense"), "");
}

// An app span by its name and the app span above it, mesh spans left out.
std::vector<std::pair<std::string, std::string>> app_spans(const ExpectedTree& tree) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const ExpectedSpan& span : tree.spans) {
    if (span.role != ProxyRole::kNone) continue;
    int above = span.parent;
    while (above >= 0 && tree.spans[above].role != ProxyRole::kNone) above = tree.spans[above].parent;
    out.emplace_back(span.service_name + " " + span.name,
                     above < 0 ? "" : tree.spans[above].service_name + " " + tree.spans[above].name);
  }
  return out;
}

// Row O-71: what is expected of the apps with mesh tracing on and off is the same, parents among themselves included.
TEST_F(ExpandTest, MeshSpansAreAdditive) {
  Scenario on = scenario("scenarios/extended/additive-tracing-on.yaml");
  Scenario off = scenario("scenarios/extended/additive-tracing-off.yaml");
  off.environment.mesh_tracing = true;
  EXPECT_EQ(on.environment, off.environment);
  EXPECT_EQ(on.topology, off.topology);
  EXPECT_EQ(on.load, off.load);
  for (const char* file : {"extended/additive-tracing-on", "core/bookinfo-gateway", "core/checkout-mesh"}) {
    Scenario s = scenario(std::string("scenarios/") + file + ".yaml");
    for (const MeshProfile& profile : profiles_) {
      ProfileBinding binding;
      binding.fallback = &profile;
      s.environment.mesh_tracing = true;
      const auto with = expand(s, binding);
      s.environment.mesh_tracing = false;
      const auto without = expand(s, binding);
      ASSERT_TRUE(with && without);
      ASSERT_EQ(with->trees.size(), without->trees.size());
      for (size_t i = 0; i < with->trees.size(); ++i) {
        EXPECT_EQ(app_spans(with->trees[i]), app_spans(without->trees[i]));
        EXPECT_EQ(app_spans(without->trees[i]).size(), without->trees[i].spans.size()) << "no mesh span is left";
      }
    }
  }
}

// Row O-24: each scope leaves exactly the spans of the proxies it governs.
TEST_F(ExpandTest, TelemetryScopeChoosesTheProxies) {
  Scenario s = scenario("scenarios/extended/scope-namespace.yaml");
  EXPECT_EQ(counts(s, "istio-1.30"), (Counts{{5, 10}}));  // without the gateway's two
  s.environment.telemetry_scope = "workload/checkout";
  EXPECT_EQ(counts(s, "istio-1.30"), (Counts{{2, 7}}));
  s.expect_environment = s.environment;
  s.expect_environment->telemetry_scope = kScopeMesh;  // the claim, not the environment, makes the expectation
  EXPECT_EQ(counts(s, "istio-1.30"), (Counts{{7, 12}}));
}

// Row O-66: N meshed services behind the gateway leave 2N - 1 sidecar spans, and the gateway's two.
TEST_F(ExpandTest, EveryHopOfAChainAddsTwo) {
  Scenario s = scenario("scenarios/faults/propagation-none.yaml");
  for (size_t hops = 5; hops >= 1; --hops) {
    s.topology.services.resize(hops);
    s.topology.services.back().calls.clear();
    EXPECT_EQ(counts(s, "istio-1.30"), (Counts{{2 * hops + 1, 2 * hops + 1}}));
    EXPECT_EQ(counts(s, "istio-1.31"), (Counts{{2 * hops + 1, 2 * hops + 1}}));
  }
}

}  // namespace
}  // namespace hopcheck::plan
