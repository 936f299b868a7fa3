// TLS of both transports, and the wrong kind of sender at each kind of port: refused, counted, named in the log.
#include "sink/test_tls.h"

#include <gtest/gtest.h>

#include <mutex>
#include <nlohmann/json.hpp>

#include "h2/grpc.h"
#include "sink/first_bytes.h"
#include "sink/test_grpc.h"
#include "sink/test_sink.h"

namespace hopcheck::sink {
namespace {

class TlsTest : public SinkTest {
 protected:
  void SetUp() override {
    SinkTest::SetUp();
    options_.grpc = "127.0.0.1:0";
    options_.log = [this](const std::string& line) {
      const std::lock_guard<std::mutex> lock(mutex_);
      lines_.push_back(line);
    };
  }
  void start_with_tls() {
    certificate_ = std::make_unique<TestCertificate>(dir_, "backend");
    options_.tls = {certificate_->certificate, certificate_->key};
    start();
  }
  // Whether a line with all of these was logged, within two seconds.
  bool logged(const std::vector<std::string>& parts) {
    for (int i = 0; i < 200; ++i, usleep(10'000)) {
      const std::lock_guard<std::mutex> lock(mutex_);
      for (const std::string& line : lines_) {
        bool all = true;
        for (const std::string& part : parts) all = all && line.find(part) != std::string::npos;
        if (all) return true;
      }
    }
    return false;
  }
  uint64_t mismatches(const std::string& what) {
    const auto counts = sink_->counts().mismatches;
    const auto found = counts.find(what);
    return found == counts.end() ? 0 : found->second;
  }
  size_t lines() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return lines_.size();
  }

