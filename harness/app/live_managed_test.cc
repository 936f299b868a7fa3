// The Collector of a running mesh before a managed backend that is a sink of ours: token, TLS, answers that change over
// time (rows M-34, M-36 to M-41). Spans come from a sidecar, by the mesh's own provider. What proxy, Collector and
// backend count must agree to the span. The Collector's configuration and its Secret are changed, and put back at the
// end. Part of live_test.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <thread>

#include "app/live_lab.h"
#include "app/test_backend.h"
#include "mesh/process.h"
#include "report/json.h"
#include "testing/claims.h"

namespace hopcheck {
namespace {

constexpr const char* kNs = "observability";
constexpr const char* kCollector = "app=opentelemetry-collector";
constexpr const char* kConfigMap = "/api/v1/namespaces/observability/configmaps/opentelemetry-collector";
constexpr const char* kSecret = "/api/v1/namespaces/observability/secrets/backend-token";
constexpr const char* kApp = "collected";

// As kind/collector, over OTLP/gRPC. `exporter`: YAML of what is special to it.
std::string config_with(const std::string& exporter) {
  return fmt::format(R"(extensions:
  health_check: {{endpoint: 0.0.0.0:13133}}
receivers:
  otlp:
    protocols:
      grpc: {{endpoint: 0.0.0.0:4317}}
      http: {{endpoint: 0.0.0.0:4318}}
processors:
  batch: {{timeout: 200ms}}
exporters:
  otlp_grpc:
    retry_on_failure: {{enabled: true, initial_interval: 250ms, max_interval: 1s, max_elapsed_time: 60s}}
    {}
  debug: {{verbosity: basic}}
service:
  extensions: [health_check]
  telemetry:
    metrics:
      level: normal
      readers: [{{pull: {{exporter: {{prometheus: {{host: 0.0.0.0, port: 8888}}}}}}}}]
  pipelines:
    traces: {{receivers: [otlp], processors: [batch], exporters: [otlp_grpc, debug]}}
)",
                     exporter);
}

std::string exporter_to(const std::string& sink, const std::string& tls, const std::string& header) {
  return fmt::format("endpoint: {}.hopcheck-lab.svc.cluster.local:4317\n    tls: {}\n    headers: {{{}: "
                     "\"${{env:HOPCHECK_BACKEND_TOKEN}}\"}}",
                     sink, tls, header);
}

// The numbers after `key` in a log, added up.
uint64_t sum_after(const std::string& log, const std::string& key) {
  uint64_t sum = 0;
  for (size_t at = log.find(key); at != std::string::npos; at = log.find(key, at + 1)) {
    sum += std::strtoull(log.c_str() + at + key.size(), nullptr, 10);
  }
  return sum;
}

class Managed : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    Lab::the().forget_providers();  // the doctor looks at providers in use alone
    LiveCluster& cluster = Lab::the().cluster;
    config_ = cluster.text_at(kConfigMap, "/data/config.yaml");
    ASSERT_NE(config_, "");
  }
  static void TearDownTestSuite() {
    set_token(Lab::the().cluster.tokens().backend);
    if (!config_.empty()) configure(config_, {});
  }
  void SetUp() override { istio_ = {lab_.cluster.record().istio_version, ""}; }
  void TearDown() override { EXPECT_EQ(log().find(token_), std::string::npos) << "a token in the Collector's log"; }

  static void set_token(const std::string& token) {
    Lab::the().cluster.patch(kSecret, LiveCluster::text_patch("/stringData/token", token));
    token_ = token;
  }
  // A Collector with this configuration and no traffic yet; further files beside it.
  static void configure(const std::string& config, const std::string& authority) {
    LiveCluster& cluster = Lab::the().cluster;
    cluster.patch(kConfigMap, LiveCluster::text_patch("/data/config.yaml", config));
    if (!authority.empty()) cluster.patch(kConfigMap, LiveCluster::text_patch("/data/ca.pem", authority));
    cluster.restart({kNs, "opentelemetry-collector"}, kCollector);
    pod_ = cluster.pod(kNs, kCollector);
  }
  // "receiver_accepted", "exporter_sent", "exporter_send_failed": spans.
  uint64_t collector(const std::string& of) {
    const std::string label = of.rfind("exporter_", 0) == 0 ? "exporter=otlp_grpc" : "";
    return lab_.cluster.metrics(kNs, pod_, 8888, "/metrics").sum("otelcol_" + of + "_spans", label).value_or(0);
  }
  std::string log() { return lab_.cluster.log_of(kNs, pod_); }
  // Drives, and waits until the Collector has all of it.
  void drive(int requests) {
    const uint64_t before = collector("receiver_accepted");
    lab_.drive(kApp, requests);
    lab_.expect_sent(kApp);
    driven_ += static_cast<uint64_t>(requests);
    EXPECT_TRUE(wait_for([&] { return collector("receiver_accepted") >= before + static_cast<uint64_t>(requests); }));
    EXPECT_EQ(collector("receiver_accepted"), driven_) << "what the proxy sent";
  }
  // So that each of them is an export of its own: the batch processor waits for 200 ms.
  void drive_rounds(int rounds) {
    for (int round = 0; round < rounds; ++round) {
      drive(10);
      std::this_thread::sleep_for(std::chrono::milliseconds(400));
    }
  }
  // The Collector has done with all that it received.
  void settle() {
    const auto done = [&] { return collector("exporter_sent") + collector("exporter_send_failed") >= driven_; };
    EXPECT_TRUE(wait_for(done)) << log();
  }
  void expect_exported(uint64_t sent, uint64_t failed) {
    settle();
    EXPECT_EQ(collector("exporter_sent"), sent);
    EXPECT_EQ(collector("exporter_send_failed"), failed);
  }

  Lab& lab_ = Lab::the();
  LiveSink backend_{lab_.cluster, "backend"};
  LiveSink secure_{lab_.cluster, "secure"};
  uint64_t driven_ = 0;  // through the Collector of this test
  proof::Versions istio_;
  static std::string config_, pod_, token_;
};
std::string Managed::config_, Managed::pod_, Managed::token_;

