// A bounds-checked walk over one protobuf message (https://protobuf.dev/programming-guides/encoding/): no exceptions,
// no recursion, no allocation. Stricter than libprotobuf in two places, so that nothing is lost in silence: a varint
// above 64 bits is an error, and callers refuse a known field with a wrong wire type instead of skipping it.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <protozero/types.hpp>
#include <string_view>

namespace hopcheck::otlp {

static_assert(std::endian::native == std::endian::little, "fixed-width fields are read in place");

inline constexpr int kMaxGroupDepth = 100;  // the limit CVE-2024-7254 asked for

struct WireField {
  uint32_t number = 0;
  protozero::pbf_wire_type type = protozero::pbf_wire_type::unknown;
  uint64_t value = 0;      // varint, fixed32, fixed64
  std::string_view bytes;  // length_delimited; points into the message

  bool is_varint() const { return type == protozero::pbf_wire_type::varint; }
  bool is_bytes() const { return type == protozero::pbf_wire_type::length_delimited; }
  bool is_fixed32() const { return type == protozero::pbf_wire_type::fixed32; }
  bool is_fixed64() const { return type == protozero::pbf_wire_type::fixed64; }
};

class WireReader {
 public:
  explicit WireReader(std::string_view message) : at_(message.data()), end_(at_ + message.size()) {}

  // The next field; groups are skipped. False at the end and on damage: error() tells which.
  bool next(WireField& field) {
    while (at_ != end_) {
      if (!tag(field)) return false;
      if (static_cast<uint32_t>(field.type) == kStartGroup) {
        if (!skip_group(field.number)) return false;
        continue;
      }
      return payload(field);
    }
    return false;
  }
  const char* error() const { return error_; }    // nullptr: none
  const char* position() const { return at_; }

 private:
  static constexpr uint32_t kStartGroup = 3, kEndGroup = 4;

  bool bad(const char* why) {
    error_ = why;
    return false;
  }

  bool varint(uint64_t& value) {
    if (at_ != end_ && static_cast<uint8_t>(*at_) < 0x80) {
      value = static_cast<uint8_t>(*at_++);
      return true;
    }
    uint64_t result = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      if (at_ == end_) return bad("truncated varint");
      const uint8_t byte = static_cast<uint8_t>(*at_++);
      if (shift == 63 && byte > 1) return bad("varint above 64 bits");
      result |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) {
        value = result;
        return true;
      }
    }
    return bad("varint above 64 bits");
  }

  bool tag(WireField& field) {
    uint64_t raw = 0;
    if (!varint(raw)) return false;
    if (raw > UINT32_MAX || raw >> 3 == 0) return bad("invalid field number");
    field.number = static_cast<uint32_t>(raw >> 3);
    field.type = static_cast<protozero::pbf_wire_type>(raw & 7);
    return true;
  }

  bool payload(WireField& field) {
    const size_t left = static_cast<size_t>(end_ - at_);
    switch (field.type) {
      case protozero::pbf_wire_type::varint: return varint(field.value);
      case protozero::pbf_wire_type::fixed64:
        if (left < 8) return bad("truncated 64-bit value");
        std::memcpy(&field.value, at_, 8);
        at_ += 8;
        return true;
      case protozero::pbf_wire_type::fixed32: {
        if (left < 4) return bad("truncated 32-bit value");
        uint32_t value;
        std::memcpy(&value, at_, 4);
        field.value = value;
        at_ += 4;
        return true;
      }
      case protozero::pbf_wire_type::length_delimited: {
        uint64_t length = 0;
        if (!varint(length)) return false;
        if (length > static_cast<size_t>(end_ - at_)) return bad("length runs past the end");
        field.bytes = {at_, static_cast<size_t>(length)};
        at_ += length;
        return true;
      }
      default: return bad("invalid wire type");
    }
  }

  bool skip_group(uint32_t number) {
    uint32_t open[kMaxGroupDepth];
    int depth = 0;
    open[depth++] = number;
    while (depth > 0) {
      WireField inner;
      if (at_ == end_) return bad("truncated group");
      if (!tag(inner)) return false;
      const uint32_t type = static_cast<uint32_t>(inner.type);
      if (type == kStartGroup) {
        if (depth == kMaxGroupDepth) return bad("groups nested too deep");
        open[depth++] = inner.number;
      } else if (type == kEndGroup) {
        if (open[--depth] != inner.number) return bad("mismatched end of group");
      } else if (!payload(inner)) {
        return false;
      }
    }
    return true;
  }

  const char* at_;
  const char* end_;
  const char* error_ = nullptr;
};

}  // namespace hopcheck::otlp
