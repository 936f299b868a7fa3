#include "demo/http_server.h"

#include <gtest/gtest.h>

#include <thread>

#include "demo/demo_support.h"

namespace hopcheck::demo {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

std::unique_ptr<HttpServer> echo_server() {
  auto server = HttpServer::start({{"127.0.0.1", 0}, 64}, [](const HttpRequest& request) -> HttpResponse {
    const int status = request.target == "/missing" ? 404 : 200;
    return {status, "text/plain", request.method + " " + request.target + " [" + request.body + "]."};
  });
  EXPECT_TRUE(server);
  return std::move(*server);
}

TEST(HttpServer, HandsOverMethodTargetAndBody) {
  const auto server = echo_server();
  RawClient client(server->port());
  client.write("POST /a%20b?c=%26 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
  EXPECT_NE(client.read_until("].").find("POST /a%20b?c=%26 [abc]."), std::string::npos);
  client.write("PUT /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nxy\r\n0\r\n\r\n");
  EXPECT_NE(client.read_until("].").find("PUT /c [xy]."), std::string::npos);
}

TEST(HttpServer, DoesNotWaitForABodyThatNobodyAnnounced) {
  const auto server = echo_server();
  RawClient client(server->port());
  for (const char* method : {"POST", "DELETE", "PATCH", "OPTIONS", "GET"}) {
    const auto start = steady_clock::now();
    client.write(std::string(method) + " /x HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_NE(client.read_until("].").find(std::string(method) + " /x []."), std::string::npos);
    EXPECT_LT(steady_clock::now() - start, milliseconds(2'000)) << method;
  }
}

TEST(HttpServer, AHandlersOwn404IsAnsweredOnce) {
  const auto server = echo_server();
  RawClient client(server->port());
  client.write("GET /missing HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string answer = client.read_until("].");
  EXPECT_EQ(answer.substr(0, 12), "HTTP/1.1 404");
  EXPECT_EQ(answer.find("GET /missing"), answer.rfind("GET /missing"));
  client.write("POST /missing HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nz");
  EXPECT_NE(client.read_until("].").find("POST /missing [z]."), std::string::npos);
}

TEST(HttpServer, ServesPipelinedRequestsInOrder) {
  const auto server = echo_server();
  RawClient client(server->port());
  const std::string rest = " HTTP/1.1\r\nHost: x\r\n\r\n";
  client.write("GET /1" + rest + "GET /2" + rest + "GET /3" + rest);
  for (const char* expected : {"GET /1 [].", "GET /2 [].", "GET /3 []."}) {
    EXPECT_NE(client.read_until("].").find(expected), std::string::npos);
  }
}

TEST(HttpServer, AnswersAHostilePathWithoutARegularExpression) {
  const auto server = echo_server();
  RawClient client(server->port());
  const std::string path = "/" + std::string(7'000, 'a') + "%0a";
  client.write("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_NE(client.read_until("].").find("GET " + path), std::string::npos);
}

TEST(HttpServer, RefusesWhatIsNotHttp) {
  const auto server = echo_server();
  RawClient client(server->port());
  client.write("nonsense\r\n\r\n");
  EXPECT_NE(client.read_until("\r\n\r\n").find("400"), std::string::npos);
}

TEST(HttpServer, ATakenPortIsAnError) {
  const auto server = echo_server();
  const auto answer = [](const HttpRequest&) { return HttpResponse{}; };
  const auto second = HttpServer::start({{"127.0.0.1", server->port()}, 4}, answer);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::kEnvironment);
  EXPECT_NE(second.error().what.find(std::to_string(server->port())), std::string::npos);
}

TEST(HttpServer, StopsAtOnceWithIdleConnections) {
  auto server = echo_server();
  RawClient client(server->port());
  client.write("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n");
  client.read_until("].");
  const auto start = steady_clock::now();
  server->stop();
  EXPECT_LT(steady_clock::now() - start, milliseconds(1'000));
  EXPECT_TRUE(client.at_end());
}

TEST(HttpServer, CloseLetsARequestUnderWayFinish) {
  std::atomic<bool> entered{false};
  auto server = HttpServer::start({{"127.0.0.1", 0}, 4}, [&](const HttpRequest&) -> HttpResponse {
    entered = true;
    std::this_thread::sleep_for(milliseconds(200));
    return {200, "text/plain", "done."};
  });
  ASSERT_TRUE(server);
  RawClient client((*server)->port());
  client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  while (!entered) std::this_thread::yield();
  (*server)->close();
  EXPECT_NE(client.read_until("done.").find("200 OK"), std::string::npos);
  EXPECT_TRUE((*server)->wait_idle(milliseconds(5'000)));
}

}  // namespace
}  // namespace hopcheck::demo
