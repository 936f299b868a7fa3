// Two real Collectors, 0.54.0 and the current one, with the walkthrough's configuration: what otelcol/ says of it is
// what they do. Each is started as itself on the ports of the walkthrough, so this program gives itself a network of
// its own first. Not part of ctest: scripts/ci/local runs it, with the Collectors in HOPCHECK_OTELCOL and
// HOPCHECK_OLD_OTELCOL.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

#include "mesh/http_request.h"
#include "mesh/local_processes.h"
#include "otelcol/breakages.h"
#include "otelcol/rewrite.h"
#include "otelcol/walkthrough_test.h"
#include "otlp/decode.h"
#include "otlp/encode.h"
#include "sink/sink.h"
#include "sink/test_grpc.h"
#include "store/capture.h"
#include "testing/claims.h"

namespace hopcheck::otelcol {
namespace {

constexpr const char* kCapture = "/fixtures/captures/1.30-1.38-grpc-app-gateway-status.jsonl";
constexpr Version kCurrent{0, 161, 0};
constexpr int kWaitMs = 60'000;

// Loopback alone, for this process and its children: the walkthrough's ports are free, and nobody else sees them.
class OwnNetwork : public ::testing::Environment {
  void SetUp() override {
    const int flags = geteuid() == 0 ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET;
    ASSERT_EQ(unshare(flags), 0) << "a network of its own: " << std::strerror(errno);
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifreq request{};
    std::strncpy(request.ifr_name, "lo", IFNAMSIZ - 1);
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    ASSERT_EQ(ioctl(fd, SIOCSIFFLAGS, &request), 0) << std::strerror(errno);
    close(fd);
  }
};
[[maybe_unused]] const auto* const kOwnNetwork = ::testing::AddGlobalTestEnvironment(new OwnNetwork);

bool connects(const char* address, uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  EXPECT_EQ(inet_pton(AF_INET, address, &to.sin_addr), 1);
  const bool done = connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
  const int why = errno;
  close(fd);
  EXPECT_TRUE(done || why == ECONNREFUSED) << std::strerror(why);
  return done;
}

std::string read_text(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

size_t count_of(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

// gRPC's frame of one message: not compressed, its length in four bytes.
std::string framed(const std::string& message) {
  std::string out(1, '\0');
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(message.size() >> shift & 0xff);
  return out + message;
}

class Upgrade : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"HOPCHECK_OTELCOL", "HOPCHECK_OLD_OTELCOL"})
      ASSERT_NE(std::getenv(name), nullptr) << name << " must name a Collector";
    folder_ = ::testing::TempDir() + "/upgrade_XXXXXX";
    ASSERT_NE(mkdtemp(folder_.data()), nullptr);
    log_ = folder_ + "/collector.log";
    sink::SinkOptions options;
    options.http = "127.0.0.1:0";
    options.grpc = "127.0.0.1:0";
    options.control = "";
    options.out = folder_ + "/sink";
    options.expect_header = "Authentication";
    options.expect_value = sink::Secret(kToken);
    auto started = sink::Sink::start(std::move(options));
    ASSERT_TRUE(started) << to_text(started.error());
    sink_ = std::move(*started);
    manifest_ = with(with(fixture(), "<gRPC-Endpoint>", fmt::format("127.0.0.1:{}", sink_->grpc_port())),
                     "<gRPC-Token>", kToken);
  }
  void TearDown() override {
    const auto ended = processes_.stop_all();
    EXPECT_TRUE(ended) << to_text(ended.error());
    if (sink_) {
      EXPECT_TRUE(sink_->stop());
    }
    std::filesystem::remove_all(folder_);
  }

  std::string current() const {
    const auto out = rewrite(manifest_, "otel.yaml", kCurrent);
    EXPECT_TRUE(out) << config::to_text(out.error());
    return out ? out->text : "";
  }

  // The ConfigMap's text, as the pod finds it under /conf.
  std::string mounted(const std::string& manifest) const {
    const Manifest read = must_read(manifest);
    for (const Node& document : read.documents) {
      const Node* inner = at(&document, {"data", "opentelemetry-collector-config"});
      if (inner != nullptr) return inner->text;
    }
    ADD_FAILURE() << "no configuration";
    return "";
  }

