// Incoming HTTP/1.1, HTTP/2 without TLS and unary gRPC on one port, told apart by HTTP/2's preface. For HTTP/1.1
// cpp-httplib parses and answers, for HTTP/2 see h2_connection.h; this class owns connections and threads. Made to
// stand behind a proxy that keeps connections for an hour: no limit on requests per connection, idle time above Envoy's
// 3 600 s, a thread per connection on demand, no polling while idle, and a stop that does not wait for idle
// connections.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "base/result.h"
#include "demo/http_types.h"

namespace hopcheck::demo {

struct ServerOptions {
  Address listen;
  size_t max_threads = 512;  // connections served at once, and HTTP/2 requests; further ones wait
  int stall_ms = 30'000;    // how long an HTTP/2 peer may owe something without a byte
};

class HttpServer {
 public:
  using Handler = std::function<HttpResponse(const HttpRequest&)>;  // called concurrently; any method and path

  // Listens when it returns. Error kEnvironment: the address cannot be bound.
  static Result<std::unique_ptr<HttpServer>> start(const ServerOptions& options, Handler handler);
  ~HttpServer();  // close() and stop()
  HttpServer(const HttpServer&) = delete;

  uint16_t port() const;
  // Accepts nothing more and closes idle connections; requests under way go on and are answered with Connection: close.
  void close();
  bool wait_idle(std::chrono::milliseconds limit);  // after close(): true when no connection is left
  void stop();                                      // cuts what is left and joins; handlers must return by themselves

 private:
  class Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hopcheck::demo
