// Addresses, names and who connects where.
#include "mesh/local_mesh.h"

#include <gtest/gtest.h>

#include <set>

namespace hopcheck::mesh {
namespace {

Service service(const std::string& name, uint16_t port = 8080) {
  Service out;
  out.name = name;
  out.ns = "shop";
  out.labels = {{"app", name}};
  out.ports = {{"http", "", port, 8080}};
  out.workloads = {{name, "v1", {}}};
  return out;
}

run::TopologyInstance shop(int extra = 0) {
  run::TopologyInstance out;
  out.topology.name = out.topology.ns = "shop";
  out.topology.entry = "frontend";
  out.topology.services = {service("frontend", 80), service("checkout")};
  for (int i = 0; i < extra; ++i) out.topology.services.push_back(service("extra" + std::to_string(i)));
  return out;
}

LocalMesh plan(const std::vector<run::TopologyInstance>& instances, const LocalMesh* previous = nullptr) {
  auto mesh = plan_local_mesh("127.93.7", instances, previous);
  EXPECT_TRUE(mesh) << (mesh ? "" : to_text(mesh.error()));
  return mesh ? *mesh : LocalMesh{};
}

TEST(LocalMesh, GivesEachRoleAnAddressOfItsOwn) {
  auto instance = shop();
  instance.mesh_client = true;
  const LocalMesh mesh = plan({instance});
  EXPECT_EQ(gateway_address(mesh), "127.93.7.1:8080");
  EXPECT_EQ(mesh.collector_ip, "127.93.7.2");
  EXPECT_EQ(mesh.sink_ip, "127.93.7.3");
  std::set<std::string> all = {mesh.gateway.ip, mesh.collector_ip, mesh.sink_ip};
  ASSERT_EQ(mesh.workloads.size(), 3U);
  for (const LocalWorkload& w : mesh.workloads) {
    EXPECT_TRUE(all.insert(w.ip).second) << w.ip;
    if (w.load_client) {
      EXPECT_EQ(w.app_ip, w.ip);
    } else {
      EXPECT_TRUE(all.insert(w.app_ip).second) << w.app_ip;
    }
  }
}

TEST(LocalMesh, NamesPodsAsKubernetesDoesAndAlwaysTheSame) {
  const LocalMesh a = plan({shop()}), b = plan({shop()});
  const LocalWorkload& frontend = a.workloads[0];
  EXPECT_EQ(frontend.pod, b.workloads[0].pod);
  EXPECT_EQ(frontend.pod.rfind("frontend-", 0), 0U);
  EXPECT_EQ(frontend.pod.size(), std::string("frontend-").size() + 10 + 1 + 5);
  EXPECT_EQ(frontend.node_id, "sidecar~127.93.7.4~" + frontend.pod + ".shop~shop.svc.cluster.local");
  EXPECT_EQ(a.gateway.node_id.rfind("router~127.93.7.1~istio-ingressgateway-", 0), 0U);
  EXPECT_NE(frontend.pod.substr(9), a.workloads[1].pod.substr(9));
  EXPECT_EQ(frontend.canonical_service, "frontend");
  EXPECT_EQ(frontend.canonical_revision, "v1");
  EXPECT_EQ(frontend.service_account, "default");
}

TEST(LocalMesh, OnlyCapturedWorkloadsHaveASecondAddress) {
  auto instance = shop();
  instance.direct_entry = true;
  instance.topology.services.push_back(service("bare"));
  instance.topology.services.push_back(service("outside"));
  instance.topology.services.back().meshed = false;
  instance.without_sidecar = {"bare"};
  const LocalMesh mesh = plan({instance});
  const LocalWorkload* frontend = find_workload(mesh, "shop", "frontend");
  ASSERT_NE(frontend, nullptr);
  EXPECT_TRUE(frontend->sidecar);
  EXPECT_FALSE(frontend->inbound_captured);
  EXPECT_EQ(frontend->app_ip, frontend->ip);
  const LocalWorkload* checkout = find_workload(mesh, "shop", "checkout");
  ASSERT_NE(checkout, nullptr);
  EXPECT_TRUE(checkout->inbound_captured);
  EXPECT_NE(checkout->app_ip, checkout->ip);
  for (const char* name : {"bare", "outside"}) {
    const LocalWorkload* w = find_workload(mesh, "shop", name);
    ASSERT_NE(w, nullptr);
    EXPECT_FALSE(w->sidecar);
    EXPECT_EQ(w->app_ip, w->ip);
    EXPECT_EQ(w->node_id, "");
  }
  EXPECT_EQ(find_workload(mesh, "shop", "nobody"), nullptr);
}

TEST(LocalMesh, CallersWithSidecarConnectToItOthersToTheService) {
  auto instance = shop();
  instance.without_sidecar = {"frontend"};
  const LocalMesh mesh = plan({instance});
  const LocalWorkload& frontend = *find_workload(mesh, "shop", "frontend");
  const LocalWorkload& checkout = *find_workload(mesh, "shop", "checkout");
  EXPECT_EQ(connect_address(mesh, frontend, "checkout", 0), checkout.ip + ":8080");
  EXPECT_EQ(connect_address(mesh, checkout, "frontend", 80), checkout.ip + ":15001");
  EXPECT_EQ(connect_address(mesh, checkout, "frontend", 81), "");
  EXPECT_EQ(connect_address(mesh, checkout, "nobody", 0), "");
}

TEST(LocalMesh, CallsThatCannotBeRoutedByHostHavePortsOfTheirOwn) {
  auto instance = shop(2);
  instance.topology.services[1].ports[0].name = "tcp-raw";
  instance.topology.services[3].ports = {{"grpc", "", 9000, 9000}, {"web", "", 9001, 9001}};
  const LocalMesh mesh = plan({instance});
  const LocalWorkload& frontend = *find_workload(mesh, "shop", "frontend");
  EXPECT_EQ(connect_address(mesh, frontend, "extra0", 0), frontend.ip + ":15001");
  EXPECT_EQ(connect_address(mesh, frontend, "checkout", 0), frontend.ip + ":15100");
  EXPECT_EQ(connect_address(mesh, frontend, "extra1", 9000), frontend.ip + ":15001");
  EXPECT_EQ(connect_address(mesh, frontend, "extra1", 9001), frontend.ip + ":15101");
  instance.topology.services[0].ports[0].target_port = 15101;
  EXPECT_FALSE(plan_local_mesh("127.93.7", {instance}));
  instance = shop();
  instance.topology.services[1].ports.clear();
  for (int i = 0; i <= kRawOutboundPorts; ++i) {
    instance.topology.services[1].ports.push_back(
        {"tcp-" + std::to_string(i), "", static_cast<uint16_t>(100 + i), 8080});
  }
  const auto many = plan_local_mesh("127.93.7", {instance});
  ASSERT_FALSE(many);
  EXPECT_EQ(many.error().what, "topology shop has 257 TCP and sniffed ports");
}

TEST(LocalMesh, AnotherInstanceMovesNobody) {
  const LocalMesh before = plan({shop()});
  auto other = shop();
  other.topology.ns = "other";
  for (Service& each : other.topology.services) each.ns = "other";
  auto grown = shop(2);
  grown.mesh_client = true;
  const LocalMesh after = plan({other, grown}, &before);
  std::set<std::string> all;
  for (const LocalWorkload& w : after.workloads) {
    EXPECT_TRUE(all.insert(w.ip).second) << w.ip;
    if (w.app_ip != w.ip) {
      EXPECT_TRUE(all.insert(w.app_ip).second) << w.app_ip;
    }
  }
  for (const LocalWorkload& w : before.workloads) {
    const LocalWorkload* now = find_workload(after, "shop", w.workload.name);
    ASSERT_NE(now, nullptr);
    EXPECT_EQ(now->ip, w.ip);
    EXPECT_EQ(now->app_ip, w.app_ip);
    EXPECT_EQ(now->node_id, w.node_id);
  }
}

TEST(LocalMesh, SaysWhenTheAddressesAreUsedUp) {
  EXPECT_TRUE(plan_local_mesh("127.93.7", {shop(123)}));  // 125 workloads × 2 addresses, from .4 to .253
  const auto full = plan_local_mesh("127.93.7", {shop(124)});
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().kind, ErrorKind::kEnvironment);
  EXPECT_EQ(full.error().what, "no address left in 127.93.7.0/24 for shop/extra123");
}

TEST(LocalMesh, RefusesWhatCannotWork) {
  for (const char* prefix : {"", "127", "127.0", "127.0.0.1", "10.0.0", "127.0.256", "127..1", "127.0.x", "127.1.2."}) {
    EXPECT_FALSE(plan_local_mesh(prefix, {})) << prefix;
  }
  EXPECT_FALSE(plan_local_mesh("127.93.7", {shop(), shop()}));
  auto clash = shop();
  clash.topology.services[1].ports[0].target_port = kSidecarOutboundPort;
  const auto refused = plan_local_mesh("127.93.7", {clash});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().what, "service checkout: target port 15001 is the sidecar's");
}

}  // namespace
}  // namespace hopcheck::mesh