  // Starts it; "" once its health check on `address` answers 200, else what it said when it ended.
  std::string start(const char* collector, const std::string& manifest, const char* address = "127.0.0.1") {
    std::ofstream(folder_ + "/config.yaml") << mounted(manifest);
    mesh::ChildSpec spec;
    spec.name = "otelcol";
    spec.argv = {std::getenv(collector), "--config=" + folder_ + "/config.yaml"};
    spec.log_path = log_;
    const auto started = processes_.start(spec);
    if (!started) return to_text(started.error());
    const std::atomic<bool> never{false};
    const auto ready = processes_.wait_ready({{"otelcol", fmt::format("http://{}:13133/", address)}}, kWaitMs, never);
    return ready ? "" : read_text(log_) + to_text(ready.error());
  }

  // A recorded export each, with the number of its spans.
  std::string export_json(size_t line, size_t& spans) const {
    std::ifstream in(std::string(HOPCHECK_SOURCE_DIR) + kCapture);
    std::string text;
    for (size_t i = 0; i <= line; ++i) std::getline(in, text);
    Arena arena;
    std::vector<Span> decoded;
    EXPECT_TRUE(otlp::decode_json(text, arena, decoded));
    spans = decoded.size();
    return text;
  }
  std::string export_protobuf(size_t line, size_t& spans) const {
    Arena arena;
    std::vector<Span> decoded;
    EXPECT_TRUE(otlp::decode_json(export_json(line, spans), arena, decoded));
    return otlp::encode_protobuf(decoded);
  }

  // By both ways; returns how many spans were sent.
  size_t send_both() {
    size_t by_http = 0, by_grpc = 0;
    const std::atomic<bool> never{false};
    mesh::HttpRequest request;
    request.method = "POST";
    request.url = "http://127.0.0.1:4318/v1/traces";
    request.body = export_json(0, by_http);
    request.headers = {{"Content-Type", "application/json"}};
    const auto reply = mesh::http_request(request, never);
    EXPECT_TRUE(reply && reply->status == 200);
    const std::string message = framed(export_protobuf(1, by_grpc));
    EXPECT_EQ(sink::GrpcClient(4317).call(message).field("grpc-status"), "0");
    return by_http + by_grpc;
  }
  uint64_t arrived(uint64_t wanted) {
    for (int waited = 0; waited < kWaitMs && sink_->counts().spans < wanted; waited += 100)
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    return sink_->counts().spans;
  }

  // The log at level debug: a line for each export and every span of it.
  void expect_spans_in_log(size_t spans) {
    const std::string log = read_text(log_);
    EXPECT_EQ(count_of(log, "Span #"), spans);
    EXPECT_EQ(count_of(log, "Trace ID "), spans);
    EXPECT_EQ(log.find(kToken), std::string::npos);
  }

  std::string folder_, log_, manifest_;
  std::unique_ptr<sink::Sink> sink_;
  mesh::LocalProcesses processes_;
};

TEST_F(Upgrade, TheOldCollectorTakesTheWalkthroughUnchanged) {
  proof::claim({"D-08", "M-30", "M-31", "M-34", "M-36", "M-39"}, Polarity::kPositive, ProofKind::kLocal);
  ASSERT_EQ(start("HOPCHECK_OLD_OTELCOL", manifest_, "127.0.0.2"), "");
  EXPECT_EQ(sink_->counts().bodies.received, 0u) << "healthy before any traffic";
  EXPECT_EQ(count_of(read_text(log_), "Span #"), 0u);
  for (const uint16_t port : {4317, 4318, 13133}) EXPECT_TRUE(connects("127.0.0.2", port)) << port;
  EXPECT_FALSE(connects("127.0.0.2", 55678)) << "no receiver is behind the Service's port";
  const size_t sent = send_both();
  EXPECT_EQ(arrived(sent), sent);
  const auto counts = sink_->counts();
  EXPECT_EQ(counts.bodies.accepted, counts.bodies.received) << "each with the token's header";
  EXPECT_EQ(counts.transports.count("grpc"), 1u);
  expect_spans_in_log(sent);
}

