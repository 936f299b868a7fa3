// Claims about Istio's own API, asked of a standing cluster without changing it (server-side dry run). Not part of
// ctest: scripts/ci/standing runs it with the id of its environment in HOPCHECK_CI_ENV.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "mesh/env_record.h"
#include "mesh/kube_client.h"
#include "mesh/kubeconfig.h"
#include "testing/claims.h"

namespace hopcheck::mesh {
namespace {

class Cluster : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* id = std::getenv("HOPCHECK_CI_ENV");
    ASSERT_NE(id, nullptr) << "HOPCHECK_CI_ENV must name a standing environment";
    const auto record = load_env(default_state_dir(), id);
    ASSERT_TRUE(record) << record.error().what;
    istio_ = {record->istio_version, ""};
    auto config = load_kubeconfig(default_state_dir() + "/" + id + "/kubeconfig");
    ASSERT_TRUE(config) << config.error().what;
    client_ = make_kube_client(std::move(*config));
  }

  KubeResponse dry_run(const std::string& percentage) {
    const std::string body = fmt::format(
        R"({{"apiVersion":"telemetry.istio.io/v1","kind":"Telemetry","metadata":{{"name":"range-probe",)"
        R"("namespace":"istio-system"}},"spec":{{"tracing":[{{"providers":[{{"name":"otel-tracing"}}],)"
        R"("randomSamplingPercentage":{}}}]}}}})",
        percentage);
    const auto response = client_->request(
        {"POST", "/apis/telemetry.istio.io/v1/namespaces/istio-system/telemetries?dryRun=All&fieldManager=hopcheck",
         body, {{"Content-Type", "application/json"}}, 10'000});
    EXPECT_TRUE(response) << response.error().what;
    return response ? *response : KubeResponse{};
  }

  proof::Versions istio_;
  std::unique_ptr<KubeClient> client_;
};

TEST_F(Cluster, PercentagesFromZeroToAHundredAreTaken) {
  proof::claim({"M-21"}, Polarity::kPositive, ProofKind::kLive, istio_);
  for (const char* percentage : {"0", "0.01", "50", "100"}) {
    const KubeResponse response = dry_run(percentage);
    EXPECT_EQ(response.status, 201) << percentage << ": " << kube_message(response.body);
  }
}

TEST_F(Cluster, PercentagesBeyondTheRangeAreRefused) {
  proof::claim({"M-21"}, Polarity::kNegative, ProofKind::kLive, istio_);
  for (const char* percentage : {"-1", "101"}) {
    const KubeResponse response = dry_run(percentage);
    EXPECT_EQ(response.status / 100, 4) << percentage;
    EXPECT_NE(kube_message(response.body).find("randomSamplingPercentage"), std::string::npos) << response.body;
  }
}

}  // namespace
}  // namespace hopcheck::mesh
