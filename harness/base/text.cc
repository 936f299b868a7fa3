#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace hopcheck {

std::optional<int64_t> parse_duration_nanos(std::string_view text) {
  struct Unit {
    std::string_view name;
    double nanos;
  };
  static constexpr std::array<Unit, 6> kUnits{
      {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 6e10}, {"h", 3.6e12}}};
  if (text.empty()) return std::nullopt;
  double total = 0;
  while (!text.empty()) {
    size_t digits = 0;
    while (digits < text.size() && (isdigit(static_cast<unsigned char>(text[digits])) || text[digits] == '.')) ++digits;
    size_t letters = digits;
    while (letters < text.size() && isalpha(static_cast<unsigned char>(text[letters]))) ++letters;
    if (digits == 0 || digits > 18) return std::nullopt;
    const std::string number(text.substr(0, digits));
    if (std::count(number.begin(), number.end(), '.') > 1 || number == ".") return std::nullopt;
    const std::string_view unit = text.substr(digits, letters - digits);
    const auto* found = std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& u) { return u.name == unit; });
    if (found == kUnits.end()) return std::nullopt;
    total += std::stod(number) * found->nanos;
    text.remove_prefix(letters);
  }
  if (total > 9e18) return std::nullopt;
  return static_cast<int64_t>(total);
}

std::string format_nanos(int64_t nanos) {
  const double value = static_cast<double>(nanos);
  const double size = value < 0 ? -value : value;
  if (size < 1e3) return fmt::format("{}ns", nanos);
  if (size < 1e6) return fmt::format("{:.4g}us", value / 1e3);
  if (size < 1e9) return fmt::format("{:.4g}ms", value / 1e6);
  return fmt::format("{:.4g}s", value / 1e9);
}

std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates) {
  std::optional<std::string> best;
  size_t best_distance = std::max<size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    std::vector<size_t> row(candidate.size() + 1);
    for (size_t j = 0; j <= candidate.size(); ++j) row[j] = j;
    for (size_t i = 1; i <= word.size(); ++i) {
      size_t diagonal = row[0];
      row[0] = i;
      for (size_t j = 1; j <= candidate.size(); ++j) {
        const size_t cost = word[i - 1] == candidate[j - 1] ? 0 : 1;
        const size_t next = std::min({row[j] + 1, row[j - 1] + 1, diagonal + cost});
        diagonal = row[j];
        row[j] = next;
      }
    }
    if (row[candidate.size()] < best_distance) {
      best_distance = row[candidate.size()];
      best = candidate;
    }
  }
  return best;
}

namespace {

// Length of the valid UTF-8 sequence at the start of text and its code point; 0 when invalid (RFC 3629, no overlong, no
// surrogates).
size_t utf8_sequence(std::string_view text, uint32_t& point) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) {
    point = first;
    return 1;
  }
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  point = first & (0xff >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    point = (point << 6) | (byte(i) & 0x3f);
  }
  static constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (point < kLeast[length] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return 0;
  return length;
}

bool is_hostile(uint32_t point) {
  return point < 0x20 || (point >= 0x7f && point < 0xa0) || (point >= 0x200b && point <= 0x200f) ||
         (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069) || point == 0xfeff;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    uint32_t point = 0;
    const size_t length = utf8_sequence(text, point);
    if (length == 0) {
      out += fmt::format("\\x{:02x}", static_cast<uint8_t>(text[0]));
      text.remove_prefix(1);
      continue;
    }
    if (!is_hostile(point)) {
      out += text.substr(0, length);
    } else if (point < 0x100) {
      out += fmt::format("\\x{:02x}", point);
    } else {
      out += fmt::format("\\u{{{:04x}}}", point);
    }
    text.remove_prefix(length);
  }
  return out;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  size_t start = 0;
  for (size_t end = text.find(separator); end != std::string_view::npos; end = text.find(separator, start)) {
    parts.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  parts.push_back(text.substr(start));
  return parts;
}

bool starts_with_dotted(std::string_view version, std::string_view prefix) {
  if (version.substr(0, prefix.size()) != prefix) return false;
  return version.size() == prefix.size() || version[prefix.size()] == '.' || version[prefix.size()] == '-';
}

}  // namespace hopcheck