TEST_F(Upgrade, TheCurrentCollectorTakesTheRewrittenOne) {
  proof::claim({"D-08", "M-30", "M-31", "M-34", "M-36", "M-39"}, Polarity::kPositive, ProofKind::kLocal);
  ASSERT_EQ(start("HOPCHECK_OTELCOL", current(), "127.0.0.2"), "");
  EXPECT_EQ(sink_->counts().bodies.received, 0u);
  for (const uint16_t port : {4317, 4318, 13133}) EXPECT_TRUE(connects("127.0.0.2", port)) << port;
  EXPECT_FALSE(connects("127.0.0.2", 55678));
  const size_t sent = send_both();
  EXPECT_EQ(arrived(sent), sent);
  EXPECT_EQ(sink_->counts().bodies.accepted, sink_->counts().bodies.received);
  expect_spans_in_log(sent);
}

// The current form with one old part put back; otelcol/ names that part alone, and the Collector does the same.
TEST_F(Upgrade, TheLoggingExporterAloneIsRefused) {
  proof::claim({"D-08", "M-34"}, Polarity::kNegative, ProofKind::kLocal);
  std::string one_old = with(current(), "debug:\n        verbosity: detailed", "logging:\n        loglevel: debug");
  one_old = with(with(one_old, "exporters: [debug]", "exporters: [logging]"), "            - debug\n",
                 "            - logging\n");
  EXPECT_EQ(told(find_breakages(must_read(one_old), kCurrent)), "25 exporter-logging\n");
  const std::string said = start("HOPCHECK_OTELCOL", one_old);
  EXPECT_NE(said.find("the logging exporter has been deprecated, use the debug exporter instead"), std::string::npos)
      << said;
  EXPECT_EQ(said.find("health_check"), std::string::npos) << said;
  EXPECT_FALSE(connects("127.0.0.1", 13133));
}

TEST_F(Upgrade, TheHealthChecksPortAloneIsRefused) {
  proof::claim({"D-08", "M-34"}, Polarity::kNegative, ProofKind::kLocal);
  const std::string one_old = with(current(), "endpoint: 0.0.0.0:13133", "port: 13133");
  EXPECT_EQ(told(find_breakages(must_read(one_old), kCurrent)), "29 health-check-port\n");
  const std::string said = start("HOPCHECK_OTELCOL", one_old);
  EXPECT_NE(said.find("has invalid keys: port"), std::string::npos) << said;
  EXPECT_EQ(said.find("logging"), std::string::npos) << said;
  EXPECT_FALSE(connects("127.0.0.1", 13133));
}

TEST_F(Upgrade, TheDefaultAddressAloneIsReachedByNobodyElse) {
  proof::claim({"D-08", "M-31", "M-39"}, Polarity::kNegative, ProofKind::kLocal);
  const std::string one_old = with(with(current(), "            endpoint: 0.0.0.0:4317\n", ""),
                                   "            endpoint: 0.0.0.0:4318\n", "");
  EXPECT_EQ(told(find_breakages(must_read(one_old), kCurrent)), "12 receiver-localhost\n13 receiver-localhost\n");
  ASSERT_EQ(start("HOPCHECK_OTELCOL", one_old, "127.0.0.2"), "") << "it starts, and is healthy";
  for (const uint16_t port : {4317, 4318}) {
    EXPECT_TRUE(connects("127.0.0.1", port)) << port;
    EXPECT_FALSE(connects("127.0.0.2", port)) << port;
  }
  EXPECT_EQ(count_of(read_text(log_), "Span #"), 0u);
}

TEST_F(Upgrade, AnotherHeaderThanTheTokensIsRefusedByTheBackend) {
  proof::claim({"M-36"}, Polarity::kNegative, ProofKind::kLocal);
  ASSERT_EQ(start("HOPCHECK_OTELCOL", with(current(), "Authentication:", "Authorization:")), "");
  send_both();
  for (int waited = 0; waited < kWaitMs && sink_->counts().bodies.refused < 2; waited += 100)
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(sink_->counts().bodies.refused, 2u);
  EXPECT_EQ(sink_->counts().spans, 0u);
  std::string log = read_text(log_);
  for (int waited = 0; waited < kWaitMs && count_of(log, "Unauthenticated") == 0; waited += 100) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));  // it is written after the answer
    log = read_text(log_);
  }
  EXPECT_GT(count_of(log, "Unauthenticated"), 0u) << "the Collector's log says what the backend said";
  EXPECT_EQ(log.find(kToken), std::string::npos);
}

}  // namespace
}  // namespace hopcheck::otelcol
