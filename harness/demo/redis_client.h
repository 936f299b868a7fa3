// One write and one read of a Redis server (hiredis), as a service does that keeps something there for each request.
// Blocking, a connection for each call. Thread-safe.
#pragma once

#include <cstdint>
#include <string>

#include "demo/http_client.h"

namespace hopcheck::demo {

struct RedisCall {
  std::string host;
  uint16_t port = 6379;
  std::string key, value;
  int timeout_ms = 5'000;  // of connecting, and of each command
};

// SET key value with an expiry of a minute, then GET key. Status 200 when the value came back; else 0 and why.
HttpAnswer redis_set_and_get(const RedisCall& call, const HttpRoute& route);

// Where a connection to host and port goes under curl's connect-to rules; the first rule that matches wins.
struct Destination {
  std::string host;
  uint16_t port = 0;
};
Destination destination_of(const HttpRoute& route, const std::string& host, uint16_t port);

}  // namespace hopcheck::demo
