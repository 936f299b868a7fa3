// Exports over real sockets: framing, codings, order, limits, refusals.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "otlp/json_text.h"
#include "sink/test_sink.h"

namespace hopcheck::sink {
namespace {

TEST_F(SinkTest, ChunkedBodiesInAnyCut) {
  start();
  const std::string body = recorded_protobuf(0);
  for (const size_t size : {size_t{1}, size_t{7}, size_t{1000}, body.size()}) {
    const Answer answer = ask(post_chunked(chunked(body, size)));
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, "");
    EXPECT_TRUE(answer.has("Content-Type: application/x-protobuf\r\n")) << answer.head;
    EXPECT_TRUE(answer.has("Content-Length: 0\r\n"));
  }
  std::string odd = chunked(body, 500);
  odd.replace(odd.find("\r\n"), 2, ";name=value;other=\"x\"\r\n");
  odd.insert(odd.size() - 2, "trailer: x\r\n");
  EXPECT_EQ(ask(post_chunked(odd)).status, 200);
  const TallyCounts counts = stop();
  EXPECT_EQ(counts.bodies.accepted, 5u);
  EXPECT_EQ(counts.spans, 25u);
  EXPECT_EQ(counts.duplicates, 20u);
  EXPECT_EQ(load().spans.size(), 25u);
  EXPECT_TRUE(load().complete);
}

TEST_F(SinkTest, EveryCodingAndBothEncodings) {
  start();
  const std::string json = recorded_json()[1], wire = recorded_protobuf(1);
  std::string packed(ZSTD_compressBound(wire.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), wire.data(), wire.size(), 3));
  EXPECT_EQ(ask(post(gzipped(wire), "Content-Encoding: gzip\r\n")).status, 200);
  EXPECT_EQ(ask(post(gzipped(wire, 15), "Content-Encoding: deflate\r\n")).status, 200);
  EXPECT_EQ(ask(post(packed, "Content-Encoding: zstd\r\n")).status, 200);
  EXPECT_EQ(ask(post(wire, "Content-Encoding: identity\r\n")).status, 200);
  const Answer answer = ask(post(json, "", "Application/JSON; charset=utf-8"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "{}");
  EXPECT_TRUE(answer.has("Content-Type: application/json\r\n"));
  EXPECT_EQ(ask(post(gzipped(json), "CONTENT-ENCODING: GZIP\r\n", "application/json")).status, 200);
  stop();
  const store::LoadedCapture loaded = load();
  EXPECT_TRUE(loaded.complete) << loaded.problem;
  ASSERT_EQ(loaded.spans.size() % 6, 0u);
  const size_t each = loaded.spans.size() / 6;
  for (size_t i = each; i < loaded.spans.size(); ++i)
    EXPECT_EQ(loaded.spans[i].span_id, loaded.spans[i % each].span_id);
}

TEST_F(SinkTest, EmptyRequestsSucceed) {
  start();
  EXPECT_EQ(ask(post("")).status, 200);
  EXPECT_EQ(ask(post("", "", "application/json")).body, "{}");
  EXPECT_EQ(ask(post("{}", "", "application/json")).status, 200);
  EXPECT_EQ(ask(post_chunked("0\r\n\r\n")).status, 200);
  EXPECT_EQ(ask(post("", "Content-Encoding: gzip\r\n")).status, 400);
}

TEST_F(SinkTest, PipelinedRequestsAreAnsweredInOrder) {
  start();
  TestClient client(port());
  const std::string good = recorded_protobuf(2);
  std::string all;
  for (int i = 0; i < 20; ++i) {
    all += post_chunked(chunked(good, 300)) + post("\xff\xff") + post("{}", "", "application/json") +
           "GET /v1/metrics HTTP/1.1\r\nHost: x\r\n\r\n";
  }
  ASSERT_TRUE(client.send(all));
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(client.receive().status, 200);
    EXPECT_EQ(client.receive().status, 400);  // and the connection goes on
    EXPECT_EQ(client.receive().body, "{}");
    EXPECT_EQ(client.receive().status, 404);
  }
  const TallyCounts counts = stop();
  EXPECT_EQ(counts.bodies.accepted, 40u);
  EXPECT_EQ(counts.bodies.refused, 20u);
  EXPECT_EQ(counts.strays, 20u);
}

