// The walkthrough's Collector (fixtures/walkthrough) in a running mesh, in the form that the current release takes:
// what otelcol/ says of the file holds for what runs from it (rows M-03, M-30, M-31, D-08). It stands in the lab,
// beside the environment's own. Part of live_test.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

#include "app/live_lab.h"
#include "app/test_backend.h"
#include "otelcol/claims.h"
#include "otelcol/rewrite.h"
#include "otelcol/walkthrough_test.h"
#include "testing/claims.h"

namespace hopcheck {
namespace {

constexpr const char* kCollector = "app=opentelemetry-collector";
constexpr const char* kConfigMap = "/api/v1/namespaces/hopcheck-lab/configmaps/opentelemetry-collector-conf";
constexpr const char* kConfigKey = "/data/opentelemetry-collector-config";
constexpr const char* kLogs =
    R"({"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"a line of the lab"}}]}]}]})";

size_t count_of(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

class WalkthroughCollector : public ::testing::Test {
 protected:
  void SetUp() override {
    istio_ = {cluster_.record().istio_version, ""};
    image_ = cluster_.record().collector_image;
    const auto tag = otelcol::image_tag(image_);
    ASSERT_TRUE(tag);
    version_ = tag->version;
  }
  // Through the Service; the API server connects to a pod behind it.
  mesh::KubeResponse post(uint16_t port, const std::string& path, const std::string& body) {
    const std::string service =
        fmt::format("/api/v1/namespaces/{}/services/opentelemetry-collector:{}/proxy{}", kLab, port, path);
    return cluster_.request({"POST", service, body, {{"Content-Type", "application/json"}}, 20'000});
  }
  std::string log() { return cluster_.log_of(kLab, cluster_.pod(kLab, kCollector)); }
  // Of the newest pod, ready or not, what it said before it ended included.
  std::string log_of_new_pod(const std::string& old) {
    std::string out;
    for (const std::string& pod : cluster_.all_pods(kLab, kCollector)) {
      if (pod != old) out += cluster_.log_of(kLab, pod);
    }
    return out;
  }
  std::string manifest() { return rewritten_collector(cluster_.tokens(), image_); }

  Lab& lab_ = Lab::the();
  LiveCluster& cluster_ = lab_.cluster;
  LiveSink backend_{cluster_, "backend"};
  otelcol::Version version_;
  std::string image_;
  proof::Versions istio_;
};

TEST_F(WalkthroughCollector, RunsInItsCurrentFormWithEndpointAndToken) {
  proof::claim({"D-08", "M-03", "M-30", "M-31", "M-36", "M-39"}, Polarity::kPositive, ProofKind::kLive, istio_);
  // The file is held to the walkthrough before it is applied; the image is ours.
  const std::string said =
      otelcol::told(find_broken_claims(otelcol::must_read(manifest()), {version_, "observability"}));
  EXPECT_EQ(count_of(said, "\n"), count_of(said, "walkthrough")) << said;
  EXPECT_EQ(said.find("token"), std::string::npos) << said;
  EXPECT_NE(cluster_.text_at(kConfigMap, kConfigKey), "");
  EXPECT_EQ(cluster_.ask(kLab, cluster_.pod(kLab, kCollector), 13133, "/").status, 200);
  const uint64_t before = count_of(log(), "Span #");
  const uint64_t stored = backend_.count("/spans"), refused = backend_.count("/refused");
  lab_.drive("walked", 10);
  lab_.expect_sent("walked");
  EXPECT_TRUE(wait_for([&] { return backend_.count("/spans") == stored + 10; }, 10'000)) << backend_.status() << log();
  EXPECT_EQ(backend_.count("/refused"), refused);
  EXPECT_TRUE(wait_for([&] { return count_of(log(), "Span #") == before + 10; }, 5'000)) << "each span is in its log";
  EXPECT_EQ(post(4318, "/v1/logs", kLogs).status, 200) << "the logs pipeline";
  EXPECT_TRUE(wait_for([&] { return log().find("a line of the lab") != std::string::npos; }, 5'000));
  const mesh::KubeResponse nobody = post(55678, "/", "");
  EXPECT_GE(nobody.status, 500);
  EXPECT_NE(nobody.body.find("connection refused"), std::string::npos) << nobody.body;
  EXPECT_EQ(log().find(cluster_.tokens().backend), std::string::npos) << "the token is in the log";
}

TEST_F(WalkthroughCollector, HasMoreThanTheEnvironmentsOwn) {
  proof::claim({"M-30"}, Polarity::kNegative, ProofKind::kLive, istio_);
  const std::string path =
      mesh::pod_proxy_path("observability", cluster_.pod("observability", kCollector), 4318, "/v1/logs");
  EXPECT_EQ(cluster_.request({"POST", path, kLogs, {{"Content-Type", "application/json"}}, 20'000}).status, 404);
}

TEST_F(WalkthroughCollector, AsItIsWrittenTheCurrentOneRefusesIt) {
  proof::claim({"D-08", "M-03"}, Polarity::kNegative, ProofKind::kLive, istio_);
  const std::string old = walkthrough_collector(cluster_.tokens(), image_);
  const std::string before = otelcol::told(find_breakages(otelcol::must_read(old), version_));
  for (const char* id : {"exporter-logging", "health-check-port", "receiver-localhost"})
    EXPECT_NE(before.find(id), std::string::npos) << "named before rollout: " << before;
  const std::string header = "            Authentication: \"" + cluster_.tokens().backend + "\"\n";
  const std::string without = otelcol::with(otelcol::with(old, "        headers:\n", ""), header.substr(2), "");
  EXPECT_NE(
      otelcol::told(find_broken_claims(otelcol::must_read(without), {version_, "observability"})).find("token-missing"),
      std::string::npos);
  const std::string pod = cluster_.pod(kLab, kCollector);
  cluster_.apply(old);
  cluster_.new_pods({kLab, "opentelemetry-collector"});
  EXPECT_TRUE(wait_for([&] { return log_of_new_pod(pod).find("has invalid keys: port") != std::string::npos; }))
      << log_of_new_pod(pod);
}

TEST_F(WalkthroughCollector, OnLocalhostItIsReachedByNobodyElse) {
  proof::claim({"M-31"}, Polarity::kNegative, ProofKind::kLive, istio_);
  const std::string one_old = otelcol::with(otelcol::with(manifest(), "            endpoint: 0.0.0.0:4317\n", ""),
                                            "            endpoint: 0.0.0.0:4318\n", "");
  cluster_.apply(one_old);
  cluster_.restart({kLab, "opentelemetry-collector"}, kCollector);
  const mesh::KubeResponse nobody = post(4318, "/v1/traces", "{}");
  EXPECT_GE(nobody.status, 500);
  EXPECT_NE(nobody.body.find("connection refused"), std::string::npos) << nobody.body;
}

}  // namespace
}  // namespace hopcheck
