// A real Collector before our sink as a managed backend: OTLP/gRPC, TLS, a token from a file, answers that change over
// time (rows M-36, M-37, M-38, M-40, M-41). Fed with what real proxies sent (fixtures/captures). Not part of ctest:
// scripts/ci/local runs it with the Collector in HOPCHECK_OTELCOL. No judge has a part in it: what the sink holds, its
// counts, and what the Collector says of itself are compared with what was recorded.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <tuple>

#include "app/test_backend.h"
#include "config/answers.h"
#include "otlp/decode.h"
#include "sink/sink.h"
#include "sink/test_tls.h"
#include "store/capture.h"
#include "testing/claims.h"

namespace hopcheck {
namespace {

constexpr const char* kCapture = "/fixtures/captures/1.30-1.38-grpc-app-gateway-status.jsonl";
constexpr const char* kToken = "Bearer canary-5d1c0e";

// What a Collector exports with; `tls` and `headers` are YAML of its otlp exporter, `retry` of retry_on_failure.
struct Exporter {
  std::string tls, headers;
  std::string retry = "{enabled: true, initial_interval: 100ms, max_interval: 500ms, max_elapsed_time: 60s}";
};

constexpr const char* kConfig = R"(
receivers: {{otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{port}"}}}}}}}}
processors: {{batch: {{timeout: 50ms}}}}
exporters:
  otlp: {{endpoint: "127.0.0.1:{backend}", tls: {tls}, headers: {headers}, retry_on_failure: {retry}}}
service:
  telemetry:
    metrics:
      level: normal
      readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {metrics}}}}}}}}}]
  pipelines: {{traces: {{receivers: [otlp], processors: [batch], exporters: [otlp]}}}}
)";

// All that must stay as it is between the proxies and us.
using SpanFacts = std::tuple<TraceId, SpanId, SpanId, uint64_t, uint64_t, std::string>;
std::multiset<SpanFacts> facts_of(const std::vector<Span>& spans) {
  std::multiset<SpanFacts> out;
  for (const Span& span : spans) {
    out.emplace(span.trace_id, span.span_id, span.parent_id, span.start_unix_nanos, span.end_unix_nanos,
                std::string(span.name));
  }
  return out;
}

class Backend : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* path = std::getenv("HOPCHECK_OTELCOL");
    ASSERT_NE(path, nullptr) << "HOPCHECK_OTELCOL must name a Collector with the otlp exporter";
    otelcol_ = path;
    std::string folder = ::testing::TempDir() + "/backend_XXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    std::ifstream in(std::string(HOPCHECK_SOURCE_DIR) + kCapture);
    for (std::string line; std::getline(in, line); lines_.push_back(line)) {
      ASSERT_TRUE(otlp::decode_json(line, arena_, recorded_));
    }
    ASSERT_GT(recorded_.size(), 50u);
    certificate_ = std::make_unique<sink::TestCertificate>(folder_, "backend");
    std::ofstream(folder_ + "/token") << kToken;
    options_.http = options_.grpc = "127.0.0.1:0";
    options_.control = "";
    options_.out = folder_ + "/sink";
    options_.expect_header = "Authentication";
    options_.expect_value = sink::Secret(kToken);
    options_.tls = {certificate_->certificate, certificate_->key};
    options_.log = [this](const std::string& line) {
      const std::lock_guard<std::mutex> lock(mutex_);
      said_ += line + "\n";
    };
  }
  void TearDown() override {
    collector_.stop();
    sink_.reset();
    std::filesystem::remove_all(folder_);
  }

  Exporter secure() const {
    return {fmt::format("{{ca_file: \"{}\"}}", certificate_->certificate),
            fmt::format("{{Authentication: \"${{file:{}/token}}\"}}", folder_)};
  }
  void answer_with(const std::string& steps) {
    auto plan = config::parse_answers(
        "apiVersion: hopcheck.dev/v1alpha1\nkind: Answers\nmetadata: {name: test}\nspec:\n  steps:\n" + steps, "test");
    ASSERT_TRUE(plan) << config::to_text(plan.error());
    options_.answers = *plan;
  }
  void start(const Exporter& exporter) {
    auto started = sink::Sink::start(options_);
    ASSERT_TRUE(started) << started.error().what << ": " << started.error().why;
    sink_ = std::move(*started);
    port_ = free_port();
    metrics_ = free_port();
    const std::string config = folder_ + "/collector.yaml";
    std::ofstream(config) << fmt::format(
        fmt::runtime(kConfig), fmt::arg("port", port_), fmt::arg("backend", sink_->grpc_port()),
        fmt::arg("metrics", metrics_), fmt::arg("tls", exporter.tls), fmt::arg("headers", exporter.headers),
        fmt::arg("retry", exporter.retry));
    collector_.start({otelcol_, "--config", config}, folder_ + "/collector.log");
  }
  void feed() {
    for (const std::string& line : lines_) {
      mesh::HttpRequest request;
      request.method = "POST";
      request.url = fmt::format("http://127.0.0.1:{}/v1/traces", port_);
      request.body = line;
      request.headers = {{"Content-Type", "application/json"}};
      const auto reply = ask_patiently(request);
      ASSERT_TRUE(reply) << reply.error().what << collector_log();
      ASSERT_EQ(reply->status, 200) << reply->body;
    }
  }
  // The Collector's own count of spans: "receiver_accepted", "exporter_sent", "exporter_send_failed".
  uint64_t collector_count(const std::string& of) {
    return metric(fmt::format("http://127.0.0.1:{}/metrics", metrics_), "otelcol_" + of + "_spans");
  }
  std::string collector_log() const { return text_of_file(folder_ + "/collector.log"); }
  std::string said() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return said_;
  }
  bool all_arrived() { return wait_for([this] { return sink_->counts().spans >= recorded_.size(); }); }
  // Ends both, the sender first; nothing comes after that.
  sink::TallyCounts finish() {
    collector_.stop();
    const auto counts = sink_->stop();
    EXPECT_TRUE(counts);
    return counts ? *counts : sink::TallyCounts{};
  }
  store::LoadedCapture capture() const {
    auto loaded = store::load_capture(folder_ + "/sink/capture.hcl");
    EXPECT_TRUE(loaded);
    return loaded ? std::move(*loaded) : store::LoadedCapture{};
  }
  // No file of the test but the token's own holds the token.
  void expect_no_token() {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_)) {
      if (!entry.is_regular_file() || entry.path().filename() == "token") continue;
      EXPECT_EQ(text_of_file(entry.path()).find("canary"), std::string::npos) << entry.path();
    }
    EXPECT_EQ(said().find("canary"), std::string::npos);
  }

  std::string otelcol_, folder_, said_;
  std::mutex mutex_;
  Arena arena_;
  std::vector<std::string> lines_;
  std::vector<Span> recorded_;
  std::unique_ptr<sink::TestCertificate> certificate_;
  sink::SinkOptions options_;
  std::unique_ptr<sink::Sink> sink_;
  Child collector_;
  uint16_t port_ = 0, metrics_ = 0;
};

