#include "demo/http_client.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "demo/connection.h"
#include "demo/demo_support.h"

namespace hopcheck::demo {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Serves `connections` connections one after the other, each for `requests` requests without body, then closes it.
class ScriptedServer {
 public:
  ScriptedServer(int connections, int requests) : listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_, 4), 0);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, connections, requests] {
      for (int i = 0; i < connections; ++i) {
        sockaddr_in peer{};
        socklen_t peer_size = sizeof peer;
        const int socket = ::accept(listener_, reinterpret_cast<sockaddr*>(&peer), &peer_size);
        {
          const std::lock_guard lock(mutex_);
          last_peer_ = ::inet_ntoa(peer.sin_addr);
        }
        serve(socket, requests);
      }
      ::close(listener_);
    });
  }
  ~ScriptedServer() { thread_.join(); }
  ScriptedServer(const ScriptedServer&) = delete;
  std::string url() const { return url_of(port_) + "/"; }
  uint16_t port() const { return port_; }
  std::string last_peer() const {
    const std::lock_guard lock(mutex_);
    return last_peer_;
  }

 private:
  static void serve(int socket, int requests) {
    Connection connection(socket);
    std::string seen;
    char c = 0;
    for (int i = 0; i < requests && connection.read(&c, 1) == 1;) {
      seen += c;
      if (seen.size() < 4 || seen.compare(seen.size() - 4, 4, "\r\n\r\n") != 0) continue;
      const std::string answer = "HTTP/1.1 204 No Content\r\n\r\n";
      EXPECT_EQ(connection.write(answer.data(), answer.size()), static_cast<ssize_t>(answer.size()));
      seen.clear();
      ++i;
    }
    ::close(socket);
  }

  mutable std::mutex mutex_;
  std::string last_peer_;
  int listener_;
  uint16_t port_ = 0;
  std::thread thread_;
};

HttpCall call_to(const std::string& url) {
  HttpCall call;
  call.method = "POST";
  call.url = url;
  return call;
}

TEST(HttpClient, ReusesItsConnection) {
  const ScriptedServer server(1, 20);
  HttpClient client;
  for (int i = 0; i < 20; ++i) EXPECT_EQ(client.perform(call_to(server.url()), {}).status, 204) << i;
}

TEST(HttpClient, ReplacesAConnectionThatWasClosedWhileIdle) {
  const ScriptedServer server(3, 1);
  HttpClient client;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.perform(call_to(server.url()), {}).status, 204) << i;
}

TEST(HttpClient, ConnectsWhereItsRouteSaysFromTheAddressItSays) {
  ScriptedServer server(1, 2);
  const std::string there = "127.0.0.1:" + std::to_string(server.port());
  HttpClient client({{"kept.hopcheck.test:80::", "::" + there}, "127.0.0.66"});
  HttpCall call;
  call.url = "http://payments.hopcheck.test:8080/charge";  // resolves nowhere
  EXPECT_EQ(client.perform(call, {}).status, 204);
  EXPECT_EQ(client.perform(call, {}).status, 204);
  EXPECT_EQ(server.last_peer(), "127.0.0.66");
  call.url = "http://kept.hopcheck.test/";
  EXPECT_EQ(client.perform(call, {}).status, 0) << "the first rule that matches keeps the URL's own host";
}

TEST(HttpClient, NeverUsesAProxyOfTheEnvironment) {
  const Recorder server;
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);
  ::setenv("all_proxy", "http://127.0.0.1:1", 1);
  HttpClient client;
  EXPECT_EQ(client.perform(call_to(server.url() + "/"), {}).status, 200);
  ::unsetenv("http_proxy");
  ::unsetenv("all_proxy");
}

TEST(HttpClient, SaysWhyThereIsNoAnswer) {
  std::string url;
  {
    const Recorder gone;
    url = gone.url();
  }
  HttpClient client;
  const HttpAnswer answer = client.perform(call_to(url), {});
  EXPECT_EQ(answer.status, 0);
  EXPECT_NE(answer.error, "");
  EXPECT_EQ(client.perform(call_to("file:///etc/hostname"), {}).status, 0);
}

TEST(HttpClient, StopEndsACallUnderWay) {
  auto server = HttpServer::start({{"127.0.0.1", 0}, 4}, [](const HttpRequest&) -> HttpResponse {
    std::this_thread::sleep_for(milliseconds(1'500));
    return {};
  });
  ASSERT_TRUE(server);
  HttpClient client;
  std::stop_source stop;
  std::thread stopper([&] {
    std::this_thread::sleep_for(milliseconds(100));
    stop.request_stop();
  });
  const auto start = steady_clock::now();
  const HttpAnswer answer = client.perform(call_to(url_of((*server)->port())), stop.get_token());
  EXPECT_LT(steady_clock::now() - start, milliseconds(1'000));
  EXPECT_EQ(answer.status, 0);
  EXPECT_EQ(answer.error, "stopped");
  stopper.join();
}

}  // namespace
}  // namespace hopcheck::demo
