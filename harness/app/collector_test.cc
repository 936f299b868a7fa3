// A real Collector, fed with what real proxies sent (fixtures/captures): head sampling is blind to failures, a tail
// sampler keeps every one of them (rows O-22, O-25). Not part of ctest: scripts/ci/local runs it with the Collector in
// HOPCHECK_OTELCOL. The judge has no part in it; what arrives behind the sampler is compared with what was recorded.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <thread>

#include "mesh/http_request.h"
#include "mesh/process.h"
#include "otlp/decode.h"
#include "testing/claims.h"

namespace hopcheck::mesh {
namespace {

constexpr const char* kCapture = "/fixtures/captures/1.30-1.38-grpc-app-gateway-status.jsonl";
constexpr const char* kConfig = R"(
receivers: {{otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{port}"}}}}}}}}
processors: {{tail_sampling: {{decision_wait: 2s, policies: [{policy}]}}}}
exporters: {{file: {{path: "{file}", flush_interval: 100ms}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{traces: {{receivers: [otlp], processors: [tail_sampling], exporters: [file]}}}}
)";
constexpr const char* kErrors = "{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}";
constexpr const char* kFine =
    "{name: fine, type: string_attribute, string_attribute: {key: http.status_code, values: ['200']}}";
constexpr int kWaitMs = 20'000;

uint16_t free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  close(fd);
  return ntohs(address.sin_port);
}

class TailSampling : public ::testing::Test {
 protected:
  using Traces = std::map<TraceId, size_t>;  // spans of each

  void SetUp() override {
    const char* path = std::getenv("HOPCHECK_OTELCOL");
    ASSERT_NE(path, nullptr) << "HOPCHECK_OTELCOL must name a Collector with tail_sampling and file";
    otelcol_ = path;
    std::string folder = ::testing::TempDir() + "/tail_sampling_XXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    std::vector<Span> spans;
    std::ifstream in(std::string(HOPCHECK_SOURCE_DIR) + kCapture);
    for (std::string line; std::getline(in, line); lines_.push_back(line))
      ASSERT_TRUE(otlp::decode_json(line, arena_, spans));
    for (const Span& span : spans) {
      ++(span.status == StatusCode::kError ? erring_ : recorded_)[span.trace_id];
      const std::string_view id = span.attributes.text("guid:x-request-id");
      if (!id.empty()) request_id_[span.trace_id] = id;
    }
    for (const auto& [trace, count] : erring_) failing_[trace] = count + recorded_[trace];
    for (const auto& [trace, count] : failing_) recorded_[trace] = count;
    ASSERT_EQ(recorded_.size(), 12u);
    ASSERT_EQ(failing_.size(), 9u);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // What a Collector with this policy lets through of the capture: waits until so many traces are there, and then for
  // one decision more, so that what must not come has had its time.
  Traces through(const std::string& policy, size_t wanted) {
    const uint16_t port = free_port();
    const std::string file = folder_ + "/out.jsonl", config = folder_ + "/collector.yaml";
    std::ofstream(config) << fmt::format(fmt::runtime(kConfig), fmt::arg("port", port), fmt::arg("policy", policy),
                                         fmt::arg("file", file));
    std::atomic<bool> stop{false};
    std::string last_words;
    std::thread collector([&] {
      ProcessSpec spec;
      spec.argv = {otelcol_, "--config", config};
      const auto done = make_process_runner()->run(spec, stop);
      last_words = done ? last_lines(done->err, 3) : done.error().what;
    });
    feed(port);
    for (int waited = 0; waited < kWaitMs && traces_in(file).size() < wanted; waited += 200)
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    std::this_thread::sleep_for(std::chrono::seconds(3));  // decision_wait, and the sampler's tick of a second
    stop = true;
    collector.join();
    const Traces out = traces_in(file);
    EXPECT_GE(out.size(), wanted) << last_words;
    std::filesystem::remove(file);
    return out;
  }

  Traces traces_in(const std::string& file) {
    std::vector<Span> spans;
    std::ifstream in(file);
    for (std::string line; std::getline(in, line) && !in.eof();)  // not one that is being written
      EXPECT_TRUE(otlp::decode_json(line, arena_, spans));
    Traces out;
    for (const Span& span : spans) ++out[span.trace_id];
    return out;
  }

  void feed(uint16_t port) {
    const std::atomic<bool> never{false};
    for (const std::string& line : lines_) {
      HttpRequest request;
      request.method = "POST";
      request.url = fmt::format("http://127.0.0.1:{}/v1/traces", port);
      request.body = line;
      request.headers = {{"Content-Type", "application/json"}};
      Result<HttpReply> reply = http_request(request, never);
      for (int i = 0; i < 100 && !reply; ++i) {  // until it listens
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        reply = http_request(request, never);
      }
      ASSERT_TRUE(reply) << reply.error().what;
      ASSERT_EQ(reply->status, 200) << reply->body;
    }
  }

  // Facts 1.8: a proxy samples when the first eight hex digits, modulo 10 000, are below 100 times the percentage.
  bool drawn(const TraceId& trace, uint32_t percent) const {
    uint32_t value = 0;
    const std::string_view id = request_id_.at(trace);
    EXPECT_EQ(std::from_chars(id.data(), id.data() + 8, value, 16).ec, std::errc());
    return value % 10'000 < percent * 100;
  }

  std::string otelcol_, folder_;
  Arena arena_;
  std::vector<std::string> lines_;
  Traces recorded_, erring_, failing_;
  std::map<TraceId, std::string_view> request_id_;
};

TEST_F(TailSampling, EveryFailureArrivesWholeAndNothingElse) {
  proof::claim({"O-25"}, Polarity::kPositive, ProofKind::kLocal, {"1.30", "1.38"});
  EXPECT_EQ(through(kErrors, failing_.size()), failing_);
  // Of the same requests 10 % at the head would have lost most failures.
  size_t kept = 0;
  for (const auto& [trace, count] : failing_) kept += drawn(trace, 10) ? 1 : 0;
  EXPECT_LT(kept, failing_.size());
}

TEST_F(TailSampling, APolicyThatDoesNotAskForErrorsLosesThem) {
  proof::claim({"O-25"}, Polarity::kNegative, ProofKind::kLocal, {"1.30", "1.38"});
  Traces fine = recorded_;
  for (const auto& [trace, count] : failing_) fine.erase(trace);
  EXPECT_EQ(through(kFine, fine.size()), fine);
}

}  // namespace
}  // namespace hopcheck::mesh
