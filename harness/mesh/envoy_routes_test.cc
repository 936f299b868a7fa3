// The routes of a local proxy under an instance's faults: what istiod would send for the VirtualService.
#include "mesh/envoy_routes.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "config/load.h"
#include "mesh/envoy_clusters.h"

namespace hopcheck::mesh {
namespace {

using Json = nlohmann::ordered_json;

class EnvoyRoutes : public testing::Test {
 protected:
  void SetUp() override {
    const auto loaded = config::load_topology("shop", "", {HOPCHECK_SOURCE_DIR});
    ASSERT_TRUE(loaded) << config::to_text(loaded.error());
    instance_.topology = *loaded;
  }
  void add(Fault::Kind kind, const std::string& prefix, int64_t nanos = 0) {
    Fault fault;
    fault.kind = kind;
    fault.at = "payments";
    fault.status = 418;
    fault.delay_nanos = nanos;
    instance_.faults.push_back({fault, prefix});
  }
  Json routes(const std::string& host = "payments.shop.svc.cluster.local") {
    mesh_ = plan_local_mesh("127.93.7", {instance_}).value_or(LocalMesh{});
    return Json::parse(outbound_routes(EnvoyRequest{mesh_, state_, profile_, {}}, host, 8080));
  }

  run::TopologyInstance instance_;
  run::EnvironmentState state_;
  MeshProfile profile_;
  LocalMesh mesh_;
};

TEST_F(EnvoyRoutes, WithoutFaultsThereIsOneRoute) {
  const Json all = routes();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0]["decorator"]["operation"], "payments.shop.svc.cluster.local:8080/*");
  EXPECT_EQ(all[0]["route"]["timeout"], "0s");
  EXPECT_EQ(all[0]["route"]["retry_policy"]["num_retries"], 2);
  EXPECT_FALSE(all[0].contains("typed_per_filter_config"));
}

TEST_F(EnvoyRoutes, LongerPrefixesStandFirstAndNameTheirRoute) {
  add(Fault::Kind::kAbort, "/abort");
  add(Fault::Kind::kWireDelay, "/delayed", 700'000'000);
  add(Fault::Kind::kTimeout, "/slow", 500'000'000);
  const Json all = routes();
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[0]["match"]["prefix"], "/delayed");
  EXPECT_EQ(all[0]["decorator"]["operation"], "payments.shop.svc.cluster.local:8080/delayed*");
  const Json& delay = all[0]["typed_per_filter_config"]["envoy.filters.http.fault"]["delay"];
  EXPECT_EQ(delay["fixed_delay"], "0.700000000s");
  EXPECT_EQ(delay["percentage"]["numerator"], 100);
  EXPECT_EQ(all[1]["typed_per_filter_config"]["envoy.filters.http.fault"]["abort"]["http_status"], 418);
  EXPECT_EQ(all[2]["route"]["timeout"], "0.500000000s");
  EXPECT_EQ(all[3]["match"]["prefix"], "/");
  EXPECT_FALSE(all[3].contains("typed_per_filter_config"));
  EXPECT_EQ(routes("checkout.shop.svc.cluster.local").size(), 1u) << "another service's routes are as ever";
}

TEST_F(EnvoyRoutes, RetriesReplaceTheDefaultPolicyForEveryRequest) {
  add(Fault::Kind::kRetry, "");
  const Json all = routes();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0]["route"]["retry_policy"]["retry_on"], "5xx");
  EXPECT_EQ(all[0]["route"]["retry_policy"]["num_retries"], 3);
  EXPECT_FALSE(all[0]["route"]["retry_policy"].contains("per_try_timeout"));
}

TEST_F(EnvoyRoutes, EndpointAndAppAreGoneWhereDeclared) {
  add(Fault::Kind::kNoEndpoint, "");
  EXPECT_EQ(routes().size(), 1u);
  const EnvoyRequest request{mesh_, state_, profile_, {}};
  EXPECT_TRUE(has_no_endpoint(request, "payments.shop.svc.cluster.local"));
  EXPECT_FALSE(has_no_endpoint(request, "checkout.shop.svc.cluster.local"));
  EXPECT_FALSE(app_is_down(request, instance_.topology.services[2]));
  instance_.faults.clear();
  add(Fault::Kind::kAppDown, "");
  static_cast<void>(routes());
  EXPECT_TRUE(app_is_down(EnvoyRequest{mesh_, state_, profile_, {}}, instance_.topology.services[2]));
}

}  // namespace
}  // namespace hopcheck::mesh
