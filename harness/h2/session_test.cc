#include "h2/session.h"

#include <gtest/gtest.h>

#include "h2/grpc.h"
#include "h2/test_client.h"

namespace hopcheck::h2 {
namespace {

// A client and a server that pass each other their bytes.
struct Pair {
  explicit Pair(Limits limits = {})
      : server(limits, [this](Request request) { requests.push_back(std::move(request)); }) {}

  // Until neither has anything to say, at most `turns` times.
  void exchange(int turns = 2000) {
    for (int i = 0; i < turns; ++i) {
      const std::string up = client.output();
      if (!up.empty() && !server.receive(up)) broken = true;
      const std::string down = server.output();
      client.receive(down);
      if (up.empty() && down.empty()) return;
    }
    ADD_FAILURE() << "they never stop talking";
  }

  std::vector<Request> requests;
  TestClient client;
  ServerSession server;
  bool broken = false;
};

TEST(ServerSession, HandsOverWholeRequestsAndAnswersInAnyOrder) {
  Pair pair;
  for (int i = 0; i < 100; ++i) pair.client.request("POST", "/" + std::to_string(i), {{"x-n", "v"}}, "body");
  pair.exchange();
  ASSERT_EQ(pair.requests.size(), 100u);
  EXPECT_EQ(pair.requests[7].method, "POST");
  EXPECT_EQ(pair.requests[7].path, "/7");
  EXPECT_EQ(pair.requests[7].authority, "test");
  EXPECT_EQ(pair.requests[7].body, "body");
  EXPECT_EQ(pair.requests[7].fields.back().name, "x-n");
  EXPECT_EQ(pair.server.unanswered(), 100u);
  for (auto it = pair.requests.rbegin(); it != pair.requests.rend(); ++it) {
    pair.server.respond(it->stream, {200, {}, it->path, {{"x-end", "yes"}}});
  }
  pair.exchange();
  EXPECT_EQ(pair.server.unanswered(), 0u);
  EXPECT_EQ(pair.server.open_streams(), 0u);
  for (const Request& request : pair.requests) {
    const TestAnswer& answer = pair.client.answers[request.stream];
    EXPECT_EQ(answer.field(":status"), "200");
    EXPECT_EQ(answer.body, request.path);
    EXPECT_EQ(answer.trailers.size(), 1u);
    EXPECT_TRUE(answer.closed);
  }
}

TEST(ServerSession, LargeBodiesBothWaysAndOneByteAtATime) {
  Pair pair;
  std::string large(3u << 20, 'a');
  for (size_t i = 0; i < large.size(); i += 1000) large[i] = static_cast<char>('a' + i / 1000 % 26);
  const int32_t id = pair.client.request("PUT", "/large", {}, large);
  pair.exchange();
  ASSERT_EQ(pair.requests.size(), 1u);
  EXPECT_TRUE(pair.requests[0].body == large);
  pair.server.respond(id, {200, {}, large, {}});
  pair.exchange();
  EXPECT_TRUE(pair.client.answers[id].body == large);

  Pair slow;
  slow.client.request("POST", "/slow", {}, "abc");
  const std::string bytes = slow.client.output();
  for (const char byte : bytes) ASSERT_TRUE(slow.server.receive({&byte, 1}));
  ASSERT_EQ(slow.requests.size(), 1u);
  EXPECT_EQ(slow.requests[0].body, "abc");
}

TEST(ServerSession, AnswersWhatIsTooLargeAndGoesOn) {
  Limits limits;
  limits.body_bytes = 1000;
  limits.field_bytes = 2000;
  Pair pair(limits);
  const int32_t body = pair.client.request("POST", "/a", {}, std::string(100'000, 'x'));
  const int32_t grpc =
      pair.client.request("POST", "/s/M", {{"content-type", "application/grpc"}}, std::string(2000, 'x'));
  const int32_t fields = pair.client.request("GET", "/b", {{"x-long", std::string(3000, 'x')}});
  pair.exchange();
  EXPECT_TRUE(pair.requests.empty());
  EXPECT_EQ(pair.client.answers[body].field(":status"), "413");
  EXPECT_EQ(pair.client.answers[grpc].field("grpc-status"), "8");
  EXPECT_EQ(pair.client.answers[fields].field(":status"), "431");
  EXPECT_EQ(pair.server.counters().refused, 3u);
  EXPECT_EQ(pair.server.open_streams(), 0u) << "what is left of a refused request is cut off";
  pair.client.request("GET", "/c");
  pair.exchange();
  ASSERT_EQ(pair.requests.size(), 1u);
}

TEST(ServerSession, BodiesOfAllStreamsAreBounded) {
  Limits limits;
  limits.connection_body_bytes = 30'000;
  Pair pair(limits);
  std::vector<int32_t> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(pair.client.request("POST", "/", {}, std::string(10'000, 'x')));
  pair.exchange();
  EXPECT_EQ(pair.requests.size(), 3u);
  EXPECT_EQ(pair.client.answers[ids[4]].field(":status"), "503");
  for (const Request& request : pair.requests) pair.server.respond(request.stream, {});
  pair.requests.clear();
  pair.client.request("POST", "/", {}, std::string(10'000, 'x'));
  pair.exchange();
  EXPECT_EQ(pair.requests.size(), 1u) << "answered ones count no more";
}

TEST(ServerSession, AResetDropsTheAnswerAndARapidResetIsBounded) {
  Limits limits;
  limits.unanswered = 10;
  Pair pair(limits);
  const int32_t cut = pair.client.request("POST", "/", {}, "half", TestClient::End::kNever);
  pair.exchange();
  pair.client.reset(cut);
  pair.exchange();
  EXPECT_TRUE(pair.requests.empty());
  EXPECT_EQ(pair.server.open_streams(), 0u);
  for (int i = 0; i < 50; ++i) {
    const int32_t id = pair.client.request("GET", "/");
    pair.exchange();
    pair.client.reset(id);
    pair.exchange();
  }
  EXPECT_EQ(pair.requests.size(), 10u) << "handlers of streams that are gone count as well";
  for (const Request& request : pair.requests) pair.server.respond(request.stream, {});
  pair.server.respond(999, {});
  EXPECT_EQ(pair.server.unanswered(), 0u);
  EXPECT_GE(pair.server.counters().resets, 11u);
}

TEST(ServerSession, StreamsBeyondTheLimitWait) {
  Limits limits;
  limits.streams = 4;
  Pair pair(limits);
  pair.exchange();  // the peer learns the limit
  for (int i = 0; i < 10; ++i) pair.client.request("GET", "/");
  size_t answered = 0;
  for (int turn = 0; turn < 20 && answered < 10; ++turn) {
    pair.exchange();
    EXPECT_LE(pair.requests.size(), 4u);
    answered += pair.requests.size();
    for (const Request& request : pair.requests) pair.server.respond(request.stream, {});
    pair.requests.clear();
  }
  EXPECT_EQ(answered, 10u);
}

TEST(ServerSession, GoAwayLetsOpenStreamsFinish) {
  Pair pair;
  const int32_t id = pair.client.request("GET", "/");
  pair.exchange();
  pair.server.go_away();
  pair.exchange();
  EXPECT_TRUE(pair.client.went_away);
  EXPECT_FALSE(pair.server.finished());
  pair.server.respond(id, {200, {}, "late", {}});
  pair.exchange();
  EXPECT_EQ(pair.client.answers[id].body, "late");
  EXPECT_TRUE(pair.server.finished());
}

TEST(ServerSession, WhatIsNoHttp2EndsTheConnection) {
  ServerSession session({}, [](Request) { FAIL(); });
  EXPECT_FALSE(session.receive("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"));
  EXPECT_FALSE(session.receive("more"));

  Pair pair;
  pair.exchange();
  // DATA on stream 0, then HEADERS with an index that HPACK does not have.
  for (const std::string& frame : {std::string("\0\0\1\0\0\0\0\0\0x", 10), std::string("\0\0\1\1\5\0\0\0\1\xff", 10)}) {
    Pair fresh;
    fresh.exchange();
    static_cast<void>(fresh.server.receive(frame));
    fresh.client.receive(fresh.server.output());
    EXPECT_TRUE(fresh.client.went_away);
    EXPECT_TRUE(fresh.server.finished());
    EXPECT_TRUE(fresh.requests.empty());
  }
}

TEST(Grpc, Messages) {
  const std::string framed = grpc_frame("hello");
  EXPECT_EQ(framed, std::string("\0\0\0\0\5hello", 10));
  const auto message = unary_message(framed);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->bytes, "hello");
  EXPECT_FALSE(message->compressed);
  EXPECT_TRUE(unary_message(std::string("\1\0\0\0\0", 5))->compressed);
  for (const std::string& bad : {std::string(), std::string("\0\0\0\0", 4), std::string("\0\0\0\0\2x", 6),
                                 std::string("\0\0\0\0\1xy", 7), std::string("\2\0\0\0\0", 5),
                                 std::string("\0\xff\xff\xff\xffx", 6)}) {
    EXPECT_FALSE(unary_message(bad)) << bad.size();
  }
  EXPECT_TRUE(is_grpc("application/grpc"));
  EXPECT_TRUE(is_grpc("application/grpc+proto"));
  EXPECT_TRUE(is_grpc("application/grpc;x=y"));
  EXPECT_FALSE(is_grpc("application/grpc-web"));
  EXPECT_FALSE(is_grpc("application/json"));
}

TEST(Grpc, StatusTableOfCodeProto) {
  const std::pair<int, int> rows[] = {{0, 200},  {1, 499},  {3, 400},  {4, 504},  {5, 404},  {6, 409},
                                      {7, 403},  {8, 429},  {12, 501}, {13, 500}, {14, 503}, {16, 401}};
  for (const auto& [code, http] : rows) {
    EXPECT_EQ(http_of_grpc(code), http) << code;
    EXPECT_EQ(grpc_of_http(http), code) << http;
  }
  EXPECT_EQ(http_of_grpc(2), 500);
  EXPECT_EQ(http_of_grpc(17), 500);
  EXPECT_EQ(http_of_grpc(-1), 500);
  EXPECT_EQ(grpc_of_http(204), 0);
  EXPECT_EQ(grpc_of_http(418), 3);
  EXPECT_EQ(grpc_of_http(599), 13);
  EXPECT_EQ(grpc_of_http(302), 2);
  EXPECT_STREQ(grpc_name(14), "UNAVAILABLE");
  EXPECT_STREQ(grpc_name(99), "?");
}

TEST(Grpc, Answers) {
  const Response good = grpc_response(kOk, "m");
  EXPECT_EQ(good.body, grpc_frame("m"));
  EXPECT_EQ(good.trailers[0].value, "0");
  const Response bad = grpc_response(kUnavailable, "", "100 % \n gone");
  EXPECT_TRUE(bad.body.empty());
  EXPECT_TRUE(bad.trailers.empty()) << "one header block";
  EXPECT_EQ(bad.fields[1].value, "14");
  EXPECT_EQ(bad.fields[2].value, "100 %25 %0A gone");
}

}  // namespace
}  // namespace hopcheck::h2
