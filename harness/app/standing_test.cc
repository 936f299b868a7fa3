// Claims about Istio itself, asked of a standing cluster without changing it: its API by server-side dry run, and the
// access logs of its proxies beside the spans of a run. Not part of ctest: scripts/ci/standing runs it with the id of
// its environment in HOPCHECK_CI_ENV and the directory of a run there in HOPCHECK_CI_RUN.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "check/span_info.h"
#include "mesh/env_record.h"
#include "mesh/kube_client.h"
#include "mesh/kubeconfig.h"
#include "store/capture.h"
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

// Row M-8a.
class AccessLog : public Cluster {
 protected:
  using Requests = std::map<std::string, int>;  // x-request-id → how often

  void SetUp() override {
    Cluster::SetUp();
    const char* run = std::getenv("HOPCHECK_CI_RUN");
    ASSERT_NE(run, nullptr) << "HOPCHECK_CI_RUN must name the directory of a run on that environment";
    auto capture = store::load_capture(std::string(run) + "/capture.hcl");
    ASSERT_TRUE(capture) << capture.error().what;
    for (const Span& span : capture->spans) {
      const std::string id(span.attributes.text("guid:x-request-id"));
      if (!id.empty()) ++spans_[std::string(check::proxy_key(span))][id];
    }
    ASSERT_GE(spans_.size(), 4u) << "a gateway and three sidecars";
  }

  // What the proxy of "POD.NAMESPACE" logged.
  Requests logged(const std::string& pod) {
    const size_t dot = pod.rfind('.');
    const auto body = kube_get(*client_, "/api/v1/namespaces/" + pod.substr(dot + 1) + "/pods/" + pod.substr(0, dot) +
                                             "/log?container=istio-proxy&limitBytes=8388608");
    EXPECT_TRUE(body) << body.error().what;
    Requests out;
    std::istringstream lines(body ? *body : "");
    for (std::string line; std::getline(lines, line);) {
      const auto entry = nlohmann::json::parse(line, nullptr, false);
      if (entry.is_object() && entry.contains("request_id") && entry["request_id"].is_string())
        ++out[entry["request_id"].get<std::string>()];
    }
    return out;
  }
  // Proxies write their logs up to ten seconds late.
  static size_t missing(const Requests& spans, const Requests& log) {
    size_t out = 0;
    for (const auto& [id, times] : spans) {
      const auto found = log.find(id);
      out += found == log.end() || found->second != times ? 1 : 0;
    }
    return out;
  }

  std::map<std::string, Requests> spans_;
};

TEST_F(AccessLog, HasTheRequestIdOfEverySpanAsOftenAsThereAreSpans) {
  proof::claim({"M-8a"}, Polarity::kPositive, ProofKind::kLive, istio_);
  for (const auto& [pod, requests] : spans_) {
    SCOPED_TRACE(pod);
    size_t left = requests.size();
    for (int i = 0; i < 15 && left > 0; ++i) {
      if (i > 0) std::this_thread::sleep_for(std::chrono::seconds(1));
      left = missing(requests, logged(pod));
    }
    EXPECT_EQ(left, 0u) << "of " << requests.size();
  }
}

TEST_F(AccessLog, AnIdThatASpanHasAloneIsNoticed) {
  proof::claim({"M-8a"}, Polarity::kNegative, ProofKind::kLive, istio_);
  for (auto& [pod, requests] : spans_) {
    const Requests log = logged(pod);
    const auto [id, times] = *requests.begin();
    requests.erase(requests.begin());
    requests[id.substr(0, 9) + "0000" + id.substr(13)] = times;
    EXPECT_GE(missing(requests, log), 1u) << pod;
  }
}

}  // namespace
}  // namespace hopcheck::mesh