TEST_F(Backend, EverySpanIsDeliveredOnceOverTlsWithTheToken) {
  proof::claim({"M-36", "M-38", "M-40"}, Polarity::kPositive, ProofKind::kLocal);
  proof::claim({"M-37"}, Polarity::kNegative, ProofKind::kLocal);
  start(secure());
  feed();
  EXPECT_TRUE(all_arrived()) << collector_log();
  EXPECT_TRUE(wait_for([this] { return collector_count("exporter_sent") == recorded_.size(); }));
  EXPECT_EQ(collector_count("receiver_accepted"), recorded_.size());
  EXPECT_EQ(collector_count("exporter_send_failed"), 0u);
  const sink::TallyCounts counts = finish();
  EXPECT_EQ(counts.duplicates, 0u);
  EXPECT_TRUE(counts.refused.empty());
  EXPECT_EQ(counts.transports.count("http"), 0u);
  EXPECT_EQ(counts.transports.at("grpc").accepted, counts.bodies.received) << "the token stood on every request";
  EXPECT_EQ(facts_of(capture().spans), facts_of(recorded_));
  EXPECT_EQ(collector_log().find("Unauthenticated"), std::string::npos);
  expect_no_token();
}

TEST_F(Backend, AWrongTokenDeliversNothingAndIsNamedAsAuthentication) {
  proof::claim({"M-37"}, Polarity::kPositive, ProofKind::kLocal);
  proof::claim({"M-40"}, Polarity::kNegative, ProofKind::kLocal);
  std::ofstream(folder_ + "/token") << "Bearer canary-expired";
  start(secure());
  feed();
  EXPECT_TRUE(wait_for([this] { return collector_count("exporter_send_failed") == recorded_.size(); }));
  EXPECT_EQ(collector_count("receiver_accepted"), recorded_.size()) << "the mesh's part is sound";
  EXPECT_NE(collector_log().find("Unauthenticated"), std::string::npos) << collector_log();
  EXPECT_NE(collector_log().find("header Authentication is missing or has another value"), std::string::npos);
  const sink::TallyCounts counts = finish();
  EXPECT_EQ(counts.spans, 0u);
  EXPECT_EQ(counts.refused.at("unauthorized"), counts.bodies.received);
  EXPECT_EQ(capture().spans.size(), 0u);
  expect_no_token();
}

