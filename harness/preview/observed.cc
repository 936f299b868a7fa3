#include "preview/observed.h"

#include <charconv>
#include <regex>

#include "base/text.h"
#include "check/span_info.h"
#include "plan/expand.h"

namespace hopcheck::preview {
namespace {

ProxyRole role_of(const Span& span) {
  const std::string_view node = span.attributes.text("node_id");
  const std::string_view cluster = span.attributes.text("upstream_cluster");
  if (node.empty()) return ProxyRole::kGatewayClient;
  if (node.starts_with("router~")) return ProxyRole::kGatewayServer;
  if (cluster.starts_with("inbound|") || cluster == "InboundPassthroughCluster") return ProxyRole::kInbound;
  if (!cluster.empty()) return ProxyRole::kOutbound;
  return span.kind == SpanKind::kServer ? ProxyRole::kInbound : ProxyRole::kOutbound;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view("\\^$.|?*+()[]{}").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

// The template as a regular expression: placeholders by their form, the rest literally (or as it stands in /…/).
std::string pattern_of(const std::string& rule, const Sighting& seen) {
  const bool regex = rule.size() >= 2 && rule.front() == '/' && rule.back() == '/';
  const std::string text = regex ? rule.substr(1, rule.size() - 2) : rule;
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const size_t close = text[i] == '{' ? text.find('}', i) : std::string::npos;
    const std::string name = close == std::string::npos ? "" : text.substr(i + 1, close - i - 1);
    const bool placeholder = !name.empty() && name.find_first_of("0123456789,") == std::string::npos;
    if (!placeholder) {
      out += regex ? std::string(1, text[i]) : escaped(std::string_view(text).substr(i, 1));
      ++i;
      continue;
    }
    if (name == "cluster") out += escaped(seen.cluster);
    else if (name == "authority") out += escaped(seen.authority);
    else if (name == "port") out += "[0-9]+";
    else if (name == "host") out += "[^:/ ]+";
    else if (name == "route") out += "/[^ ]*";
    else out += ".+";
    i = close + 1;
  }
  return out;
}

}  // namespace

std::vector<Sighting> sightings(const std::vector<Span>& spans) {
  std::vector<Sighting> out;
  for (const Span& span : spans) {
    if (!check::is_mesh_span(span)) continue;
    Sighting one;
    one.span = &span;
    one.role = role_of(span);
    one.cluster = span.attributes.text("upstream_cluster");
    one.authority = check::url_authority(span.attributes.text("http.url"));
    const std::string_view code = span.attributes.text("http.status_code");
    std::from_chars(code.data(), code.data() + code.size(), one.status);
    one.failed = one.status >= 400 || one.status <= 0;
    one.odd = span.attributes.text("canceled") == "true" || span.attributes.find("grpc.status_code") != nullptr ||
              span.attributes.text("response_flags").find("DC") != std::string_view::npos;
    out.push_back(one);
  }
  return out;
}

std::set<std::string> envoy_minors(const std::vector<Sighting>& seen) {
  std::set<std::string> out;
  for (const Sighting& one : seen) {
    const std::string minor = plan::envoy_minor_of(one.span->resource->attributes.text("telemetry.sdk.version"));
    if (!minor.empty()) out.insert(minor);
  }
  return out;
}

bool fits(const std::string& rule, std::string_view text, const Sighting& seen) {
  if (rule.empty()) return true;
  if (rule.find('{') == std::string::npos && rule.front() != '/') return rule == text;
  if (text.size() > 4096) return false;
  try {
    return std::regex_match(std::string(text), std::regex(pattern_of(rule, seen)));
  } catch (const std::regex_error&) {
    return false;  // config refuses such profiles
  }
}

}  // namespace hopcheck::preview
