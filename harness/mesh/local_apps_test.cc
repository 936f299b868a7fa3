// What real servers are told when they play a workload on loopback.
#include "mesh/local_apps.h"

#include <gtest/gtest.h>

#include "config/load.h"

namespace hopcheck::mesh {
namespace {

const config::SearchPath kShare{HOPCHECK_SOURCE_DIR};

LocalMesh mesh_of(const std::string& name) {
  const auto topology = config::load_topology(name, "", kShare);
  EXPECT_TRUE(topology);
  run::TopologyInstance instance;
  instance.topology = *topology;
  auto mesh = plan_local_mesh("127.93.7", {instance});
  EXPECT_TRUE(mesh);
  return *mesh;
}

LocalAppPlace place_of(const LocalMesh& mesh) {
  return {mesh, "/run/1", "/share", "/packages", "/lib/broker", 41234, 41235};
}

TEST(LocalApps, TheDemoPlaysWhatHasNoRoleOfItsOwn) {
  const LocalMesh mesh = mesh_of("redis");
  EXPECT_EQ(app_of(*find_workload(mesh, "hop-redis", "cart")), LocalApp::kDemo);
  EXPECT_EQ(app_of(*find_workload(mesh, "hop-redis", "store")), LocalApp::kRedis);
  EXPECT_FALSE(has_control(*find_workload(mesh, "hop-redis", "store")));
  EXPECT_FALSE(real_app(place_of(mesh), *find_workload(mesh, "hop-redis", "cart")));
}

TEST(LocalApps, ABrokerSharesNothing) {
  const LocalMesh mesh = mesh_of("amqp");
  const LocalWorkload& broker = *find_workload(mesh, "hop-amqp", "broker");
  const auto app = real_app(place_of(mesh), broker);
  ASSERT_TRUE(app);
  ASSERT_EQ(app->children.size(), 2U);
  EXPECT_EQ(app->children[0].argv, std::vector<std::string>{"epmd"});
  EXPECT_EQ(app->children[1].argv, std::vector<std::string>{"/lib/broker"});
  EXPECT_EQ(app->children[1].name, broker.pod);
  EXPECT_EQ(app->children[1].env.at("RABBITMQ_DIST_PORT"), "41235");
  for (const ChildSpec& child : app->children) {
    EXPECT_EQ(child.env.at("ERL_EPMD_ADDRESS"), broker.app_ip);
    EXPECT_EQ(child.env.at("ERL_EPMD_PORT"), "41234");
  }
  const std::string home = "/run/1/" + broker.pod + ".hop-amqp.broker";
  for (const char* name : {"HOME", "RABBITMQ_BASE", "RABBITMQ_LOG_BASE", "RABBITMQ_MNESIA_BASE", "RABBITMQ_PID_FILE",
                           "RABBITMQ_CONFIG_FILE", "RABBITMQ_CONF_ENV_FILE", "RABBITMQ_ENABLED_PLUGINS_FILE"}) {
    EXPECT_EQ(app->children[1].env.at(name).rfind(home, 0), 0U) << name;
  }
  EXPECT_EQ(app->files.at(home + "/rabbitmq.conf"),
            "listeners.tcp.1 = " + broker.app_ip + ":5672\ndisk_free_limit.absolute = 1MB\n");
}

TEST(LocalApps, TheSidecarIsTheProxyOfAnAppUnderAnSdk) {
  LocalMesh mesh = mesh_of("sdk-app");
  const LocalWorkload& checkout = *find_workload(mesh, "hop-sdk", "checkout");
  const auto app = real_app(place_of(mesh), checkout);
  ASSERT_TRUE(app);
  const auto& env = app->children.back().env;
  EXPECT_EQ(env.at("http_proxy"), "http://" + checkout.ip + ":15001");
  EXPECT_EQ(env.at("no_proxy"), mesh.collector_ip);
  EXPECT_EQ(env.at("APP_SOURCE"), checkout.ip);
  EXPECT_EQ(env.at("APP_LISTEN"), checkout.app_ip + ":8080");
  EXPECT_EQ(env.at("APP_ROUTE"), "/checkout/<int:order>");
  EXPECT_EQ(env.at("APP_CALLS"), R"([{"method":"POST","url":"http://payments.hop-sdk:8080/charge"},)"
                                 R"({"method":"GET","url":"http://payments.hop-sdk:8080/receipt"}])");
  EXPECT_EQ(env.at("OTEL_SERVICE_NAME"), "checkout");
  EXPECT_EQ(env.at("OTEL_EXPORTER_OTLP_ENDPOINT"), "http://" + mesh.collector_ip + ":4318");

  mesh.instances[0].app_export_through_sidecar = true;
  EXPECT_EQ(real_app(place_of(mesh), checkout)->children.back().env.at("OTEL_EXPORTER_OTLP_ENDPOINT"),
            "http://opentelemetry-collector.observability.svc.cluster.local:4318");
  LocalWorkload bare = checkout;
  bare.sidecar = false;
  EXPECT_EQ(real_app(place_of(mesh), bare).error().what, "service checkout has no sidecar");
}

}  // namespace
}  // namespace hopcheck::mesh
