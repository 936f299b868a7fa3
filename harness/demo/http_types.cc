#include "demo/http_types.h"

#include <fmt/format.h>

#include <charconv>

#include "base/text.h"

namespace hopcheck::demo {

Result<Address> parse_address(const std::string& text) {
  const size_t colon = text.rfind(':');
  const auto bad = [&](const std::string& why) {
    return fail(ErrorKind::kUsage, "bad address '" + text + "'", why, "write HOST:PORT, such as 0.0.0.0:8080");
  };
  if (colon == std::string::npos) return bad("there is no port");
  Address address;
  address.host = text.substr(0, colon);
  if (address.host.empty()) address.host = "0.0.0.0";
  if (address.host.front() == '[') {
    if (address.host.size() < 3 || address.host.back() != ']') return bad("a bracket is missing");
    address.host = address.host.substr(1, address.host.size() - 2);
  }
  const char* begin = text.data() + colon + 1;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(begin, end, address.port);
  if (begin == end || parsed.ec != std::errc() || parsed.ptr != end) return bad("the port is not 0 to 65535");
  return address;
}

bool same_name(std::string_view left, std::string_view right) {
  if (left.size() != right.size()) return false;
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  for (size_t i = 0; i < left.size(); ++i) {
    if (lower(left[i]) != lower(right[i])) return false;
  }
  return true;
}

std::vector<std::string> values_of(const std::vector<Header>& headers, std::string_view name) {
  std::vector<std::string> values;
  for (const Header& header : headers) {
    if (same_name(header.name, name)) values.push_back(header.value);
  }
  return values;
}

std::string_view path_of(std::string_view target) {
  if (target.empty() || target.front() != '/') return "/";
  return target.substr(0, target.find_first_of("?#"));
}

std::optional<std::string_view> raw_parameter(std::string_view target, std::string_view name) {
  const size_t question = target.find('?');
  if (question == std::string_view::npos) return std::nullopt;
  const std::string_view query = target.substr(question + 1, target.find('#', question) - question - 1);
  for (const std::string_view part : split(query, '&')) {
    const size_t equals = part.find('=');
    if (part.substr(0, equals) != name) continue;
    return equals == std::string_view::npos ? std::string_view{} : part.substr(equals + 1);
  }
  return std::nullopt;
}

std::string safe_parameter(std::string_view raw) {
  std::string out;
  for (const char c : raw.substr(0, 256)) {
    const bool keep = c > 0x20 && c < 0x7f && c != '#' && c != '&' && c != '"' && c != '<' && c != '>';
    if (keep) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

}  // namespace hopcheck::demo