TEST_F(Backend, TheTokenUnderAnotherHeaderNameIsNone) {
  proof::claim({"M-36"}, Polarity::kNegative, ProofKind::kLocal);
  Exporter exporter = secure();
  exporter.headers.replace(exporter.headers.find("Authentication"), 14, "Authorization");
  start(exporter);
  feed();
  EXPECT_TRUE(wait_for([this] { return collector_count("exporter_send_failed") == recorded_.size(); }));
  const sink::TallyCounts counts = finish();
  EXPECT_EQ(counts.spans, 0u);
  EXPECT_GT(counts.refused.at("unauthorized"), 0u);
  expect_no_token();
}

TEST_F(Backend, InsecureIsAcceptedByAPlaintextBackend) {
  proof::claim({"M-38"}, Polarity::kPositive, ProofKind::kLocal);
  options_.tls = {};
  Exporter exporter = secure();
  exporter.tls = "{insecure: true}";
  start(exporter);
  feed();
  EXPECT_TRUE(all_arrived()) << collector_log();
  EXPECT_EQ(finish().duplicates, 0u);
}

TEST_F(Backend, PlaintextToATlsBackendIsNamed) {
  proof::claim({"M-38"}, Polarity::kNegative, ProofKind::kLocal);
  Exporter exporter = secure();
  exporter.tls = "{insecure: true}";
  start(exporter);
  feed();
  EXPECT_TRUE(wait_for([this] { return said().find("127.0.0.1 sends plaintext to") != std::string::npos; }));
  const sink::TallyCounts counts = finish();
  EXPECT_GT(counts.mismatches.at("plaintext-on-tls"), 0u);
  EXPECT_EQ(counts.spans, 0u);
  expect_no_token();
}

TEST_F(Backend, ACertificateThatIsNotTrustedDeliversNothing) {
  proof::claim({"M-38"}, Polarity::kNegative, ProofKind::kLocal);
  const sink::TestCertificate other(folder_, "other");
  Exporter exporter = secure();
  exporter.tls = fmt::format("{{ca_file: \"{}\"}}", other.certificate);
  start(exporter);
  feed();
  EXPECT_TRUE(wait_for([this] { return said().find("could not make a TLS connection") != std::string::npos; }));
  EXPECT_NE(collector_log().find("certificate"), std::string::npos) << collector_log();
  const sink::TallyCounts counts = finish();
  EXPECT_GT(counts.mismatches.at("tls-handshake"), 0u);
  EXPECT_EQ(counts.spans, 0u);
}

TEST_F(Backend, ABackendThatComesBackHasEverySpanOnce) {
  proof::claim({"M-41"}, Polarity::kPositive, ProofKind::kLocal);
  answer_with(
      "    - {for: 2 requests, answer: {status: 503, retryAfter: 200ms}}\n"
      "    - {for: 2 requests, answer: {status: 429, retryAfter: 200ms}}\n"
      "    - {for: 1 request, answer: {grpc: UNAVAILABLE}}\n"
      "    - {for: 1 request, answer: reset}\n"
      "    - {for: 1 request, delay: 300ms}\n");
  start(secure());
  feed();
  EXPECT_TRUE(all_arrived()) << collector_log();
  EXPECT_TRUE(wait_for([this] { return collector_count("exporter_sent") == recorded_.size(); }));
  EXPECT_EQ(collector_count("exporter_send_failed"), 0u);
  const sink::TallyCounts counts = finish();
  EXPECT_EQ(counts.refused,
            (std::map<std::string, uint64_t>{
                {"scripted-429", 2}, {"scripted-503", 2}, {"scripted-UNAVAILABLE", 1}, {"scripted-reset", 1}}));
  EXPECT_GT(counts.refused_spans, 0u);
  EXPECT_EQ(counts.duplicates, 0u);
  EXPECT_EQ(facts_of(capture().spans), facts_of(recorded_)) << "with the same parents and times: they nest as before";
}

TEST_F(Backend, WhatIsRefusedForGoodIsLostAndCountedAsRefusedByUs) {
  proof::claim({"M-41"}, Polarity::kNegative, ProofKind::kLocal);
  answer_with("    - {for: 1 request, answer: {grpc: INVALID_ARGUMENT}}\n");
  start(secure());
  feed();
  EXPECT_TRUE(wait_for([this] {
    return collector_count("exporter_sent") + collector_count("exporter_send_failed") == recorded_.size();
  })) << collector_log();
  const uint64_t lost = collector_count("exporter_send_failed");
  EXPECT_GT(lost, 0u);
  const sink::TallyCounts counts = finish();
  EXPECT_EQ(counts.refused_spans, lost);
  EXPECT_EQ(counts.spans + counts.refused_spans, recorded_.size());
  EXPECT_EQ(capture().spans.size(), recorded_.size() - lost);
}

}  // namespace
}  // namespace hopcheck
