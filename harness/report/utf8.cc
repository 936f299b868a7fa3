#include "report/utf8.h"

#include <fmt/format.h>

namespace hopcheck::report {

Utf8Char utf8_front(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return {first, 1};
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return {};
  uint32_t point = first & (0xffu >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    point = (point << 6) | (byte(i) & 0x3f);
  }
  static constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = point >= 0xd800 && point <= 0xdfff;
  if (point < kLeast[length] || point > 0x10ffff || surrogate) return {};
  return {point, length};
}

size_t columns(std::string_view text) {
  size_t count = 0;
  while (!text.empty()) {
    const size_t bytes = utf8_front(text).bytes;
    text.remove_prefix(bytes == 0 ? 1 : bytes);
    ++count;
  }
  return count;
}

std::string cut_columns(std::string_view text, size_t width) {
  if (columns(text) <= width) return std::string(text);
  if (width == 0) return "";
  size_t end = 0;
  for (size_t i = 0; i + 1 < width; ++i) {
    const size_t bytes = utf8_front(text.substr(end)).bytes;
    end += bytes == 0 ? 1 : bytes;
  }
  return std::string(text.substr(0, end)) + "…";
}

std::string cut_bytes(std::string_view text, size_t limit) {
  if (text.size() <= limit) return std::string(text);
  size_t end = limit;
  while (end > 0 && end + 4 > limit && (static_cast<uint8_t>(text[end]) & 0xc0) == 0x80) --end;
  return fmt::format("{}… ({} bytes)", text.substr(0, end), text.size());
}

}  // namespace hopcheck::report
