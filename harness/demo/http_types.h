// Plain HTTP values, so that cpp-httplib stays inside http_server.cc and libcurl inside http_client.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hopcheck::demo {

inline constexpr char kDemoVersion[] = "0.1.0";

struct Header {
  std::string name;  // compared without case
  std::string value;
};

struct HttpRequest {
  std::string method;
  std::string target;  // as received: path and query, still percent-encoded
  std::vector<Header> headers;
  std::string body;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
};

struct Address {
  std::string host;
  uint16_t port = 0;  // 0: the system chooses
};

// "0.0.0.0:8080", "[::]:8080", ":8080" (all IPv4 addresses). Error: kUsage.
Result<Address> parse_address(const std::string& text);

bool same_name(std::string_view left, std::string_view right);  // ASCII, without case
// All values of a header, in order.
std::vector<std::string> values_of(const std::vector<Header>& headers, std::string_view name);

// The path of a request target, without query; "/" for anything but an absolute path.
std::string_view path_of(std::string_view target);
// The first value of a query parameter, still percent-encoded; nullopt when absent.
std::optional<std::string_view> raw_parameter(std::string_view target, std::string_view name);
// Bytes that may not stand in a query become %XX; what is encoded already stays; at most 256 bytes are kept.
std::string safe_parameter(std::string_view raw);

}  // namespace hopcheck::demo
