#include "load/target.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string_view>

namespace hopcheck::load {
namespace {

constexpr size_t kMaxText = 8192;  // of a path or header value; servers refuse longer ones
constexpr int kMaxInFlight = 10'000;
constexpr double kMaxRate = 1e6;
constexpr std::array<std::string_view, 7> kMethods = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

bool printable(std::string_view text, char lowest) {
  return text.size() <= kMaxText &&
         std::all_of(text.begin(), text.end(), [lowest](char c) { return c >= lowest && c != 0x7f; });
}

bool is_path(std::string_view text) {
  return !text.empty() && text.front() == '/' && printable(text, '!') && text.find('#') == std::string_view::npos;
}

bool is_host(std::string_view text) {
  return !text.empty() && text.size() <= 255 && std::all_of(text.begin(), text.end(), [](char c) {
    const bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return alphanumeric || c == '-' || c == '.' || c == '_' || c == ':';
  });
}

tl::unexpected<Error> bad_url(const std::string& url, const char* why) {
  return fail(ErrorKind::kUsage, "unusable URL \"" + url.substr(0, 200) + "\"", why, "write http://host[:port][/path]");
}

tl::unexpected<Error> bad_plan(const std::string& why) { return fail(ErrorKind::kUsage, "unusable load plan", why); }

bool has_body(std::string_view method) { return method == "POST" || method == "PUT" || method == "PATCH"; }

}  // namespace

Result<Target> parse_base_url(const std::string& url) {
  constexpr std::string_view kScheme = "http://";
  std::string_view rest = url;
  if (rest.substr(0, kScheme.size()) != kScheme) return bad_url(url, "only http:// can be driven");
  rest.remove_prefix(kScheme.size());
  const std::string_view authority = rest.substr(0, rest.find('/'));
  const std::string_view path = rest.substr(authority.size());
  Target target;
  std::string_view port;
  if (!authority.empty() && authority.front() == '[') {
    const size_t close = authority.find(']');
    if (close == std::string_view::npos) return bad_url(url, "no ] after the IPv6 address");
    target.host = std::string(authority.substr(1, close - 1));
    port = authority.substr(close + 1);
  } else {
    const size_t colon = std::min(authority.find(':'), authority.size());
    target.host = std::string(authority.substr(0, colon));
    port = authority.substr(colon);
    if (target.host.find(':') != std::string::npos) return bad_url(url, "host is malformed");
  }
  if (!is_host(target.host)) return bad_url(url, "host is empty or malformed");
  if (!port.empty()) {
    const char* end = port.data() + port.size();
    const auto parsed = std::from_chars(port.data() + 1, end, target.port);
    if (port.front() != ':' || parsed.ec != std::errc() || parsed.ptr != end || target.port == 0) {
      return bad_url(url, "port is not a number from 1 to 65535");
    }
  }
  if (!path.empty() && (!is_path(path) || path.find('?') != std::string_view::npos)) {
    return bad_url(url, "path is malformed or holds a query");
  }
  target.host_header = std::string(authority);
  target.path_prefix = std::string(path);
  while (!target.path_prefix.empty() && target.path_prefix.back() == '/') target.path_prefix.pop_back();
  return target;
}

Result<Target> check_plan(const LoadPlan& plan) {
  Result<Target> target = parse_base_url(plan.base_url);
  if (!target) return target;
  if (!plan.host_header.empty()) {
    if (!printable(plan.host_header, '!')) return bad_plan("host header is malformed");
    target->host_header = plan.host_header;
  }
  if (!std::isfinite(plan.rate) || plan.rate < 1e-6 || plan.rate > kMaxRate) {
    return bad_plan("rate is not between 0.000001 and 1000000 requests per second");
  }
  if (plan.timeout_nanos <= 0) return bad_plan("timeout is not positive");
  if (plan.max_in_flight < 1 || plan.max_in_flight > kMaxInFlight) return bad_plan("max in flight is not in 1 … 10000");
  if (plan.journeys.empty()) return bad_plan("no journey");
  for (const Journey& journey : plan.journeys) {
    if (std::find(kMethods.begin(), kMethods.end(), journey.method) == kMethods.end()) {
      return bad_plan("method \"" + journey.method.substr(0, 20) + "\" of journey " + journey.name + " is not known");
    }
    if (!printable(journey.host, '!')) return bad_plan("host of journey " + journey.name + " is malformed");
    if (!is_path(journey.path)) return bad_plan("path of journey " + journey.name + " is malformed");
  }
  if (!printable(plan.trace_state, ' ')) return bad_plan("tracestate is malformed");
  return target;
}

std::string request_text(const LoadPlan& plan, const Target& target, const plan::TagCipher& cipher,
                         const Intent& intent) {
  const Journey& journey = plan.journeys[intent.journey];
  const std::string& method = journey.method;
  std::string text;
  text.reserve(512);
  const auto line = [&text](std::string_view name, std::string_view value) {
    if (!value.empty()) text.append(name).append(": ").append(value).append("\r\n");
  };
  text.append(method).append(" ").append(target.path_prefix).append(plan::path_of(plan, intent));
  text.append(" HTTP/1.1\r\n");
  line("Host", journey.host.empty() ? target.host_header : journey.host);
  line("User-Agent", plan::user_agent_of(plan, cipher, intent));
  line("Accept", "*/*");
  line("traceparent", plan::traceparent_of(intent));
  line("tracestate", intent.trace_state);
  line("x-request-id", intent.request_id);
  if (has_body(method)) line("Content-Length", "0");
  text.append("\r\n");
  return text;
}

}  // namespace hopcheck::load
