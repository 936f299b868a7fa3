#include "demo/trace_context.h"

#include <algorithm>
#include <set>

#include "base/text.h"

namespace hopcheck::demo {
namespace {

constexpr size_t kVersion00Length = 55;
constexpr size_t kMaxMembers = 32;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_lower_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); });
}

bool is_key_tail(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return is_lower(c) || is_digit(c) || c == '_' || c == '-' || c == '*' || c == '/';
  });
}

bool is_key(std::string_view key) {
  if (key.empty()) return false;
  const size_t at = key.find('@');
  if (at == std::string_view::npos) return is_lower(key[0]) && key.size() <= 256 && is_key_tail(key.substr(1));
  const std::string_view tenant = key.substr(0, at);
  const std::string_view system = key.substr(at + 1);
  if (tenant.empty() || system.empty() || tenant.size() > 241 || system.size() > 14) return false;
  return (is_lower(tenant[0]) || is_digit(tenant[0])) && is_key_tail(tenant.substr(1)) && is_lower(system[0]) &&
         is_key_tail(system.substr(1));
}

bool is_value(std::string_view value) {
  if (value.empty() || value.size() > 256 || value.back() == ' ') return false;
  return std::all_of(value.begin(), value.end(),
                     [](char c) { return c >= 0x20 && c <= 0x7e && c != ',' && c != '='; });
}

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace

std::optional<TraceContext> parse_traceparent(std::string_view text) {
  if (text.size() < kVersion00Length || text[2] != '-' || text[35] != '-' || text[52] != '-') return std::nullopt;
  const std::string_view version = text.substr(0, 2);
  const std::string_view flags = text.substr(53, 2);
  if (!is_lower_hex(version) || version == "ff" || !is_lower_hex(flags)) return std::nullopt;
  if (text.size() > kVersion00Length && (version == "00" || text[kVersion00Length] != '-')) return std::nullopt;
  const std::string_view trace = text.substr(3, 32);
  const std::string_view span = text.substr(36, 16);
  if (!is_lower_hex(trace) || !is_lower_hex(span)) return std::nullopt;
  TraceContext context;
  uint8_t flag_bits = 0;
  if (!from_hex(trace, context.trace_id.bytes.data(), 16) || !from_hex(span, context.span_id.bytes.data(), 8) ||
      !from_hex(flags, &flag_bits, 1)) {
    return std::nullopt;
  }
  if (context.trace_id.is_zero() || context.span_id.is_zero()) return std::nullopt;
  context.sampled = (flag_bits & 1) != 0;
  return context;
}

bool is_valid_tracestate(std::string_view text) {
  size_t members = 0;
  std::set<std::string_view> keys;
  for (const std::string_view part : split(text, ',')) {
    const std::string_view member = trim(part);
    if (member.empty()) continue;
    const size_t equals = member.find('=');
    if (++members > kMaxMembers || equals == std::string_view::npos) return false;
    const std::string_view key = member.substr(0, equals);
    if (!is_key(key) || !is_value(member.substr(equals + 1)) || !keys.insert(key).second) return false;
  }
  return true;
}

std::optional<TraceContext> extract_context(const std::vector<Header>& headers) {
  const std::vector<std::string> parents = values_of(headers, "traceparent");
  if (parents.size() != 1) return std::nullopt;
  std::optional<TraceContext> context = parse_traceparent(trim(parents[0]));
  if (!context) return std::nullopt;
  std::string state;
  for (const std::string& value : values_of(headers, "tracestate")) state += (state.empty() ? "" : ",") + value;
  if (is_valid_tracestate(state)) context->trace_state = state;
  return context;
}

std::string traceparent_of(const TraceContext& context) {
  return "00-" + to_hex(context.trace_id) + "-" + to_hex(context.span_id) + (context.sampled ? "-01" : "-00");
}

}  // namespace hopcheck::demo
