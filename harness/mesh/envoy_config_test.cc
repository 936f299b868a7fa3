// What the proxies are told: the parts that decide which spans they export.
#include "mesh/envoy_config.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "config/load.h"

namespace hopcheck::mesh {
namespace {

using Json = nlohmann::json;

const config::SearchPath kShare{HOPCHECK_SOURCE_DIR};

run::TopologyInstance instance_of(const std::string& topology) {
  run::TopologyInstance out;
  const auto loaded = config::load_topology(topology, "", kShare);
  EXPECT_TRUE(loaded) << (loaded ? "" : config::to_text(loaded.error()));
  if (loaded) out.topology = *loaded;
  return out;
}

MeshProfile profile_of(const std::string& name) {
  const auto profiles = config::load_profiles(kShare);
  for (const MeshProfile& profile : *profiles) {
    if (profile.name == name) return profile;
  }
  ADD_FAILURE() << "no profile " << name;
  return {};
}

LocalMesh mesh_of(const std::vector<run::TopologyInstance>& instances) {
  auto mesh = plan_local_mesh("127.93.7", instances);
  EXPECT_TRUE(mesh) << (mesh ? "" : to_text(mesh.error()));
  return mesh ? *mesh : LocalMesh{};
}

// The parsed files of one proxy.
struct Rendered {
  Json bootstrap, listeners;
  const Json& manager(size_t listener) const {
    return listeners["resources"][listener]["filter_chains"][0]["filters"][0]["typed_config"];
  }
  const Json* cluster(const std::string& name) const {
    for (const Json& cluster : bootstrap["static_resources"]["clusters"]) {
      if (cluster["name"] == name) return &cluster;
    }
    return nullptr;
  }
};

Rendered render(const EnvoyRequest& request, const LocalWorkload& workload) {
  const auto files = envoy_files(request, workload);
  EXPECT_TRUE(files) << (files ? "" : to_text(files.error()));
  if (!files) return {};
  return {Json::parse(files->bootstrap), Json::parse(files->listeners)};
}

class EnvoyConfig : public ::testing::Test {
 protected:
  EnvoyRequest request(const LocalMesh& mesh) { return {mesh, state_, profile_, {"/run/lds.json"}, {}, {}}; }
  Rendered gateway(const LocalMesh& mesh) { return render(request(mesh), mesh.gateway); }
  Rendered sidecar(const LocalMesh& mesh, const std::string& ns, const std::string& workload) {
    const LocalWorkload* found = find_workload(mesh, ns, workload);
    EXPECT_NE(found, nullptr) << workload;
    return found == nullptr ? Rendered{} : render(request(mesh), *found);
  }

