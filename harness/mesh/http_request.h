// One plain HTTP/1.1 request to a process of ours on loopback (Envoy's admin, the sink's control API, the Collector's
// health), with libcurl; no proxy, no redirects, one connection each. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace hopcheck::mesh {

struct HttpRequest {
  std::string method = "GET";
  std::string url;   // http://...
  std::string body;  // sent when not empty
  std::vector<std::pair<std::string, std::string>> headers;
  int64_t timeout_ms = 5'000;
  size_t limit = size_t{64} << 20;  // bytes of the answer; more is an error (kEvidence)
};
struct HttpReply {
  int status = 0;
  std::string body;
};

// Any status is a value. kEnvironment when there was no HTTP answer in time; kInterrupted when `stop` was set.
Result<HttpReply> http_request(const HttpRequest& request, const std::atomic<bool>& stop);
// The body; a status other than 2xx is a kEnvironment error that begins with `what`. Cannot be interrupted.
Result<std::string> http_ok(const HttpRequest& request, const std::string& what);

}  // namespace hopcheck::mesh
