// UTF-8 (RFC 3629) for reports: decoding that never reads past the end, cutting at character borders, counting columns.
// Pure. Every character counts as one column; reports line up names of services, which are ASCII.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hopcheck::report {

struct Utf8Char {
  uint32_t point = 0;
  size_t bytes = 0;  // 0: the text does not start with a valid sequence
};
// The first character; text must not be empty.
Utf8Char utf8_front(std::string_view text);

size_t columns(std::string_view text);
// At most `width` columns, the last one an ellipsis when something was cut; invalid bytes count one column each.
std::string cut_columns(std::string_view text, size_t width);
// At most `limit` bytes of the original, cut at a character border, with "… (N bytes)" appended when something was cut.
std::string cut_bytes(std::string_view text, size_t limit);

}  // namespace hopcheck::report
