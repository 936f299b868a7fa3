// Small text helpers: durations, did-you-mean, escaping for terminals.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hopcheck {

// "250ms", "5s", "1m30s", "2h" (Go's duration form, as Kubernetes writes them) to nanoseconds; nullopt when malformed
// or negative.
std::optional<int64_t> parse_duration_nanos(std::string_view text);
// Shortest of ns, us, ms, s with at most three significant decimals: "1.25ms".
std::string format_nanos(int64_t nanos);
// The candidate with the smallest edit distance, if it is at most max(2, size/3) away.
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates);
// Control characters, DEL, C1, bidi marks and invalid UTF-8 become \xNN or \u{NNNN}; the rest stays. For consoles and
// logs.
std::string printable(std::string_view text);
// Substitutes {name} by the value of lookup(name); unknown names stay as they are.
template <class Lookup>
std::string substitute(std::string_view text, Lookup lookup) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const size_t close = text[i] == '{' ? text.find('}', i) : std::string_view::npos;
    if (close == std::string_view::npos) {
      out += text[i++];
      continue;
    }
    const std::string_view name = text.substr(i + 1, close - i - 1);
    const std::optional<std::string> value = lookup(name);
    out += value ? *value : std::string(text.substr(i, close - i + 1));
    i = close + 1;
  }
  return out;
}
std::vector<std::string_view> split(std::string_view text, char separator);
bool starts_with_dotted(std::string_view version, std::string_view prefix);  // "1.31" matches "1.31.0-dev", not "1.310"

}  // namespace hopcheck
