// UTF-8 validity (RFC 3629): quick for ASCII, which nearly everything is.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace hopcheck::otlp {

inline bool is_ascii(std::string_view text) {
  uint64_t seen = 0;
  size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    uint64_t word;
    std::memcpy(&word, text.data() + i, 8);
    seen |= word;
  }
  for (; i < text.size(); ++i) seen |= static_cast<uint64_t>(static_cast<uint8_t>(text[i]));
  return (seen & 0x8080808080808080ull) == 0;
}

// Length of the valid sequence at the start of `text`, 0 when it is none. `text` is not empty.
size_t utf8_length(std::string_view text);
bool is_utf8(std::string_view text);

}  // namespace hopcheck::otlp
