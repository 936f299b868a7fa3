// A real Envoy's OTLP/HTTP exporter, configured as Istio's HTTP provider configures it (facts section 3), before our
// sink: its header, its path, its timeout (rows M-12, M-13, M-14). Run by scripts/ci/local with the Envoy in
// HOPCHECK_ENVOY.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "app/test_backend.h"
#include "sink/sink.h"
#include "store/capture.h"
#include "testing/claims.h"

namespace hopcheck {
namespace {

constexpr uint64_t kRequests = 12;

// One listener that answers by itself: a server span for each request. Spans are flushed early, so that each few of
// them are an export.
constexpr const char* kConfig = R"(
admin: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {admin}}}}}}}
layered_runtime:
  layers:
  - name: flush
    static_layer: {{tracing.opentelemetry.min_flush_spans: 3, tracing.opentelemetry.flush_interval_ms: 300}}
static_resources:
  clusters:
  - name: collector
    connect_timeout: 5s
    type: STATIC
    load_assignment:
      cluster_name: collector
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {sink}}}}}}}
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: in
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes: [{{match: {{prefix: /}}, direct_response: {{status: 200}}}}]
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
          tracing:
            provider:
              name: envoy.tracers.opentelemetry
              typed_config:
                "@type": type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig
                service_name: front
                http_service:
                  http_uri: {{uri: "collector.observability{path}", cluster: collector, timeout: 5s}}
                  request_headers_to_add: [{headers}]
)";
constexpr const char* kHeader =
    "{header: {key: custom-header, value: custom value}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}";

class HttpProvider : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* path = std::getenv("HOPCHECK_ENVOY");
    ASSERT_NE(path, nullptr) << "HOPCHECK_ENVOY must name an Envoy";
    envoy_path_ = path;
    std::string folder = ::testing::TempDir() + "/export_XXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    options_.http = "127.0.0.1:0";
    options_.control = "";
    options_.out = folder_ + "/sink";
    options_.expect_header = "Custom-Header";
    options_.expect_value = sink::Secret("custom value");
    options_.drain_ms = 200;
  }
  void TearDown() override {
    envoy_.stop();
    sink_.reset();
    std::filesystem::remove_all(folder_);
  }
  // Answers every export only after so long.
  void answer_after(int64_t seconds) {
    AnswerStep step;
    step.answer.delay_nanos = seconds * 1'000'000'000;
    options_.answers = {"slow", {step}};
  }
  // Starts both and sends kRequests through Envoy.
  void drive(const std::string& path = "/v1/traces", const std::string& headers = kHeader) {
    auto started = sink::Sink::start(options_);
    ASSERT_TRUE(started) << started.error().what;
    sink_ = std::move(*started);
    const uint16_t port = free_port();
    admin_ = free_port();
    const std::string config = folder_ + "/envoy.yaml";
    std::ofstream(config) << fmt::format(fmt::runtime(kConfig), fmt::arg("admin", admin_),
                                         fmt::arg("sink", sink_->http_port()), fmt::arg("port", port),
                                         fmt::arg("path", path), fmt::arg("headers", headers));
    envoy_.start({envoy_path_, "-c", config, "--disable-hot-restart", "--concurrency", "1"}, folder_ + "/envoy.log");
    for (uint64_t i = 0; i < kRequests; ++i) {
      mesh::HttpRequest request;
      request.url = fmt::format("http://127.0.0.1:{}/", port);
      const auto reply = ask_patiently(request);
      ASSERT_TRUE(reply) << text_of_file(folder_ + "/envoy.log");
      ASSERT_EQ(reply->status, 200);
    }
  }
  // What Envoy says of its exports: "_rq_xx" with a class, "_rq_timeout".
  uint64_t exports(const std::string& of, const std::string& label = "") {
    return metric(fmt::format("http://127.0.0.1:{}/stats/prometheus", admin_), "envoy_cluster_upstream" + of, label);
  }
  sink::TallyCounts finish() {
    envoy_.stop();
    const auto counts = sink_->stop();
    EXPECT_TRUE(counts);
    return counts ? *counts : sink::TallyCounts{};
  }

  std::string envoy_path_, folder_;
  sink::SinkOptions options_;
  std::unique_ptr<sink::Sink> sink_;
  Child envoy_;
  uint16_t admin_ = 0;
};

TEST_F(HttpProvider, TheCustomHeaderIsOnEveryExport) {
  proof::claim({"M-12"}, Polarity::kPositive, ProofKind::kLocal);
  proof::claim({"M-13"}, Polarity::kNegative, ProofKind::kLocal);
  drive();
  EXPECT_TRUE(wait_for([this] { return sink_->counts().spans == kRequests; })) << sink_->counts().spans;
  const sink::TallyCounts counts = finish();
  EXPECT_EQ(counts.strays, 0u);
  EXPECT_GE(counts.bodies.received, 2u);
  EXPECT_EQ(counts.bodies.accepted, counts.bodies.received) << "one without the header is refused";
}

TEST_F(HttpProvider, WithoutTheHeaderEveryExportIsRefused) {
  proof::claim({"M-12"}, Polarity::kNegative, ProofKind::kLocal);
  drive("/v1/traces", "");
  EXPECT_TRUE(wait_for([this] { return exports("_rq_xx", "envoy_response_code_class=4") > 0; }));
  const sink::TallyCounts counts = finish();
  EXPECT_EQ(counts.spans, 0u);
  EXPECT_GT(counts.refused.at("unauthorized"), 0u);
}

TEST_F(HttpProvider, AnotherPathGets404AndIsNamed) {
  proof::claim({"M-13"}, Polarity::kPositive, ProofKind::kLocal);
  std::mutex mutex;
  std::string said;
  options_.log = [&](const std::string& line) {
    const std::lock_guard<std::mutex> lock(mutex);
    said += line + "\n";
  };
  drive("/api/traces");
  EXPECT_TRUE(wait_for([this] { return exports("_rq_xx", "envoy_response_code_class=4") > 0; }));
  const sink::TallyCounts counts = finish();
  EXPECT_EQ(counts.spans, 0u);
  EXPECT_GT(counts.mismatches.at("wrong-path"), 0u);
  EXPECT_NE(said.find("127.0.0.1 posts to /api/traces, which is not served: OTLP/HTTP has /v1/traces"),
            std::string::npos)
      << said;
}

TEST_F(HttpProvider, ASlowerReceiverThanTheTimeoutLosesExports) {
  proof::claim({"M-14"}, Polarity::kNegative, ProofKind::kLocal);
  answer_after(7);
  drive();
  EXPECT_TRUE(wait_for([this] { return sink_->counts().refused_spans == kRequests; })) << sink_->counts().refused_spans;
  EXPECT_GT(exports("_rq_timeout"), 0u);
  const sink::TallyCounts counts = finish();
  EXPECT_EQ(counts.spans, 0u);
  EXPECT_EQ(counts.refused.size(), 1u);
  EXPECT_GT(counts.refused.at("too-late"), 0u);
}

TEST_F(HttpProvider, AFasterReceiverThanTheTimeoutLosesNone) {
  proof::claim({"M-14"}, Polarity::kPositive, ProofKind::kLocal);
  answer_after(3);
  drive();
  EXPECT_TRUE(wait_for([this] { return sink_->counts().spans == kRequests; })) << sink_->counts().spans;
  EXPECT_EQ(exports("_rq_timeout"), 0u);
  EXPECT_EQ(finish().refused_spans, 0u);
}

}  // namespace
}  // namespace hopcheck