TEST_F(Managed, EverySpanArrivesOnceWithTheTokenOnEachRequest) {
  proof::claim({"M-34", "M-36", "M-38", "M-39", "M-40"}, Polarity::kPositive, ProofKind::kLive, istio_);
  proof::claim({"M-37"}, Polarity::kNegative, ProofKind::kLive, istio_);
  set_token(lab_.cluster.tokens().backend);
  configure(config_with(exporter_to("backend", "{insecure: true}", "Authentication")), {});
  EXPECT_EQ(lab_.cluster.ask(kNs, pod_, 13133, "/").status, 200);
  EXPECT_EQ(collector("receiver_accepted"), 0u) << "healthy before any traffic";
  const uint64_t stored = backend_.count("/spans");
  for (int round = 0; round < 4; ++round) drive(10);
  expect_exported(40, 0);
  EXPECT_EQ(backend_.count("/spans"), stored + 40);
  EXPECT_EQ(backend_.count("/duplicates"), 0u);
  EXPECT_EQ(backend_.count("/refused"), 0u) << backend_.status();
  EXPECT_EQ(backend_.count("/transports/grpc/accepted"), backend_.count("/requests"));
  EXPECT_EQ(sum_after(log(), "\"spans\": "), 40u) << "the debug exporter's lines: " << log();
  EXPECT_EQ(lab_.cluster.diagnose(), std::set<std::string>{});
}

// Refusals that senders may try again, a broken connection, a slow answer, a partial success: nothing is lost but what
// the backend rejects, and what it rejects is counted.
TEST_F(Managed, WhatIsRefusedForAWhileArrivesLater) {
  proof::claim({"M-41", "M-40"}, Polarity::kPositive, ProofKind::kLive, istio_);
  driven_ = collector("receiver_accepted");
  const uint64_t stored = backend_.count("/spans"), sent = collector("exporter_sent");
  backend_.answer_with(
      "    - {for: 2 requests, answer: {status: 503, retryAfter: 1s}}\n"
      "    - {for: 2 requests, answer: {status: 429, retryAfter: 1s}}\n"
      "    - {for: 1 request, answer: reset}\n"
      "    - {for: 1 request, delay: 2s}\n"
      "    - {for: 2 requests, answer: {rejected: 1, message: too long}}\n");
  drive_rounds(6);
  expect_exported(sent + 60, 0);
  EXPECT_EQ(backend_.count("/spans"), stored + 58);
  EXPECT_EQ(backend_.count("/rejected_spans"), 2u);
  EXPECT_EQ(backend_.count("/duplicates"), 0u);
  EXPECT_EQ(backend_.count("/refused_by_reason/scripted-503"), 2u) << backend_.status();
  EXPECT_EQ(backend_.count("/refused_by_reason/scripted-429"), 2u);
  EXPECT_EQ(backend_.count("/refused_by_reason/scripted-reset"), 1u);
}