TEST_F(SinkTest, UndecodableIsRefusedCountedAndLeavesAFrameWithoutBody) {
  start();
  const std::string good = recorded_protobuf(0);
  const Answer protobuf = ask(post(good.substr(0, good.size() - 1)));
  EXPECT_EQ(protobuf.status, 400);
  EXPECT_EQ(protobuf.body.substr(0, 2), "\x08\x03");  // Status.code INVALID_ARGUMENT
  EXPECT_NE(protobuf.body.find("length runs past the end at byte "), std::string::npos) << protobuf.body;
  const Answer json = ask(post("{\"resourceSpans\":5}", "", "application/json"));
  EXPECT_EQ(json.status, 400);
  EXPECT_EQ(nlohmann::json::parse(json.body)["code"], 3);
  EXPECT_EQ(ask(post(good, "", "application/json")).status, 400);
  EXPECT_EQ(ask(post("{}")).status, 400);
  EXPECT_EQ(ask(post(good, "Content-Encoding: gzip\r\n")).status, 400);
  EXPECT_EQ(ask(post(gzipped(good) + "x", "Content-Encoding: gzip\r\n")).status, 400);
  const TallyCounts counts = stop();
  EXPECT_EQ(counts.bodies.received, 6u);
  EXPECT_EQ(counts.bodies.refused, 6u);
  EXPECT_EQ(counts.refused.at("undecodable"), 6u);
  EXPECT_EQ(counts.spans, 0u);
  EXPECT_EQ(frame_statuses(), (std::map<int, int>{{400, 6}}));
  EXPECT_EQ(load().bodies.refused, 6u);
}

