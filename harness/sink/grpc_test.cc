// OTLP/gRPC over real sockets: the same capture as over HTTP, gRPC's own refusals, limits, what is left half-way.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "h2/grpc.h"
#include "sink/test_grpc.h"
#include "sink/test_sink.h"

namespace hopcheck::sink {
namespace {

class GrpcTest : public SinkTest {
 protected:
  void SetUp() override {
    SinkTest::SetUp();
    options_.grpc = "127.0.0.1:0";
  }
  uint16_t grpc_port() const { return sink_->grpc_port(); }
  h2::TestAnswer call(const std::string& body, const std::vector<h2::Field>& fields = kGrpcFields,
                      const std::string& path = kExportPath) {
    return GrpcClient(grpc_port()).call(body, fields, path);
  }
  // Waits until nothing is under way that a test began.
  TallyCounts counts_when(uint64_t received) {
    for (int i = 0; i < 1000 && sink_->counts().bodies.received < received; ++i) usleep(10'000);
    return sink_->counts();
  }
};

TEST_F(GrpcTest, AMessageIsStoredAsOverHttpAndAcknowledged) {
  start();
  const std::string message = recorded_protobuf(0);
  const h2::TestAnswer answer = call(h2::grpc_frame(message));
  EXPECT_EQ(answer.field(":status"), "200");
  EXPECT_EQ(answer.field("content-type"), "application/grpc");
  EXPECT_EQ(answer.field("grpc-status"), "0");
  EXPECT_EQ(answer.body, std::string(5, '\0')) << "partial_success is unset";
  EXPECT_EQ(ask(post(message)).status, 200);
  const auto status = nlohmann::json::parse(control("GET /status").body);
  EXPECT_EQ(status["transports"], nlohmann::json::parse(R"({"grpc":{"requests":1,"accepted":1,"spans":5},
                                                          "http":{"requests":1,"accepted":1,"spans":5}})"));
  const TallyCounts counts = stop();
  EXPECT_EQ(counts.duplicates, 5u) << "the same spans by two ways are told";
  std::vector<store::FrameTransport> transports;
  store::CaptureParser parser;
  ASSERT_TRUE(parser.feed(capture_bytes(), [&](const store::Frame& frame) {
    transports.push_back(frame.transport);
    EXPECT_EQ(frame.body, message) << "without gRPC's prefix";
    EXPECT_EQ(frame.peer, "127.0.0.1");
  }));
  EXPECT_EQ(transports,
            (std::vector<store::FrameTransport>{store::FrameTransport::kGrpc, store::FrameTransport::kHttp}));
  EXPECT_EQ(load().spans.size(), 10u);
  EXPECT_TRUE(load().complete);
}

TEST_F(GrpcTest, ManyStreamsOfOneConnection) {
  start();
  GrpcClient client(grpc_port());
  std::vector<int32_t> streams;
  for (int i = 0; i < 100; ++i) streams.push_back(client.begin(h2::grpc_frame(recorded_protobuf(0))));
  for (const int32_t stream : streams) EXPECT_EQ(client.wait(stream).field("grpc-status"), "0");
  const TallyCounts counts = stop();
  EXPECT_EQ(counts.spans, 500u);
  EXPECT_EQ(counts.bodies.accepted, 100u);
}

TEST_F(GrpcTest, EveryCodingThatIsAnnounced) {
  start();
  const std::string message = recorded_protobuf(1);
  const auto compressed = [](const std::string& packed) {
    std::string out = h2::grpc_frame(packed);
    out[0] = 1;
    return out;
  };
  std::string zstd(ZSTD_compressBound(message.size()), '\0');
  zstd.resize(ZSTD_compress(zstd.data(), zstd.size(), message.data(), message.size(), 3));
  EXPECT_EQ(call(compressed(gzipped(message)), with("grpc-encoding", "gzip")).field("grpc-status"), "0");
  EXPECT_EQ(call(compressed(gzipped(message, 15)), with("grpc-encoding", "deflate")).field("grpc-status"), "0");
  EXPECT_EQ(call(compressed(zstd), with("grpc-encoding", "zstd")).field("grpc-status"), "0");
  EXPECT_EQ(call(h2::grpc_frame(message), with("grpc-encoding", "identity")).field("grpc-status"), "0");
  EXPECT_EQ(call(h2::grpc_frame(message), with("grpc-encoding", "gzip")).field("grpc-status"), "0")
      << "a message may be left as it is";
  EXPECT_EQ(call(h2::grpc_frame("")).field("grpc-status"), "0") << "an empty request is a success";
  stop();
  const size_t each = load().spans.size() / 5;
  EXPECT_EQ(each * 5, load().spans.size());
  EXPECT_GT(each, 0u);
}

TEST_F(GrpcTest, WhatIsNoExportIsRefusedWithGrpcsOwnStatus) {
  options_.max_body_bytes = 10'000;
  start();
  const std::string good = h2::grpc_frame(recorded_protobuf(0));
  std::string flagged = good;
  flagged[0] = 1;
  struct Case {
    const char* why;
    std::string body;
    std::vector<h2::Field> fields;
    std::string path, status;
  };
  const std::vector<h2::Field> bare{{"content-type", "application/grpc"}};
  const Case cases[] = {
      {"another service", good, kGrpcFields, "/opentelemetry.proto.collector.logs.v1.LogsService/Export", "12"},
      {"another path", good, kGrpcFields, "/v1/traces", "12"},
      {"no te", good, bare, kExportPath, "13"},
      {"another subtype", good, {{"content-type", "application/grpc+json"}, {"te", "trailers"}}, kExportPath, "12"},
      {"unknown coding", good, with("grpc-encoding", "snappy"), kExportPath, "12"},
      {"compressed by nothing", flagged, kGrpcFields, kExportPath, "13"},
      {"no gzip", flagged, with("grpc-encoding", "gzip"), kExportPath, "3"},
      {"two messages", good + good, kGrpcFields, kExportPath, "3"},
      {"half a message", good.substr(0, good.size() - 1), kGrpcFields, kExportPath, "3"},
      {"no message", "", kGrpcFields, kExportPath, "3"},
      {"no protobuf", h2::grpc_frame("\xff\xff"), kGrpcFields, kExportPath, "3"},
      {"too long", h2::grpc_frame(std::string(20'000, 'x')), kGrpcFields, kExportPath, "8"},
      {"a bomb",
       [] {
         std::string bomb = h2::grpc_frame(gzipped(std::string(20'000, '\0')));
         bomb[0] = 1;
         return bomb;
       }(),
       with("grpc-encoding", "gzip"), kExportPath, "8"},
  };
  for (const Case& each : cases) {
    const h2::TestAnswer answer = call(each.body, each.fields, each.path);
    EXPECT_EQ(answer.field(":status"), "200") << each.why;
    EXPECT_EQ(answer.field("grpc-status"), each.status) << each.why << ": " << answer.field("grpc-message");
    EXPECT_NE(answer.field("grpc-message"), "") << each.why;
    EXPECT_EQ(answer.field("grpc-status-details-bin"), "") << each.why << ": nobody is asked to try again";
  }
  EXPECT_EQ(call(good, with("grpc-encoding", "br")).field("grpc-accept-encoding"), "identity,gzip,deflate,zstd");
  EXPECT_EQ(call(good, {{"content-type", "application/x-protobuf"}}).field(":status"), "415");
  const TallyCounts counts = stop();
  EXPECT_EQ(counts.spans, 0u);
  EXPECT_EQ(counts.strays, 3u);
  EXPECT_EQ(counts.refused.at("too-large"), 2u);
  EXPECT_EQ(counts.bodies.received, counts.bodies.refused);
  EXPECT_EQ(load().bodies.refused, counts.bodies.refused) << "each left a frame";
}

TEST_F(GrpcTest, TheTokenIsAskedForBeforeTheBodyAndInLowerCase) {
  options_.expect_header = "Authentication";
  options_.expect_value = Secret("Bearer canary-7f3a");
  start();
  const std::string good = h2::grpc_frame(recorded_protobuf(0));
  EXPECT_EQ(call(good, with("authentication", "Bearer canary-7f3a")).field("grpc-status"), "0");
  for (const std::string shown : {"", "Bearer canary-7f3b", "bearer canary-7f3a"}) {
    GrpcClient client(grpc_port());
    // The body never comes, and the answer does.
    const int32_t stream = client.begin("", shown.empty() ? kGrpcFields : with("authentication", shown), kExportPath,
                                        h2::TestClient::End::kNever);
    const h2::TestAnswer answer = client.wait(stream);
    EXPECT_EQ(answer.field("grpc-status"), "16") << shown;
    EXPECT_EQ(answer.field("grpc-message"), "header Authentication is missing or has another value");
  }
  const TallyCounts counts = stop();
  EXPECT_EQ(counts.refused.at("unauthorized"), 3u);
  EXPECT_EQ(counts.spans, 5u);
  EXPECT_EQ(capture_bytes().find("canary"), std::string::npos);
  EXPECT_EQ(frame_statuses(), (std::map<int, int>{{200, 1}, {401, 3}}));
}

TEST_F(GrpcTest, WhatIsLeftHalfWayIsAbortedNeverHalfStored) {
  start();
  const std::string good = h2::grpc_frame(recorded_protobuf(0));
  {
    GrpcClient client(grpc_port());
    const int32_t stream = client.begin(good.substr(0, 100), kGrpcFields, kExportPath, h2::TestClient::End::kNever);
    client.flush();
    usleep(50'000);
    client.reset_stream(stream);
    EXPECT_EQ(client.call(good).field("grpc-status"), "0") << "the connection goes on";
  }
  counts_when(2);
  {
    GrpcClient gone(grpc_port());
    gone.begin(good.substr(0, 100), kGrpcFields, kExportPath, h2::TestClient::End::kNever);
    gone.flush();
    usleep(50'000);
  }
  EXPECT_EQ(counts_when(3).bodies.aborted, 2u);
  stop();
  EXPECT_EQ(frame_statuses(), (std::map<int, int>{{200, 1}, {499, 2}}));
  EXPECT_EQ(load().spans.size(), 5u);
}

TEST_F(GrpcTest, ASlowBodyIsRefusedAndTheOthersGoOn) {
  options_.limits.body_grace_ms = 200;
  start();
  GrpcClient client(grpc_port());
  const int32_t slow = client.begin("x", kGrpcFields, kExportPath, h2::TestClient::End::kNever);
  EXPECT_EQ(client.call(h2::grpc_frame(recorded_protobuf(0))).field("grpc-status"), "0");
  EXPECT_EQ(client.wait(slow).field("grpc-status"), "4");
  EXPECT_EQ(stop().refused.at("too-slow"), 1u);
}

TEST_F(GrpcTest, TooMuchAtOnceIsUnavailable) {
  options_.limits.max_buffered_bytes = 1000;
  start();
  GrpcClient client(grpc_port());
  const int32_t large =
      client.begin(std::string(5000, 'x'), kGrpcFields, kExportPath, h2::TestClient::End::kNever);
  EXPECT_EQ(client.wait(large).field("grpc-status"), "14");
  EXPECT_EQ(client.call(h2::grpc_frame("")).field("grpc-status"), "0");
  EXPECT_EQ(stop().refused.at("overloaded"), 1u);
}

TEST_F(GrpcTest, DrainEndsWhatIsUnderWayAndSendsGoaway) {
  start();
  GrpcClient client(grpc_port());
  EXPECT_EQ(client.call(h2::grpc_frame(recorded_protobuf(0))).field("grpc-status"), "0");
  stop();
  EXPECT_TRUE(client.ended());
  EXPECT_TRUE(client.went_away());
  EXPECT_TRUE(load().complete);
}

TEST_F(GrpcTest, BytesThatAreNoHttp2EndTheConnectionAlone) {
  start();
  GrpcClient other(grpc_port());
  for (const std::string bytes :
       {"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nrubbish!!"}) {
    TestClient raw(grpc_port());
    raw.send(bytes + std::string(64, '\xff'));
    EXPECT_TRUE(raw.ended());
  }
  EXPECT_EQ(other.call(h2::grpc_frame("")).field("grpc-status"), "0");
}

TEST_F(GrpcTest, AnUnsealedCaptureIsContinuedWithItsTransports) {
  start();
  EXPECT_EQ(call(h2::grpc_frame(recorded_protobuf(0))).field("grpc-status"), "0");
  sink_.reset();  // as a kill leaves it
  start();
  EXPECT_EQ(sink_->counts().transports.at("grpc").spans, 5u);
}

}  // namespace
}  // namespace hopcheck::sink