TEST_F(Managed, WhatIsRefusedForGoodIsLostAndCountedAndWhatComesAfterArrives) {
  proof::claim({"M-41"}, Polarity::kNegative, ProofKind::kLive, istio_);
  driven_ = collector("receiver_accepted");
  const uint64_t stored = backend_.count("/spans"), sent = collector("exporter_sent");
  const uint64_t refused = backend_.count("/refused_spans");
  backend_.answer_with(
      "    - {for: 1 request, answer: {status: 401}}\n    - {for: 1 request, answer: {status: 403}}\n");
  drive_rounds(4);
  settle();
  const uint64_t lost = backend_.count("/refused_spans") - refused;
  EXPECT_GT(lost, 0u);
  expect_exported(sent + 40 - lost, lost);
  EXPECT_EQ(backend_.count("/spans"), stored + 40 - lost);
  EXPECT_EQ(backend_.count("/refused_by_reason/scripted-401"), 1u) << backend_.status();
  EXPECT_EQ(backend_.count("/refused_by_reason/scripted-403"), 1u);
}

TEST_F(Managed, AWrongTokenIsDiagnosedAsAuthenticationAndAsNothingElse) {
  proof::claim({"M-37"}, Polarity::kPositive, ProofKind::kLive, istio_);
  proof::claim({"M-39", "M-40"}, Polarity::kNegative, ProofKind::kLive, istio_);
  const uint64_t stored = backend_.count("/spans"), refused = backend_.count("/refused_by_reason/unauthorized");
  set_token("expired-" + mesh::random_hex(12));
  configure(config_with(exporter_to("backend", "{insecure: true}", "Authentication")), {});
  drive(20);
  expect_exported(0, 20);
  EXPECT_EQ(backend_.count("/spans"), stored);
  EXPECT_GT(backend_.count("/refused_by_reason/unauthorized"), refused);
  EXPECT_EQ(sum_after(log(), "\"spans\": "), 20u) << "received, as its log shows";
  EXPECT_NE(log().find("Unauthenticated"), std::string::npos) << "and not exported: " << log();
  EXPECT_EQ(lab_.cluster.diagnose(), std::set<std::string>{"export-auth observability/opentelemetry-collector"});
  set_token(lab_.cluster.tokens().backend);
}

TEST_F(Managed, TheTokenUnderAnotherHeaderIsNone) {
  proof::claim({"M-36"}, Polarity::kNegative, ProofKind::kLive, istio_);
  const uint64_t stored = backend_.count("/spans"), refused = backend_.count("/refused_by_reason/unauthorized");
  configure(config_with(exporter_to("backend", "{insecure: true}", "Authorization")), {});
  drive(10);
  expect_exported(0, 10);
  EXPECT_EQ(backend_.count("/spans"), stored);
  EXPECT_GT(backend_.count("/refused_by_reason/unauthorized"), refused);
}

