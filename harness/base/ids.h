// W3C trace and span ids (https://www.w3.org/TR/trace-context/): 16 and 8 bytes, all-zero invalid, lower-case hex
// outside.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace hopcheck {

template <size_t N>
struct IdBytes {
  std::array<uint8_t, N> bytes{};
  auto operator<=>(const IdBytes&) const = default;
  bool is_zero() const { return *this == IdBytes{}; }
};
using TraceId = IdBytes<16>;
using SpanId = IdBytes<8>;

std::string to_hex(const uint8_t* data, size_t size);
// Any case; false unless exactly 2*size hex digits.
bool from_hex(std::string_view hex, uint8_t* out, size_t size);

template <size_t N>
std::string to_hex(const IdBytes<N>& id) {
  return to_hex(id.bytes.data(), N);
}
template <class Id>
std::optional<Id> id_from_hex(std::string_view hex) {
  Id id;
  if (!from_hex(hex, id.bytes.data(), id.bytes.size())) return std::nullopt;
  return id;
}

// Keyed hash would be needed against hostile ids; callers that index by received ids use IdHash with a per-run seed.
struct IdHash {
  uint64_t seed = 0x9e3779b97f4a7c15ull;
  template <size_t N>
  size_t operator()(const IdBytes<N>& id) const {
    uint64_t h = seed;
    for (size_t i = 0; i + 8 <= N; i += 8) {
      uint64_t word;
      std::memcpy(&word, id.bytes.data() + i, 8);
      h = (h ^ word) * 0xff51afd7ed558ccdull;
      h ^= h >> 32;
    }
    return h;
  }
};

}  // namespace hopcheck
