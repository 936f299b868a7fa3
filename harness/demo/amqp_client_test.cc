// What the AMQP client says when there is no broker behind the address; a real one is in the scenario ports-amqp.
#include "demo/amqp_client.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

namespace hopcheck::demo {
namespace {

TEST(AmqpClient, NobodyListens) {
  const HttpAnswer answer = amqp_publish_and_get({"127.0.0.1", 1, "x", 1'000}, {});
  EXPECT_EQ(answer.status, 0);
  EXPECT_NE(answer.error, "");
}

// A server of another protocol: it says the version that it would speak, as a broker does to a wrong header, and hangs
// up. The name is nobody's: only the route leads there.
TEST(AmqpClient, SaysThatTheLoginFailed) {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(listener, 1), 0);
  ASSERT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  std::string seen;
  std::thread server([&] {
    const int socket = ::accept(listener, nullptr, nullptr);
    char buffer[64];
    const ssize_t count = ::recv(socket, buffer, sizeof buffer, 0);
    if (count > 0) seen.assign(buffer, static_cast<size_t>(count));
    static_cast<void>(::send(socket, "AMQP\0\1\0\0", 8, MSG_NOSIGNAL));
    ::close(socket);
  });
  const HttpRoute route{{"broker.shop:5672:127.0.0.1:" + std::to_string(ntohs(address.sin_port))}, ""};
  const HttpAnswer answer = amqp_publish_and_get({"broker.shop", 5672, "x", 2'000}, route);
  server.join();
  ::close(listener);
  EXPECT_EQ(answer.status, 0);
  EXPECT_EQ(answer.error.rfind("login: ", 0), 0U) << answer.error;
  EXPECT_EQ(seen, std::string("AMQP\0\0\x09\x01", 8));
}

}  // namespace
}  // namespace hopcheck::demo
