// One message through an AMQP 0-9-1 broker (rabbitmq-c), as a service does that hands work over for each request.
// Blocking, a connection for each call. Thread-safe.
#pragma once

#include <cstdint>
#include <string>

#include "demo/http_client.h"

namespace hopcheck::demo {

struct AmqpCall {
  std::string host;
  uint16_t port = 5672;
  std::string body;
  int timeout_ms = 5'000;  // of connecting, and of each answer
};

// Publishes the body to a queue of its own by the default exchange and gets it back; user guest, virtual host "/".
// Status 200 when the same body came back; else 0 and why.
HttpAnswer amqp_publish_and_get(const AmqpCall& call, const HttpRoute& route);

}  // namespace hopcheck::demo
