// The Redis client against a server that says what the test wants; a real one is in the scenario ports-redis.
#include "demo/redis_client.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

namespace hopcheck::demo {
namespace {

// Takes one connection, answers each of its reads with the next text, then closes it.
class ScriptedRedis {
 public:
  explicit ScriptedRedis(std::vector<std::string> replies) : listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_, 1), 0);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, texts = std::move(replies)] {
      const int socket = ::accept(listener_, nullptr, nullptr);
      char buffer[4096];
      for (const std::string& text : texts) {
        const ssize_t count = ::recv(socket, buffer, sizeof buffer, 0);
        if (count <= 0) break;
        seen_.append(buffer, static_cast<size_t>(count));
        static_cast<void>(::send(socket, text.data(), text.size(), MSG_NOSIGNAL));
      }
      ::close(socket);
    });
  }
  ~ScriptedRedis() {
    finish();
    ::close(listener_);
  }
  ScriptedRedis(const ScriptedRedis&) = delete;
  uint16_t port() const { return port_; }
  const std::string& finish() {
    if (thread_.joinable()) thread_.join();
    return seen_;
  }

 private:
  const int listener_;
  uint16_t port_ = 0;
  std::string seen_;
  std::thread thread_;
};

HttpAnswer ask(const ScriptedRedis& server) {
  // The name is nobody's: only the route leads to the server.
  const HttpRoute route{{"other:1:127.0.0.1:2", "store.shop:6379:127.0.0.1:" + std::to_string(server.port())}, ""};
  return redis_set_and_get({"store.shop", 6379, "k", "value", 2'000}, route);
}

TEST(RedisClient, WritesAndReadsBack) {
  ScriptedRedis server({"+OK\r\n", "$5\r\nvalue\r\n"});
  const HttpAnswer answer = ask(server);
  EXPECT_EQ(answer.status, 200) << answer.error;
  EXPECT_EQ(server.finish(),
            "*5\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\n$2\r\nEX\r\n$2\r\n60\r\n"
            "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
}

TEST(RedisClient, SaysWhatWentWrong) {
  ScriptedRedis refuses({"-OOM no room\r\n"});
  EXPECT_EQ(ask(refuses).error, "SET: OOM no room");
  ScriptedRedis forgets({"+OK\r\n", "$-1\r\n"});
  EXPECT_EQ(ask(forgets).error, "GET gave another value than SET had");
  ScriptedRedis hangs_up({});
  EXPECT_NE(ask(hangs_up).error.find("SET: "), std::string::npos);
  const HttpAnswer nobody = redis_set_and_get({"127.0.0.1", 1, "k", "v", 1'000}, {});
  EXPECT_EQ(nobody.status, 0);
  EXPECT_NE(nobody.error, "");
}

TEST(RedisClient, FollowsConnectToRules) {
  const HttpRoute route{{"a:1:x:2", "a::y:", "::z:9"}, ""};
  EXPECT_EQ(destination_of(route, "a", 1).host + std::to_string(destination_of(route, "a", 1).port), "x2");
  EXPECT_EQ(destination_of(route, "a", 7).host + std::to_string(destination_of(route, "a", 7).port), "y7");
  EXPECT_EQ(destination_of(route, "b", 1).host + std::to_string(destination_of(route, "b", 1).port), "z9");
  EXPECT_EQ(destination_of({}, "b", 1).host, "b");
}

}  // namespace
}  // namespace hopcheck::demo
