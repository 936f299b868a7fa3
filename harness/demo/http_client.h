// Outgoing HTTP/1.1, HTTP/2 without TLS and unary gRPC over libcurl. Handles live in a last-in-first-out pool, so
// connections are reused and their number follows the concurrency really needed; an HTTP/2 call has a connection of
// its own. Environment proxies are never used. Thread-safe.
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "demo/http_types.h"

namespace hopcheck::demo {

enum class CallProtocol : uint8_t {
  kHttp1,
  kHttp2,  // without TLS, known beforehand
  kGrpc,   // unary over that: `body` is the message, content-type and te are set
};

struct HttpCall {
  CallProtocol protocol = CallProtocol::kHttp1;
  std::string method = "GET";
  std::string url;
  std::vector<Header> headers;
  std::string body;  // sent with POST, PUT and PATCH only
  long connect_timeout_ms = 3'000;
  long timeout_ms = 60'000;  // of the whole exchange; above the longest delay switch
};

struct HttpAnswer {
  int status = 0;     // 0: no complete answer. Of a gRPC call: the HTTP status its code stands for (h2/grpc.h)
  int grpc_status = -1;  // -1: not a gRPC answer
  std::string error;  // why, when status is 0
  long retry_after_seconds = 0;  // 0: not given
};

// Where calls really go, whatever their URLs say; as curl's options of the same names.
struct HttpRoute {
  std::vector<std::string> connect_to;  // HOST:PORT:TO_HOST:TO_PORT, empty parts match or keep all; the first wins
  std::string interface;                // source address, "" = the system chooses
};

class HttpClient {
 public:
  explicit HttpClient(HttpRoute route = {});
  ~HttpClient();  // no perform() may be under way
  HttpClient(const HttpClient&) = delete;

  // Blocks. The answer's body is read and thrown away (at most 8 MiB, more is an error). A requested stop ends the
  // exchange at once. An idle connection found dead is replaced silently, as long as nothing of an answer came.
  HttpAnswer perform(const HttpCall& call, const std::stop_token& stop);
  const HttpRoute& route() const { return route_; }

 private:
  class Pool;
  std::unique_ptr<Pool> pool_;
  HttpRoute route_;
};

}  // namespace hopcheck::demo