  run::EnvironmentState state_;
  MeshProfile profile_ = profile_of("istio-1.30");
};

TEST_F(EnvoyConfig, SidecarOfTheShopNamesItselfAsIstioDoes) {
  const LocalMesh mesh = mesh_of({instance_of("shop")});
  const Rendered frontend = sidecar(mesh, "shop", "frontend-dep");
  const Json& node = frontend.bootstrap["node"];
  EXPECT_EQ(node["cluster"], "frontend-app.shop");
  EXPECT_EQ(node["id"], find_workload(mesh, "shop", "frontend-dep")->node_id);
  const Json& trace = frontend.manager(0)["tracing"];
  EXPECT_EQ(trace["provider"]["typed_config"]["service_name"], "frontend-app.shop");
  EXPECT_FALSE(trace.contains("spawn_upstream_span"));
  std::map<std::string, std::string> tags;
  for (const Json& tag : trace["custom_tags"]) {
    if (tag.contains("literal")) tags[tag["tag"]] = tag["literal"]["value"];
  }
  const std::map<std::string, std::string> expected = {{"istio.canonical_revision", "rev7"},
                                                       {"istio.canonical_service", "frontend-canon"},
                                                       {"istio.cluster_id", "Kubernetes"},
                                                       {"istio.mesh_id", "cluster.local"},
                                                       {"istio.namespace", "shop"}};
  EXPECT_EQ(tags, expected);
}

// What Istio renders for each kind of port (dump of a 1.30 sidecar: kube-dns:53 is TCP, kube-dns:9153 is sniffed).
TEST_F(EnvoyConfig, PortsAreRenderedByProtocol) {
  auto instance = instance_of("ports");
  Service grpc = instance.topology.services[1];
  grpc.name = "rpc";
  grpc.ports = {{"grpc", "", 9090, 9090}};
  grpc.workloads = {{"rpc", "", {}}};
  instance.topology.services.push_back(grpc);
  const LocalMesh mesh = mesh_of({instance});
  const std::string hub_ip = find_workload(mesh, "hop-ports", "hub")->ip;
  const Rendered hub = sidecar(mesh, "hop-ports", "hub");
  std::map<std::string, const Json*> by_name;
  for (const Json& each : hub.listeners["resources"]) by_name[each["name"]] = &each;
  ASSERT_EQ(by_name.count("outbound_raw_8085"), 1U);
  const Json& raw = *by_name["outbound_raw_8085"];
  EXPECT_EQ(raw["filter_chains"].size(), 1U);
  EXPECT_EQ(raw["filter_chains"][0]["filters"][0]["name"], "envoy.filters.network.tcp_proxy");
  EXPECT_EQ(raw["filter_chains"][0]["filters"][0]["typed_config"]["cluster"],
            "outbound|8085||raw.hop-ports.svc.cluster.local");
  ASSERT_EQ(by_name.count("outbound_unknown_8084"), 1U);
  const Json& unknown = *by_name["outbound_unknown_8084"];
  EXPECT_EQ(unknown["listener_filters"][0]["name"], "envoy.filters.listener.http_inspector");
  ASSERT_EQ(unknown["filter_chains"].size(), 1U);
  EXPECT_EQ(unknown["filter_chains"][0]["filter_chain_match"]["application_protocols"], Json({"http/1.1", "h2c"}));
  EXPECT_EQ(unknown["filter_chains"][0]["filters"][0]["name"], "envoy.filters.network.http_connection_manager");
  EXPECT_EQ(unknown["default_filter_chain"]["filters"][0]["name"], "envoy.filters.network.tcp_proxy");
  EXPECT_EQ(unknown["address"]["socket_address"]["address"], hub_ip);
  EXPECT_EQ(by_name.count("outbound_plain_8080"), 0U) << "HTTP ports share the listener at 15001";
  for (const Json& host : hub.manager(0)["route_config"]["virtual_hosts"]) {
    EXPECT_NE(host["name"], "raw.hop-ports.svc.cluster.local:8085") << "a TCP port has no HTTP route";
  }
  const auto speaks = [](const Rendered& of, const std::string& cluster) -> std::string {
    const Json* found = of.cluster(cluster);
    if (found == nullptr) return "no cluster";
    if (!found->contains("typed_extension_protocol_options")) return "as it likes";
    const Json& options = (*found)["typed_extension_protocol_options"]
                                  ["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"];
    return options.contains("explicit_http_config") ? "HTTP/2" : "as the caller";
  };
  EXPECT_EQ(speaks(hub, "outbound|9090||rpc.hop-ports.svc.cluster.local"), "HTTP/2");
  EXPECT_EQ(speaks(hub, "outbound|8084||unknown.hop-ports.svc.cluster.local"), "as the caller");
  EXPECT_EQ(speaks(hub, "outbound|8082||declared.hop-ports.svc.cluster.local"), "as it likes");
  EXPECT_EQ(speaks(sidecar(mesh, "hop-ports", "rpc"), "inbound|9090||"), "HTTP/2");
  const Rendered in_raw = sidecar(mesh, "hop-ports", "raw");
  const Json& inbound = in_raw.listeners["resources"].back();
  EXPECT_EQ(inbound["name"], "inbound_8080");
  EXPECT_EQ(inbound["filter_chains"][0]["filters"][0]["name"], "envoy.filters.network.tcp_proxy");
}

TEST_F(EnvoyConfig, RoutesAreDecoratedWithServicePorts) {
  const LocalMesh mesh = mesh_of({instance_of("shop")});
  const Rendered frontend = sidecar(mesh, "shop", "frontend-dep");
  ASSERT_EQ(frontend.listeners["resources"].size(), 2U);
  const Json& inbound = frontend.manager(1)["route_config"]["virtual_hosts"][0]["routes"][0];
  EXPECT_EQ(inbound["decorator"]["operation"], "frontend.shop.svc.cluster.local:80/*");
  EXPECT_EQ(inbound["route"]["cluster"], "inbound|8080||");
  EXPECT_EQ(frontend.listeners["resources"][1]["traffic_direction"], "INBOUND");
  const Json& hosts = frontend.manager(0)["route_config"]["virtual_hosts"];
  EXPECT_EQ(hosts[1]["routes"][0]["decorator"]["operation"], "checkout.shop.svc.cluster.local:8080/*");
  EXPECT_EQ(hosts[1]["routes"][0]["route"]["cluster"], "outbound|8080||checkout.shop.svc.cluster.local");
  const Json* cluster = frontend.cluster("outbound|8080||checkout.shop.svc.cluster.local");
  ASSERT_NE(cluster, nullptr);
  EXPECT_EQ((*cluster)["alt_stat_name"], "outbound|8080||checkout.shop.svc.cluster.local;");
}

TEST_F(EnvoyConfig, GatewaySpawnsOnlyWhereTheVersionOrTheStateSaysSo) {
  const LocalMesh mesh = mesh_of({instance_of("shop")});
  EXPECT_TRUE(gateway(mesh).manager(0)["tracing"].value("spawn_upstream_span", false));
  state_.gateway_spawn = false;
  EXPECT_FALSE(gateway(mesh).manager(0)["tracing"].value("spawn_upstream_span", false));
  profile_ = profile_of("istio-1.31");  // has no switch
  EXPECT_TRUE(gateway(mesh).manager(0)["tracing"].value("spawn_upstream_span", false));
}

TEST_F(EnvoyConfig, TelemetryIsInTheListenersAlone) {
  const LocalMesh mesh = mesh_of({instance_of("shop")});
  const auto before = envoy_files(request(mesh), mesh.gateway);
  state_.transport = Transport::kHttp;
  state_.sampling.reset();
  const auto after = envoy_files(request(mesh), mesh.gateway);
  ASSERT_TRUE(before && after);
  EXPECT_EQ(before->bootstrap, after->bootstrap);
  EXPECT_NE(before->listeners, after->listeners);
  const Json trace = gateway(mesh).manager(0)["tracing"];
  EXPECT_EQ(trace["random_sampling"]["value"], 1.0);
  const Json& tracer = trace["provider"]["typed_config"];
  EXPECT_FALSE(tracer.contains("grpc_service"));
  EXPECT_EQ(tracer["http_service"]["http_uri"]["uri"],
            "opentelemetry-collector.observability.svc.cluster.local/v1/traces");
  EXPECT_EQ(tracer["http_service"]["request_headers_to_add"][0]["header"]["key"], "custom-header");
}

TEST_F(EnvoyConfig, VersionsBehindOneServiceShareItsCluster) {
  const LocalMesh mesh = mesh_of({instance_of("bookinfo")});
  const Rendered page = sidecar(mesh, "bookinfo", "productpage-v1");
  const Json* reviews = page.cluster("outbound|9080||reviews.bookinfo.svc.cluster.local");
  ASSERT_NE(reviews, nullptr);
  EXPECT_EQ((*reviews)["load_assignment"]["endpoints"][0]["lb_endpoints"].size(), 3U);
  EXPECT_EQ((*reviews)["lb_policy"], "ROUND_ROBIN");
}

TEST_F(EnvoyConfig, HostsOfAllInstancesAreAtTheGateway) {
  const LocalMesh mesh = mesh_of({instance_of("shop"), instance_of("bookinfo"), instance_of("checkout")});
  const Rendered proxy = gateway(mesh);
  const Json& hosts = proxy.manager(0)["route_config"]["virtual_hosts"];
  ASSERT_EQ(hosts.size(), 3U);
  EXPECT_EQ(hosts[1]["domains"][0], "bookinfo.hopcheck.test");
  EXPECT_EQ(hosts[1]["routes"][0]["decorator"]["operation"], "productpage.bookinfo.svc.cluster.local:9080/*");
  EXPECT_NE(proxy.cluster("outbound|80||frontend.hop-checkout.svc.cluster.local"), nullptr);
  EXPECT_TRUE(proxy.manager(0)["use_remote_address"]);
}

TEST_F(EnvoyConfig, OneHostTwiceIsAnError) {
  auto second = instance_of("shop");
  second.topology.ns = "shop2";
  for (Service& service : second.topology.services) service.ns = "shop2";
  const LocalMesh mesh = mesh_of({instance_of("shop"), second});
  const auto files = envoy_files(request(mesh), mesh.gateway);
  ASSERT_FALSE(files);
  EXPECT_EQ(files.error().what, "two topologies claim host shop.example");
}

TEST_F(EnvoyConfig, DirectEntryAndLoadClientHaveNoInboundListener) {
  auto shop = instance_of("shop");
  shop.direct_entry = shop.mesh_client = true;
  const LocalMesh mesh = mesh_of({shop});
  EXPECT_EQ(sidecar(mesh, "shop", "frontend-dep").listeners["resources"].size(), 1U);
  EXPECT_EQ(sidecar(mesh, "shop", "loadgen").listeners["resources"].size(), 1U);
  EXPECT_EQ(sidecar(mesh, "shop", "checkout-dep").listeners["resources"].size(), 2U);
}

TEST_F(EnvoyConfig, EnvoyConnectsFromThePodsAddress) {
  const LocalMesh mesh = mesh_of({instance_of("shop")});
  const LocalWorkload* checkout = find_workload(mesh, "shop", "checkout-dep");
  const Rendered proxy = sidecar(mesh, "shop", "checkout-dep");
  EXPECT_EQ(proxy.bootstrap["cluster_manager"]["upstream_bind_config"]["source_address"]["address"], checkout->ip);
  const Json* inbound = proxy.cluster("inbound|8080||");
  ASSERT_NE(inbound, nullptr);
  EXPECT_EQ((*inbound)["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]
                      ["address"],
            checkout->app_ip);
  EXPECT_NE(checkout->app_ip, checkout->ip);
}

TEST_F(EnvoyConfig, RetryRulesReplaceTheDefaultPolicy) {
  const LocalMesh mesh = mesh_of({instance_of("shop")});
  EnvoyRequest with_rule = request(mesh);
  with_rule.retries["payments.shop.svc.cluster.local"] = {};
  const Rendered proxy = render(with_rule, *find_workload(mesh, "shop", "checkout-dep"));
  const Json& hosts = proxy.manager(0)["route_config"]["virtual_hosts"];
  EXPECT_EQ(hosts[2]["routes"][0]["route"]["retry_policy"]["retry_on"], "5xx");
  EXPECT_EQ(hosts[2]["routes"][0]["route"]["retry_policy"]["per_try_timeout"], "5.000s");
  EXPECT_EQ(hosts[0]["routes"][0]["route"]["retry_policy"]["num_retries"], 2);
}

TEST_F(EnvoyConfig, OtelNamingTellsTheEnvironmentDetector) {
  state_.naming = NamingMode::kOtelSemanticConventions;
  const LocalMesh mesh = mesh_of({instance_of("shop")});
  const LocalWorkload& frontend = *find_workload(mesh, "shop", "frontend-dep");
  const auto files = envoy_files(request(mesh), frontend);
  ASSERT_TRUE(files);
  EXPECT_EQ(files->environment.at("OTEL_RESOURCE_ATTRIBUTES"),
            "service.namespace=shop,service.instance.id=shop." + frontend.pod + ".frontend,service.version=2.5.1");
  const auto gateway = envoy_files(request(mesh), mesh.gateway);
  ASSERT_TRUE(gateway);
  EXPECT_TRUE(gateway->environment.empty());
}

TEST_F(EnvoyConfig, WorkloadWithoutProxyIsAnError) {
  auto shop = instance_of("shop");
  shop.without_sidecar = {"payments"};
  const LocalMesh mesh = mesh_of({shop});
  EXPECT_FALSE(envoy_files(request(mesh), *find_workload(mesh, "shop", "payments-dep")));
}

}  // namespace
}  // namespace hopcheck::mesh
