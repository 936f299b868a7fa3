// HTTP/2 without TLS and unary gRPC beside HTTP/1.1, with real sockets: our own client, nghttp2's, curl's.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <functional>
#include <thread>

#include "demo/demo_support.h"
#include "demo/http_client.h"
#include "h2/grpc.h"
#include "h2/test_client.h"

namespace hopcheck::demo {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// One connection of nghttp2's client, driven by the test.
class WireClient {
 public:
  explicit WireClient(uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  ~WireClient() { ::close(socket_); }
  WireClient(const WireClient&) = delete;

  h2::TestClient http;

  void write(const std::string& bytes) {
    size_t sent = 0;
    while (sent < bytes.size()) {
      const ssize_t count = ::send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) return;
      sent += static_cast<size_t>(count);
    }
  }
  // Talks until it holds, the connection ends or five seconds are over; whether it holds.
  bool talk_until(const std::function<bool()>& done) {
    const auto end = steady_clock::now() + milliseconds(5'000);
    while (!done() && !ended_ && steady_clock::now() < end) {
      write(http.output());
      pollfd entry{socket_, POLLIN, 0};
      if (::poll(&entry, 1, 20) <= 0) continue;
      char buffer[65536];
      const ssize_t count = ::recv(socket_, buffer, sizeof buffer, 0);
      if (count <= 0) ended_ = true;
      else http.receive({buffer, static_cast<size_t>(count)});
    }
    return done();
  }
  bool ended() {
    talk_until([this] { return ended_; });
    return ended_;
  }

 private:
  const int socket_;
  bool ended_ = false;
};

HttpResponse echo(const HttpRequest& request) {
  const int status = request.target.starts_with("/status/") ? std::atoi(request.target.c_str() + 8) : 200;
  std::string seen;
  for (const std::string& value : values_of(request.headers, "x-seen")) seen += value;
  return {status, "text/plain", request.method + " " + request.target + " [" + request.body + "]" + seen + "."};
}

std::unique_ptr<HttpServer> server_of(HttpServer::Handler handler, int stall_ms = 30'000) {
  auto server = HttpServer::start({{"127.0.0.1", 0}, 64, stall_ms}, std::move(handler));
  EXPECT_TRUE(server);
  return std::move(*server);
}

HttpAnswer call(HttpClient& client, CallProtocol protocol, uint16_t port, const std::string& path,
                const std::string& body = "") {
  HttpCall out;
  out.protocol = protocol;
  out.method = protocol == CallProtocol::kHttp1 ? "GET" : "POST";
  out.url = url_of(port) + path;
  out.headers = {{"x-seen", "yes"}};
  out.body = body;
  return client.perform(out, {});
}

TEST(Http2, OnePortSpeaksAllThree) {
  std::atomic<int> requests{0};
  const auto server = server_of([&](const HttpRequest& request) {
    ++requests;
    return echo(request);
  });
  HttpClient client;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(call(client, CallProtocol::kHttp1, server->port(), "/a").status, 200);
    EXPECT_EQ(call(client, CallProtocol::kHttp2, server->port(), "/a", "body").status, 200);
    const HttpAnswer grpc = call(client, CallProtocol::kGrpc, server->port(), "/pkg.Service/Method", "message");
    EXPECT_EQ(grpc.status, 200) << grpc.error;
    EXPECT_EQ(grpc.grpc_status, 0);
  }
  EXPECT_EQ(requests, 9);
  RawClient raw(server->port());
  raw.write("PUT /x HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_NE(raw.read_until("].").find("PUT /x []."), std::string::npos);
}

TEST(Http2, RequestsArriveWhole) {
  const auto server = server_of(echo);
  WireClient client(server->port());
  const std::string large(2u << 20, 'q');
  const int32_t small = client.http.request("PATCH", "/p?q=1", {{"x-seen", "1"}, {"x-seen", "2"}}, "abc");
  const int32_t big = client.http.request("PUT", "/big", {}, large);
  ASSERT_TRUE(client.talk_until([&] { return client.http.answers[small].closed && client.http.answers[big].closed; }));
  EXPECT_EQ(client.http.answers[small].body, "PATCH /p?q=1 [abc]12.");
  EXPECT_TRUE(client.http.answers[big].body == "PUT /big [" + large + "].");
  EXPECT_EQ(client.http.answers[small].field("content-type"), "text/plain");
}

TEST(Http2, StreamsOfOneConnectionAreServedAtOnce) {
  constexpr int kStreams = 40;
  std::atomic<int> inside{0};
  const auto server = server_of([&](const HttpRequest& request) {
    ++inside;
    const auto end = steady_clock::now() + milliseconds(5'000);
    while (inside < kStreams && steady_clock::now() < end) std::this_thread::sleep_for(milliseconds(1));
    return HttpResponse{inside == kStreams ? 200 : 500, "text/plain", request.target};
  });
  WireClient client(server->port());
  for (int i = 0; i < kStreams; ++i) client.http.request("GET", "/" + std::to_string(i));
  ASSERT_TRUE(client.talk_until([&] {
    return client.http.answers.size() == kStreams && std::all_of(client.http.answers.begin(), client.http.answers.end(),
                                                                 [](const auto& a) { return a.second.closed; });
  }));
  for (const auto& [stream, answer] : client.http.answers) {
    EXPECT_EQ(answer.field(":status"), "200");
    EXPECT_EQ(answer.body, "/" + std::to_string((stream - 1) / 2)) << "each stream has its own answer";
  }
}

TEST(Http2, GrpcStatusesBothWays) {
  const auto server = server_of(echo);
  HttpClient client;
  for (const auto& [http, grpc] :
       std::vector<std::pair<int, int>>{{200, 0}, {404, 5}, {429, 8}, {500, 13}, {503, 14}}) {
    const HttpAnswer answer = call(client, CallProtocol::kGrpc, server->port(), "/status/" + std::to_string(http));
    EXPECT_EQ(answer.grpc_status, grpc) << http;
    EXPECT_EQ(answer.status, http);
  }
  WireClient wire(server->port());
  const std::vector<h2::Field> fields{{"content-type", "application/grpc"}, {"te", "trailers"}};
  const int32_t good = wire.http.request("POST", "/s/M", fields, h2::grpc_frame("hi"));
  const int32_t torn = wire.http.request("POST", "/s/M", fields, "\1");
  const int32_t packed = wire.http.request("POST", "/s/M", fields, std::string("\1\0\0\0\0", 5));
  const int32_t get = wire.http.request("GET", "/s/M", fields, h2::grpc_frame(""));
  ASSERT_TRUE(wire.talk_until([&] { return wire.http.answers[get].closed && wire.http.answers[good].closed; }));
  EXPECT_EQ(wire.http.answers[good].body, h2::grpc_frame("POST /s/M [hi]."));
  ASSERT_EQ(wire.http.answers[good].trailers.size(), 1u);
  EXPECT_EQ(wire.http.answers[good].trailers[0].value, "0");
  EXPECT_EQ(wire.http.answers[torn].field("grpc-status"), "3");
  EXPECT_EQ(wire.http.answers[packed].field("grpc-status"), "12");
  EXPECT_EQ(wire.http.answers[get].field("grpc-status"), "13");
}

TEST(Http2, BrokenPeersHurtNobodyElse) {
  const auto server = server_of(echo);
  {
    RawClient raw(server->port());
    raw.write("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n");
    EXPECT_NE(raw.read_until("\r\n\r\n").find("400"), std::string::npos) << "not the preface: HTTP/1.1's business";
  }
  WireClient noise(server->port());
  noise.write(std::string(h2::kPreface) + std::string("\0\0\0\4\0\0\0\0\0", 9) +
              std::string("\0\0\1\0\0\0\0\0\0x", 10));
  EXPECT_TRUE(noise.ended());
  WireClient gone(server->port());
  gone.http.request("POST", "/", {}, "half", h2::TestClient::End::kNever);
  gone.write(gone.http.output());
  WireClient client(server->port());
  const int32_t cut = client.http.request("GET", "/cut");
  client.http.reset(cut);
  const int32_t id = client.http.request("GET", "/fine");
  ASSERT_TRUE(client.talk_until([&] { return client.http.answers[id].closed; }));
  EXPECT_EQ(client.http.answers[id].body, "GET /fine [].");
}

TEST(Http2, SlowPeersAreCutOff) {
  const auto server = server_of(
      [](const HttpRequest&) {
        return HttpResponse{200, "text/plain", std::string(8u << 20, 'x')};
      },
      300);
  WireClient half(server->port());  // never sends the rest of its request
  half.http.request("POST", "/", {}, "half", h2::TestClient::End::kNever);
  WireClient deaf(server->port());  // asks for much and reads nothing
  deaf.http.request("GET", "/");
  deaf.write(deaf.http.output());
  const auto start = steady_clock::now();
  EXPECT_TRUE(half.ended());
  EXPECT_LT(steady_clock::now() - start, milliseconds(4'000));
  server->close();
  EXPECT_TRUE(server->wait_idle(milliseconds(4'000))) << "the one that reads nothing is gone as well";
}

TEST(Http2, CloseLetsRequestsUnderWayFinish) {
  std::atomic<bool> entered{false};
  const auto server = server_of([&](const HttpRequest&) {
    entered = true;
    std::this_thread::sleep_for(milliseconds(200));
    return HttpResponse{200, "text/plain", "done."};
  });
  WireClient client(server->port());
  const int32_t id = client.http.request("GET", "/");
  ASSERT_TRUE(client.talk_until([&] { return entered.load(); }));
  server->close();
  ASSERT_TRUE(client.talk_until([&] { return client.http.answers[id].closed; }));
  EXPECT_EQ(client.http.answers[id].body, "done.");
  EXPECT_TRUE(client.http.went_away);
  EXPECT_TRUE(client.ended());
  EXPECT_TRUE(server->wait_idle(milliseconds(2'000)));

  const auto idle = server_of(echo);
  WireClient quiet(idle->port());
  const int32_t one = quiet.http.request("GET", "/");
  ASSERT_TRUE(quiet.talk_until([&] { return quiet.http.answers[one].closed; }));
  idle->stop();
  EXPECT_TRUE(quiet.ended());
}

TEST(Http2, CurlSpeaksToIt) {
  if (std::system("curl --version 2>/dev/null | grep -q HTTP2") != 0) GTEST_SKIP() << "no curl with HTTP/2";
  const auto server = server_of(echo);
  const std::string command =
      "curl -s --http2-prior-knowledge -d body -w ' %{http_version}' " + url_of(server->port()) + "/curl";
  FILE* pipe = ::popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  char buffer[256] = {};
  static_cast<void>(std::fread(buffer, 1, sizeof buffer - 1, pipe));
  ::pclose(pipe);
  EXPECT_STREQ(buffer, "POST /curl [body]. 2");
}

// Context and spans go over every kind of port; what is called follows from the port alone.
TEST(Http2, ServicesCallWhatThePortSays) {
  Topology topology = checkout_topology();
  topology.services[static_cast<size_t>(topology.find("payments"))].ports[0].app_protocol = "grpc";
  topology.services[static_cast<size_t>(topology.find("checkout"))].ports[0].app_protocol = "kubernetes.io/h2c";
  Service& checkout = topology.services[static_cast<size_t>(topology.find("checkout"))];
  checkout.calls[0].path = "/shop.Payments/Charge";
  checkout.client_spans = true;
  OtlpReceiver receiver;
  const CheckoutChain chain = start_chain(topology, receiver.url());
  const std::string trace = "4bf92f3577b34da6a3ce929d0e0e4736";
  const Reply reply = send(chain.frontend->port(), "POST", "/checkout?hop=abc-1",
                           {{"traceparent", "00-" + trace + "-00f067aa0ba902b7-01"}, {"tracestate", "a=1"}});
  EXPECT_EQ(reply.status, 200) << reply.body;
  const std::vector<ReceivedSpan> spans = receiver.wait_for(6);
  ASSERT_EQ(spans.size(), 6u);
  std::map<std::string, ReceivedSpan> by_name;
  for (const ReceivedSpan& span : spans) {
    EXPECT_EQ(span.trace_id, trace);
    EXPECT_EQ(span.trace_state, "a=1");
    by_name[span.service + " " + span.name] = span;
  }
  EXPECT_EQ(by_name["payments POST /charge"].parent_id, by_name["checkout shop.Payments/Charge"].span_id);
  EXPECT_EQ(by_name["payments POST /charge"].attributes["url.path"], "/shop.Payments/Charge");
  EXPECT_EQ(by_name["checkout shop.Payments/Charge"].attributes["rpc.grpc.status_code"], "0");
  EXPECT_EQ(by_name["checkout POST /checkout"].parent_id, by_name["frontend POST /checkout"].span_id);
  EXPECT_EQ(by_name["checkout POST /checkout"].attributes["url.query"], "hop=abc-1");
  Switches failing;
  failing.fail_percent = 100;
  failing.fail_status = 503;
  chain.payments->set_switches(failing);
  EXPECT_EQ(send(chain.frontend->port(), "POST", "/checkout").status, 503);
}

}  // namespace
}  // namespace hopcheck::demo