  std::unique_ptr<TestCertificate> certificate_;
  std::mutex mutex_;
  std::vector<std::string> lines_;
};

h2::TestAnswer call(TlsClient& wire, const std::string& body) {
  h2::TestClient client;
  const int32_t stream = client.request("POST", kExportPath, kGrpcFields, body);
  while (!client.answers[stream].closed) {
    wire.send(client.output());
    const std::string bytes = wire.some();
    if (bytes.empty()) break;
    client.receive(bytes);
  }
  return client.answers[stream];
}

TEST_F(TlsTest, BothTransportsServeAVerifiedClient) {
  start_with_tls();
  TlsClient grpc(sink_->grpc_port(), certificate_->certificate, "h2");
  ASSERT_TRUE(grpc.connected());
  EXPECT_EQ(grpc.protocol(), "h2") << "gRPC's clients insist on it";
  EXPECT_EQ(call(grpc, h2::grpc_frame(recorded_protobuf(0))).field("grpc-status"), "0");
  TlsClient http(port(), certificate_->certificate, "http/1.1");
  ASSERT_TRUE(http.connected());
  for (int i = 0; i < 2; ++i) {  // one connection, several requests
    ASSERT_TRUE(http.send(post(recorded_protobuf(1))));
    EXPECT_EQ(http.some().substr(0, 15), "HTTP/1.1 200 OK");
  }
  EXPECT_EQ(lines(), 0u);
  const TallyCounts counts = stop();
  EXPECT_EQ(counts.transports.at("grpc").accepted, 1u);
  EXPECT_EQ(counts.transports.at("http").accepted, 2u);
  EXPECT_TRUE(counts.mismatches.empty());
}

TEST_F(TlsTest, ABodyOfManyRecordsArrivesWhole) {
  start_with_tls();
  std::string all;
  for (int i = 0; i < 300; ++i) all += recorded_protobuf(0);  // repeated fields add up
  TlsClient grpc(sink_->grpc_port(), certificate_->certificate, "h2");
  EXPECT_EQ(call(grpc, h2::grpc_frame(all)).field("grpc-status"), "0");
  EXPECT_EQ(stop().spans, 1500u);
}

TEST_F(TlsTest, PlaintextToATlsPortIsNamed) {
  start_with_tls();
  TestClient http(port());
  const Answer answer = http.ask(post(recorded_protobuf(0)));
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.body, "this port speaks TLS, use https\n");
  GrpcClient grpc(sink_->grpc_port());
  EXPECT_EQ(grpc.call(h2::grpc_frame(recorded_protobuf(0))).field("grpc-status"), "");
  TestClient http2(sink_->grpc_port());
  EXPECT_EQ(http2.ask(std::string(h2::kPreface)).status, 0) << "HTTP/2 is closed without an answer";
  EXPECT_TRUE(logged({"127.0.0.1 sends plaintext to 127.0.0.1:" + std::to_string(port()), "speaks TLS"}));
  EXPECT_TRUE(logged({"127.0.0.1 sends plaintext to 127.0.0.1:" + std::to_string(sink_->grpc_port()), "speaks TLS"}));
  for (int i = 0; i < 5; ++i) TestClient(port()).ask(post("{}"));
  EXPECT_EQ(lines(), 2u) << "said once for each peer and port";
  EXPECT_EQ(mismatches("plaintext-on-tls"), 8u);
  EXPECT_EQ(nlohmann::json::parse(control("GET /status").body)["mismatches"]["plaintext-on-tls"], 8);
  EXPECT_EQ(stop().spans, 0u);
}

TEST_F(TlsTest, WhoDoesNotTrustTheCertificateIsNamed) {
  start_with_tls();
  const TestCertificate other(dir_, "other");
  EXPECT_FALSE(TlsClient(sink_->grpc_port(), other.certificate, "h2").connected());
  EXPECT_TRUE(logged({"127.0.0.1 could not make a TLS connection", "unknown ca"}));
  EXPECT_FALSE(TlsClient(port(), certificate_->certificate, "", TLS1_1_VERSION).connected());
  EXPECT_FALSE(TlsClient(sink_->grpc_port(), certificate_->certificate, "http/1.1").connected());
  for (int i = 0; i < 200 && mismatches("tls-handshake") < 3; ++i) usleep(10'000);
  EXPECT_EQ(mismatches("tls-handshake"), 3u);
}

TEST_F(TlsTest, AHandshakeThatStallsIsCutOff) {
  options_.limits.header_timeout_ms = 200;
  start_with_tls();
  TestClient http(port()), grpc(sink_->grpc_port());
  http.send("\x16\x03\x01");
  grpc.send("\x16\x03\x01");
  EXPECT_TRUE(http.ended());
  EXPECT_TRUE(grpc.ended());
}

TEST_F(TlsTest, TlsToAPlaintextPortIsNamed) {
  start();
  const TestCertificate trusted(dir_, "backend");
  EXPECT_FALSE(TlsClient(port(), trusted.certificate, "http/1.1").connected());
  EXPECT_FALSE(TlsClient(sink_->grpc_port(), trusted.certificate, "h2").connected());
  EXPECT_TRUE(logged({"127.0.0.1 sends TLS to 127.0.0.1:" + std::to_string(port()), "speaks plaintext"}));
  EXPECT_TRUE(logged({"127.0.0.1 sends TLS to 127.0.0.1:" + std::to_string(sink_->grpc_port()), "speaks plaintext"}));
  EXPECT_EQ(mismatches("tls-on-plaintext"), 2u);
}

TEST_F(TlsTest, TheOtherTransportsPortIsNamed) {
  start();
  GrpcClient grpc(port());
  EXPECT_EQ(grpc.call(h2::grpc_frame(recorded_protobuf(0))).field("grpc-status"), "");
  TestClient http(sink_->grpc_port());
  http.send(post(recorded_protobuf(0)));
  EXPECT_TRUE(http.ended());
  EXPECT_TRUE(logged({"speaks HTTP/2, as gRPC does, to the OTLP/HTTP port"}));
  EXPECT_TRUE(logged({"speaks HTTP/1.1 to the OTLP/gRPC port"}));
}

TEST_F(TlsTest, UnusableCertificatesAreRefusedAtTheStart) {
  const TestCertificate one(dir_, "one"), two(dir_, "two");
  const std::pair<TlsFiles, std::string> cases[] = {{{dir_ + "/none.pem", one.key}, "none.pem"},
                                                    {{one.certificate, dir_ + "/none.key"}, "none.key"},
                                                    {{one.certificate, two.key}, "two.key"},
                                                    {{one.key, one.key}, "one.key"}};
  for (const auto& [files, named] : cases) {
    options_.out = dir_ + "/" + named + "-out";
    options_.tls = files;
    const auto started = Sink::start(options_);
    ASSERT_FALSE(started) << named;
    EXPECT_EQ(started.error().kind, ErrorKind::kUsage);
    EXPECT_NE(started.error().what.find(named), std::string::npos) << started.error().what;
  }
}

TEST(FirstBytes, ToldFromAsFewAsCanTellThem) {
  EXPECT_EQ(spoken_in(""), Spoken::kUnknown);
  EXPECT_EQ(spoken_in("\x16"), Spoken::kTls);
  EXPECT_EQ(spoken_in("P"), Spoken::kUnknown) << "PRI, POST, PUT or PATCH";
  EXPECT_EQ(spoken_in("PRI"), Spoken::kHttp2);
  EXPECT_EQ(spoken_in("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Spoken::kHttp2);
  EXPECT_EQ(spoken_in("POST /v1/traces HTTP/1.1"), Spoken::kHttp1);
  EXPECT_EQ(spoken_in("GET"), Spoken::kHttp1);
  EXPECT_EQ(spoken_in("\xff\xff\xff\xff"), Spoken::kUnknown);
  EXPECT_EQ(spoken_in("hello there"), Spoken::kUnknown);
}

}  // namespace
}  // namespace hopcheck::sink