TEST_F(SinkTest, WrongRequestsGetTheRightStatus) {
  options_.max_body_bytes = 100'000;
  start();
  const std::string good = recorded_protobuf(0);
  const std::string start_line = "POST /v1/traces HTTP/1.1\r\nHost: x\r\n";
  const std::string type = "Content-Type: application/x-protobuf\r\n";
  const std::pair<std::string, int> cases[] = {
      {"GET /v1/traces HTTP/1.1\r\nHost: x\r\n\r\n", 405},
      {"PUT /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 405},
      {"POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 404},
      {"POST /v1/traces/ HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 404},
      {start_line + type + "\r\n", 411},
      {start_line + "Content-Length: 2\r\n\r\n{}", 415},
      {post("{}", "", "text/json"), 415},
      {post(good, "Content-Encoding: br\r\n"), 415},
      {post(good, "Content-Encoding: gzip, gzip\r\n"), 400},
      {post(good, "Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n"), 400},
      {post(std::string(100'001, 'x')), 413},
      {post_chunked(chunked(std::string(100'001, 'x'), 5000)), 413},
      {post(gzipped(std::string(100'001, '\0')), "Content-Encoding: gzip\r\n"), 413},
      {start_line + type + "Content-Length: 18446744073709551615\r\n\r\n", 413},
      {start_line + type + "Content-Length: 18446744073709551616\r\n\r\n", 400},
      {start_line + type + "Content-Length: -1\r\n\r\n", 400},
      {start_line + type + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400},
      {start_line + type + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", 400},
      {start_line + type + "Transfer-Encoding: gzip\r\n\r\nx", 400},
      {post_chunked("zz\r\nx\r\n0\r\n\r\n"), 400},
      {post_chunked("10000000000000000\r\nx\r\n0\r\n\r\n"), 400},
      {post_chunked("1\r\nxxx\r\n0\r\n\r\n"), 400},
      {"BAD\r\n\r\n", 400},
      {start_line + "Bad Header: x\r\n\r\n", 400},
      {start_line + "X: " + std::string("\0", 1) + "\r\n\r\n", 400},
      {start_line + "X: " + std::string(1 << 20, 'x') + "\r\n\r\n", 431},
      {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello of TLS\r\n\r\n", 400},
  };
  for (const auto& [request, status] : cases) {
    const Answer answer = ask(request);
    EXPECT_EQ(answer.status, status) << request.substr(0, 200);
    EXPECT_EQ(answer.has("Allow: POST\r\n"), status == 405);
    EXPECT_GT(answer.body.size(), 5u) << "a Status is always there";
  }
  std::string many = start_line;
  for (int i = 0; i < 201; ++i) many += "X-" + std::to_string(i) + ": x\r\n";
  EXPECT_EQ(ask(many + "\r\n").status, 431);
  EXPECT_EQ(ask(post(good)).status, 200);
  const TallyCounts counts = stop();
  EXPECT_EQ(counts.refused.at("too-large"), 4u);
  EXPECT_EQ(counts.bodies.received, counts.bodies.accepted + counts.bodies.refused + counts.bodies.aborted);
  EXPECT_EQ(load().bodies.refused, counts.bodies.refused);
  EXPECT_EQ(load().bodies.received, counts.bodies.received);
}

TEST_F(SinkTest, ExpectContinueIsAnsweredOnlyWhenTheBodyIsWanted) {
  options_.max_body_bytes = 100'000;
  start();
  const std::string body = recorded_protobuf(0);
  const std::string request = post(body, "Expect: 100-continue\r\n");
  TestClient client(port());
  client.send(request.substr(0, request.size() - body.size()));
  EXPECT_EQ(client.receive().status, 100);
  client.send(body);
  EXPECT_EQ(client.receive().status, 200);
  TestClient refused(port());
  const std::string large = post(std::string(200'000, 'x'), "Expect: 100-continue\r\n");
  refused.send(large.substr(0, large.size() - 200'000));
  EXPECT_EQ(refused.receive().status, 413);
}

TEST_F(SinkTest, OldHttpClosesUnlessAskedNotTo) {
  start();
  TestClient client(port());
  std::string request = post("{}", "", "application/json");
  request.replace(request.find("HTTP/1.1"), 8, "HTTP/1.0");
  EXPECT_EQ(client.ask(request).status, 200);
  EXPECT_TRUE(client.ended());
  TestClient kept(port());
  request.insert(request.find("Host:"), "Connection: keep-alive\r\n");
  EXPECT_TRUE(kept.ask(request).has("Connection: keep-alive\r\n"));
  EXPECT_EQ(kept.ask(request).status, 200);
}

TEST_F(SinkTest, OddSpansAreStoredAndCountedByCode) {
  start();
  const std::string span =
      R"({"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"00","spanId":"0000000000000001","kind":"SPAN_KIND_SERVER"}]}]}]})";
  EXPECT_EQ(ask(post(span, "", "application/json")).status, 200);
  EXPECT_EQ(ask(post(R"({"resource_spans":[]})", "", "application/json")).status, 200);
  const TallyCounts counts = stop();
  EXPECT_EQ(counts.spans, 1u);
  const auto summary = nlohmann::json::parse(summary_json(counts));
  EXPECT_EQ(summary["requests"], 2);
  EXPECT_EQ(summary["spans"], 1);
  EXPECT_EQ(summary["findings"], (nlohmann::json{{"enum-name", 1}, {"invalid-id", 1}, {"snake-case", 1}}));
  EXPECT_EQ(summary["refused"], nlohmann::json::object());
  EXPECT_EQ(summary["rejected"], nlohmann::json::object());
  EXPECT_EQ(summary["duplicates"], 0);
  EXPECT_EQ(load().spans.at(0).ids_valid, false);
}

std::string raw_field(const nlohmann::json& request, const std::string& name) {
  std::string out;
  for (const auto& field : request["headers"]) {
    if (field[0] == name) out = field[1];
  }
  return out;
}

// What Envoy really sent, byte for byte: nothing may be lost or changed.
TEST_F(SinkTest, RecordedEnvoyRequestsReplayWithoutLoss) {
  start();
  std::ifstream file(fixture("1.30-1.38-http-raw-requests.jsonl"));
  std::vector<std::string> bodies;
  std::string expected_agent;
  size_t expected_spans = 0;
  TestClient client(port());
  for (std::string line; std::getline(file, line);) {
    const auto request = nlohmann::json::parse(line);
    const std::string body = otlp::parse_base64(request["body"].get<std::string>()).value();
    std::string bytes =
        request["method"].get<std::string>() + " " + request["path"].get<std::string>() + " HTTP/1.1\r\n";
    for (const auto& field : request["headers"]) {
      bytes += field[0].get<std::string>() + ": " + field[1].get<std::string>() + "\r\n";
    }
    ASSERT_EQ(raw_field(request, "transfer-encoding"), "chunked");
    expected_agent = raw_field(request, "user-agent");
    const Answer answer = client.ask(bytes + "\r\n" + chunked(body, 4096));
    ASSERT_EQ(answer.status, 200);
    Arena arena;
    std::vector<Span> spans;
    ASSERT_TRUE(otlp::decode_protobuf(body, arena, spans));
    expected_spans += spans.size();
    bodies.push_back(body);
  }
  ASSERT_EQ(bodies.size(), 18u);
  const TallyCounts counts = stop();
  EXPECT_EQ(counts.spans, expected_spans);
  EXPECT_EQ(counts.findings.size(), 0u);
  std::vector<std::string> stored;
  store::CaptureParser parser;
  ASSERT_TRUE(parser.feed(capture_bytes(), [&](const store::Frame& frame) {
    stored.emplace_back(frame.body);
    EXPECT_EQ(frame.peer, "127.0.0.1");
    std::map<std::string, std::string> headers(frame.headers.begin(), frame.headers.end());
    EXPECT_EQ(headers, (std::map<std::string, std::string>{{"content-type", "application/x-protobuf"},
                                                           {"custom-header", "custom value"},
                                                           {"user-agent", expected_agent}}));
  }));
  EXPECT_EQ(stored, bodies);
  EXPECT_TRUE(parser.sealed());
  EXPECT_EQ(load().spans.size(), expected_spans);
}

}  // namespace
}  // namespace hopcheck::sink