// A rollout waits for the health check, and what serves stays.
TEST_F(Managed, ACollectorWithoutItsHealthCheckIsNeverReady) {
  proof::claim({"M-34"}, Polarity::kNegative, ProofKind::kLive, istio_);
  std::string config = config_with(exporter_to("backend", "{insecure: true}", "Authentication"));
  const std::string check = "  extensions: [health_check]\n";
  config.erase(config.find(check), check.size());
  lab_.cluster.patch(kConfigMap, LiveCluster::text_patch("/data/config.yaml", config));
  lab_.cluster.new_pods({kNs, "opentelemetry-collector"});
  EXPECT_TRUE(wait_for([&] { return lab_.cluster.pods(kNs, kCollector) == 2; }));
  const auto replaced = [&] { return lab_.cluster.ready_pods(kNs, kCollector) != std::vector<std::string>{pod_}; };
  EXPECT_FALSE(wait_for(replaced, 6'000));
}

TEST_F(Managed, WithTlsAndItsAuthorityEverySpanArrives) {
  proof::claim({"M-38"}, Polarity::kPositive, ProofKind::kLive, istio_);
  const std::string tls = "{ca_file: /etc/otelcol/ca.pem, server_name_override: localhost}";
  configure(config_with(exporter_to("secure", tls, "Authentication")), lab_.authority);
  drive(10);
  expect_exported(10, 0);
  EXPECT_EQ(secure_.count("/spans"), 10u) << secure_.status();
  EXPECT_EQ(secure_.count("/refused"), 0u);
}

TEST_F(Managed, PlaintextToABackendWithTlsDeliversNothingAndIsNamed) {
  proof::claim({"M-38"}, Polarity::kNegative, ProofKind::kLive, istio_);
  const uint64_t stored = secure_.count("/spans");
  configure(config_with(exporter_to("secure", "{insecure: true}", "Authentication")), {});
  drive(10);
  EXPECT_TRUE(wait_for([&] { return secure_.count("/mismatches/plaintext-on-tls") > 0; })) << secure_.status();
  EXPECT_EQ(collector("exporter_sent"), 0u);
  EXPECT_EQ(secure_.count("/spans"), stored);
  EXPECT_EQ(lab_.cluster.diagnose(), std::set<std::string>{"export-tls observability/opentelemetry-collector"})
      << log();
}

// The judge's word on it: a run whose backend refuses for a while, in every way that senders may try again. What comes
// late still nests and nothing is missing; the refusals are all that is found.
class PickyRun : public ::testing::Test {
 protected:
  void SetUp() override {
    Lab::the().put_back();
    ASSERT_NE(mkdtemp(folder_.data()), nullptr);
  }
  void TearDown() override {
    if (run_.joinable()) run_.join();
    std::filesystem::remove_all(folder_);
  }
  void start() {
    const char* build = std::getenv("BUILD");
    mesh::ProcessSpec spec;
    spec.argv = {std::string(build == nullptr ? "build" : build) + "/hopcheck",
                 "run", "scenarios/core/checkout-gateway.yaml",
                 "--provider", "kind", "--env", cluster_.record().id,
                 "--requests", "40", "--progress", "plain", "--out", folder_ + "/run"};
    spec.env = {{"HOPCHECK_PROOFS", "off"}};
    spec.timeout_ms = 180'000;
    run_ = std::thread([this, spec] {
      const std::atomic<bool> never{false};
      const auto result = mesh::make_process_runner()->run(spec, never);
      if (result) ended_ = *result;
    });
  }
  bool new_sink_than(const std::string& old) {
    return wait_for([&] {
      const auto pods = cluster_.ready_pods(kSystem, "app=sink");
      return pods.size() == 1 && pods[0] != old;
    }, 60'000);
  }

  static constexpr const char* kSystem = "hopcheck-system";
  LiveCluster& cluster_ = Lab::the().cluster;
  std::string folder_ = ::testing::TempDir() + "/picky_XXXXXX";
  std::thread run_;
  mesh::ProcessResult ended_;
};

TEST_F(PickyRun, FindsNothingButTheRefusalsOnceTheBackendTakesEverythingAgain) {
  proof::claim({"M-41"}, Polarity::kPositive, ProofKind::kLive, {cluster_.record().istio_version, ""});
  const std::string old = cluster_.pod(kSystem, "app=sink");
  start();
  ASSERT_TRUE(new_sink_than(old));
  LiveSink sink(cluster_, "sink", kSystem);
  sink.answer_with(
      "    - {for: 2 requests, answer: {status: 503, retryAfter: 1s}}\n"
      "    - {for: 2 requests, answer: {status: 429, retryAfter: 1s}}\n"
      "    - {for: 2 requests, answer: reset}\n"
      "    - {for: 2 requests, delay: 1s}\n");
  run_.join();
  EXPECT_EQ(sink.count("/refused"), 6u) << sink.status();
  auto run = report::from_json(text_of_file(folder_ + "/run/run.json"));
  ASSERT_TRUE(run) << ended_.out << ended_.err;
  ASSERT_EQ(run->findings.size(), 1u) << ended_.out;
  EXPECT_EQ(run->findings[0].code, "HOP0803");
  ASSERT_EQ(run->scenarios.size(), 1u);
  EXPECT_EQ(run->scenarios[0].verdict, Verdict::kPass) << ended_.out;
  EXPECT_TRUE(run->scenarios[0].findings.empty());
  EXPECT_EQ(run->scenarios[0].requests_by_class[static_cast<size_t>(RequestClass::kComplete)], 40u);
}

}  // namespace
}  // namespace hopcheck
