// A server on Boost.Asio for one Service, with limits and deadlines while reading and orderly drain. HTTP/1.1 (Beast):
// keep-alive, pipelining, chunked bodies. HTTP/2 (h2/session.h) with prior knowledge, as gRPC speaks it. A connection
// stays on one of the server's threads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "sink/http_service.h"

namespace hopcheck::sink {

struct HttpLimits {
  int threads = 1;
  size_t max_header_bytes = 64 * 1024;
  size_t max_header_fields = 200;
  uint64_t max_buffered_bytes = 1ull << 30;  // bodies being read, all connections together; above it 503
  size_t max_connections = 10000;            // above it accepting waits
  int64_t header_timeout_ms = 10'000;        // from the first byte of a request
  int64_t idle_timeout_ms = 300'000;         // between requests
  int64_t body_grace_ms = 20'000;            // a body may take this, and then one second more
  uint64_t body_bytes_per_second = 1024;     //   for so many bytes received
  int64_t write_timeout_ms = 30'000;
};

enum class Protocol : uint8_t { kHttp1, kHttp2 };
struct TlsFiles {
  std::string certificate, key;  // PEM: the chain, its key; "" = plaintext
};
struct Listener {
  std::string address;  // "ADDRESS:PORT": "127.0.0.1:4318", "[::1]:0", "0.0.0.0:4318"; port 0: the system chooses
  Protocol protocol = Protocol::kHttp1;
  TlsFiles tls;
};

class HttpServer {
 public:
  // Listens and serves until stopped. `service` outlives the server. Error: kUsage for a malformed address or unusable
  // certificate, kEnvironment for an address that cannot be had.
  static Result<std::unique_ptr<HttpServer>> listen(const Listener& listener, Service& service,
                                                    const HttpLimits& limits,
                                                    std::function<void(const std::string&)> log);
  virtual ~HttpServer() = default;  // stops at once
  virtual std::string address() const = 0;  // with the port that was chosen
  virtual uint16_t port() const = 0;
  // Stops accepting, closes idle connections, lets requests under way end for at most `grace_ms`. Idempotent.
  virtual void drain(int64_t grace_ms) = 0;
};

}  // namespace hopcheck::sink
