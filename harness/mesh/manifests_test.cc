// What is applied to the cluster, against golden files in fixtures/golden/kind. HOPCHECK_UPDATE_GOLDEN=1 rewrites them.
#include "mesh/manifests.h"

#include <gtest/gtest.h>

#include "config/load.h"
#include "mesh/fault_manifests.h"
#include "testing/source_tree.h"

namespace hopcheck::mesh {
namespace {

ManifestContext context() {
  ManifestContext out;
  out.share = ".";
  out.env = "0a1b2c3d";
  out.run = "feed0001";
  out.harness_image = "hopcheck/harness:1234";
  out.collector_image = "otel/collector:1";
  out.backend_token = "backend-secret";
  out.control_token = "control-secret";
  return out;
}

Service service(const std::string& name, const std::string& app) {
  Service out;
  out.name = name;
  out.ns = "shop";
  out.labels = {{"app", app}};
  out.ports = {{"http", "", 8080, 8080}};
  out.workloads = {{name + "-dep", "v1", {}}};
  return out;
}

run::TopologyInstance instance() {
  run::TopologyInstance out;
  out.topology.name = "shop";
  out.topology.ns = "shop";
  out.topology.host = "shop.hopcheck.test";
  out.topology.entry = "frontend";
  Service frontend = service("frontend", "frontend");
  frontend.ports[0] = {"http", "http", 80, 8080};
  frontend.service_account = "shop-frontend";
  Service reviews = service("reviews", "reviews");
  reviews.image_role = "bookinfo-reviews";
  reviews.workloads = {{"reviews-v1", "v1", {}}, {"reviews-v2", "v2", {{"tier", "two"}}}};
  Service outside = service("outside", "outside");
  outside.meshed = false;
  out.topology.services = {frontend, reviews, outside};
  return out;
}

std::string text_of(const std::vector<KubeObject>& objects) {
  std::string out;
  for (const KubeObject& object : objects) out += "---\n" + object.body;
  return out;
}

void expect_golden(const std::string& name, const std::string& actual) {
  EXPECT_EQ(hopcheck::testing::golden_difference("fixtures/golden/kind/" + name, actual), "");
}

std::string without_head(const std::string& text) { return text.substr(text.find_first_not_of('\n')); }

TEST(Manifests, InstanceThroughTheGateway) {
  const Result<InstanceManifest> manifest = instance_manifest(context(), instance(), "kind: Topology\nspec: {}\n");
  ASSERT_TRUE(manifest.has_value()) << to_text(manifest.error());
  expect_golden("instance.yaml", text_of(manifest->base) + text_of(manifest->routing) + text_of(manifest->workloads));
  EXPECT_EQ(manifest->base[0].kind, "Namespace") << "the injection label is there before any pod";
}

TEST(Manifests, VariantsShowInLabelsAndAnnotations) {
  run::TopologyInstance variant = instance();
  variant.direct_entry = true;
  variant.without_sidecar = {"reviews"};
  variant.app_export_through_sidecar = true;
  variant.mesh_client = true;
  ManifestContext with_role = context();
  with_role.roles = {{"bookinfo-reviews-v2", "stock/reviews-v2:1"}};
  const Result<InstanceManifest> manifest = instance_manifest(with_role, variant, "kind: Topology\n");
  ASSERT_TRUE(manifest.has_value()) << to_text(manifest.error());
  expect_golden("instance-variants.yaml", text_of(manifest->workloads));
}

TEST(Manifests, AnAppUnderAnSdkIsToldItsCallsAndIsNeverTheDemo) {
  const auto topology = config::load_topology("sdk-app", "", {HOPCHECK_SOURCE_DIR});
  ASSERT_TRUE(topology);
  run::TopologyInstance sdk;
  sdk.topology = *topology;
  const Result<InstanceManifest> without = instance_manifest(context(), sdk, "kind: Topology\n");
  ASSERT_FALSE(without.has_value());
  EXPECT_EQ(without.error().what, "no image plays service checkout");
  ManifestContext with_role = context();
  with_role.roles = {{"sdkApp", "made/sdkapp:1"}};
  const Result<InstanceManifest> manifest = instance_manifest(with_role, sdk, "kind: Topology\n");
  ASSERT_TRUE(manifest.has_value()) << to_text(manifest.error());
  const std::string all = text_of(manifest->workloads);
  EXPECT_NE(all.find("made/sdkapp:1"), std::string::npos);
  EXPECT_NE(all.find("{name: APP_ROUTE, value: \"/checkout/<int:order>\"}"), std::string::npos) << all;
  EXPECT_NE(all.find("{name: APP_LISTEN, value: \"0.0.0.0:8080\"}"), std::string::npos) << all;
  EXPECT_NE(all.find("http://payments.hop-sdk:8080/charge"), std::string::npos) << all;
}

TEST(Manifests, PodsNameTheControlPlaneOfTheirProxy) {
  run::TopologyInstance mixed = instance();
  const std::string first = mixed.topology.services[0].name, second = mixed.topology.services[1].name;
  mixed.proxy_versions = {{first, "1.30"}, {second, "1.31"}};
  ManifestContext two = context();
  two.revisions = {{"1.30", ""}, {"1.31", "1-31-0-dev"}};
  const Result<InstanceManifest> manifest = instance_manifest(two, mixed, "kind: Topology\n");
  ASSERT_TRUE(manifest.has_value()) << to_text(manifest.error());
  EXPECT_EQ(manifest->base[0].body.find("istio-injection"), std::string::npos) << "it would overrule the pods' labels";
  size_t of_revision = 0;
  for (const KubeObject& object : manifest->workloads) {
    const bool meshed = object.body.find("\"hopcheck.dev/meshed\": \"true\"") != std::string::npos;
    const bool injected = object.body.find("\"sidecar.istio.io/inject\": \"true\"") != std::string::npos;
    EXPECT_EQ(injected, meshed) << object.body;
    const bool named = object.body.find("\"istio.io/rev\": \"1-31-0-dev\"") != std::string::npos;
    EXPECT_EQ(named, object.body.find("\"hopcheck.dev/service\": \"" + second + "\"") != std::string::npos);
    of_revision += named ? 1 : 0;
  }
  EXPECT_GE(of_revision, 1u);
}

TEST(Manifests, Platform) {
  std::string all;
  for (const auto& part : {collector_manifest(context()), sink_manifest(context()),
                           loadgen_manifest(context(), "hopcheck-system", false)}) {
    ASSERT_TRUE(part.has_value()) << to_text(part.error());
    all += text_of(*part);
  }
  expect_golden("platform.yaml", all);
}

TEST(Manifests, TelemetryLeavesTheFieldOutWhenAsked) {
  run::EnvironmentState state;
  state.sampling = 12.5;
  const auto with = telemetry_manifest(context(), state);
  ASSERT_TRUE(with.has_value());
  EXPECT_NE((*with)[0].body.find("otel-tracing"), std::string::npos);
  EXPECT_NE((*with)[0].body.find("\n    randomSamplingPercentage: 12.5\n"), std::string::npos) << (*with)[0].body;
  state.transport = Transport::kHttp;
  state.sampling = std::nullopt;
  const auto without = telemetry_manifest(context(), state);
  ASSERT_TRUE(without.has_value());
  EXPECT_NE((*without)[0].body.find("otel-http"), std::string::npos);
  EXPECT_EQ((*without)[0].body.find("randomSamplingPercentage"), std::string::npos);
}

TEST(Manifests, PortsAndPlaintextServices) {
  run::TopologyInstance plain = instance();
  plain.topology.services[1].ports = {{"", "", 8080, 8080}};
  plain.topology.services[2].ports = {{"other", "kubernetes.io/h2c", 9000, 9000}, {"tcp-raw", "", 9001, 9001}};
  plain.mtls_off = {"reviews"};
  const Result<InstanceManifest> manifest = instance_manifest(context(), plain, "kind: Topology\n");
  ASSERT_TRUE(manifest.has_value()) << to_text(manifest.error());
  const std::string services = text_of(manifest->base);
  EXPECT_NE(services.find("[{name: \"\", port: 8080, targetPort: 8080}]"), std::string::npos) << services;
  EXPECT_NE(services.find("targetPort: 9000, appProtocol: \"kubernetes.io/h2c\"}"), std::string::npos) << services;
  const std::string routing = text_of(manifest->routing);
  EXPECT_NE(routing.find("kind: PeerAuthentication"), std::string::npos);
  EXPECT_NE(routing.find("matchLabels: {hopcheck.dev/service: reviews}"), std::string::npos) << routing;
  EXPECT_NE(instance_key(plain, "t"), instance_key(instance(), "t"));
}

run::MeshFault fault_at(const std::string& service, Fault::Kind kind, const std::string& prefix) {
  run::MeshFault out;
  out.fault.at = service;
  out.fault.kind = kind;
  out.fault.delay_nanos = 300'000'000;
  out.fault.status = 418;
  out.prefix = prefix;
  return out;
}

// Callers' proxies get VirtualServices, the gateway its own; what is to be missing is left out of Service and pod.
TEST(Manifests, FaultsOfTheMesh) {
  run::TopologyInstance faulty = instance();
  faulty.topology.services[0].calls = {{}, {}};
  faulty.topology.services[0].calls[0].to = "reviews";
  faulty.topology.services[0].calls[1].to = "outside";
  faulty.faults = {fault_at("frontend", Fault::Kind::kRetry, ""), fault_at("reviews", Fault::Kind::kWireDelay, "/held"),
                   fault_at("reviews", Fault::Kind::kAbort, "/no"), fault_at("reviews", Fault::Kind::kTimeout, "")};
  const Result<InstanceManifest> routes = instance_manifest(context(), faulty, "kind: Topology\n");
  ASSERT_TRUE(routes.has_value()) << to_text(routes.error());
  expect_golden("instance-faults.yaml", text_of(routes->routing));
  const std::vector<FaultRoute> marks = fault_routes(faulty);
  ASSERT_EQ(marks.size(), 2u);
  EXPECT_TRUE(marks[0].callers.empty()) << "only the gateway calls frontend";
  EXPECT_EQ(marks[1].name, "faults-reviews");
  ASSERT_EQ(marks[1].callers.size(), 1u);
  EXPECT_EQ(marks[1].callers[0].second, "frontend-dep");
  EXPECT_NE(instance_key(faulty, "t"), instance_key(instance(), "t"));

  run::TopologyInstance gone = instance();
  gone.faults = {fault_at("frontend", Fault::Kind::kAppDown, ""), fault_at("reviews", Fault::Kind::kNoEndpoint, "")};
  const Result<InstanceManifest> places = instance_manifest(context(), gone, "kind: Topology\n");
  ASSERT_TRUE(places.has_value()) << to_text(places.error());
  const std::string services = text_of(places->base), pods = text_of(places->workloads);
  EXPECT_NE(services.find("selector: {hopcheck.dev/service: \"none\"}"), std::string::npos) << services;
  EXPECT_NE(services.find("selector: {hopcheck.dev/service: \"frontend\"}"), std::string::npos);
  EXPECT_NE(pods.find("--listen=127.0.0.1:8080"), std::string::npos) << pods;
  EXPECT_NE(pods.find("readinessProbe: {tcpSocket: {port: 9901}, periodSeconds: 2}"), std::string::npos);
  EXPECT_NE(pods.find("--listen=0.0.0.0:8080"), std::string::npos) << "the others serve";
  EXPECT_TRUE(fault_routes(gone).empty());
}

TEST(Manifests, OperatorAndCluster) {
  run::EnvironmentState state;
  const IstioVersion istio{"1.30.4-dev", "1.30.4-dev", "hub.test/istio", "", ""};
  const Result<std::string> text = istio_operator(".", istio, state, "");
  ASSERT_TRUE(text.has_value()) << to_text(text.error());
  expect_golden("istio-operator.yaml", without_head(*text));
  state.gateway_spawn = false;
  state.naming = NamingMode::kOtelSemanticConventions;
  const Result<std::string> enriched = istio_operator(".", istio, state, "");
  ASSERT_TRUE(enriched.has_value());
  EXPECT_NE(enriched->find("PILOT_SPAWN_UPSTREAM_SPAN_FOR_GATEWAY: \"false\""), std::string::npos);
  EXPECT_NE(enriched->find("serviceAttributeEnrichment: OTEL_SEMANTIC_CONVENTIONS"), std::string::npos);
  EXPECT_NE(enriched->find("tracingServiceName: APP_LABEL_AND_NAMESPACE"), std::string::npos);
  const Result<std::string> further = istio_operator(".", istio, state, revision_of(istio));
  ASSERT_TRUE(further.has_value());
  EXPECT_NE(further->find("\n  revision: 1-30-4-dev\n"), std::string::npos);
  EXPECT_NE(further->find("      enabled: false\n"), std::string::npos) << "one gateway, that of the mesh's own";
  const Result<std::string> cluster = kind_config(".", 31234, "/state/envs/x/owner.json");
  ASSERT_TRUE(cluster.has_value());
  expect_golden("cluster.yaml", *cluster);
}

TEST(Manifests, EveryObjectCarriesTheRunLabel) {
  const Result<InstanceManifest> manifest = instance_manifest(context(), instance(), "kind: Topology\n");
  ASSERT_TRUE(manifest.has_value());
  for (const auto* wave : {&manifest->base, &manifest->routing, &manifest->workloads}) {
    for (const KubeObject& object : *wave) {
      const std::string head = object.body.substr(0, object.body.find("spec:"));
      EXPECT_NE(head.find("hopcheck.dev/run"), std::string::npos) << object.kind << " " << object.name;
    }
  }
}

TEST(Manifests, KeysAndRoles) {
  run::TopologyInstance a = instance(), b = instance();
  b.mesh_client = true;
  EXPECT_EQ(instance_key(a, "t"), instance_key(b, "t")) << "a load agent can be added later";
  b.direct_entry = true;
  EXPECT_NE(instance_key(a, "t"), instance_key(b, "t"));
  EXPECT_NE(instance_key(a, "t"), instance_key(a, "u"));
  const Service& reviews = a.topology.services[1];
  EXPECT_EQ(role_of(reviews, reviews.workloads[1]), "bookinfo-reviews-v2");
  Service ratings = service("ratings", "ratings");
  ratings.image_role = "bookinfo-ratings";
  EXPECT_EQ(role_of(ratings, ratings.workloads[0]), "bookinfo-ratings");
  EXPECT_EQ(gateway_host(a.topology), "shop.hopcheck.test");
}

TEST(Manifests, MissingTemplatesAndEntriesAreErrors) {
  EXPECT_EQ(read_template("/nonexistent", "cluster.yaml").error().kind, ErrorKind::kEnvironment);
  run::TopologyInstance broken = instance();
  broken.topology.entry = "nobody";
  EXPECT_EQ(instance_manifest(context(), broken, "").error().kind, ErrorKind::kUsage);
}

}  // namespace
}  // namespace hopcheck::mesh
