#include "store/capture_format.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "store/capture_crc32c.h"

namespace hopcheck::store {

namespace {

constexpr uint32_t kFooterMark = 0xffffffff;

template <class T>
void put(std::string& out, T value) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));  // the build is little-endian only, otlp/wire.h asserts it
  out.append(bytes, sizeof(T));
}

template <class T>
T get(std::string_view bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

// Takes pieces off the front; `sound` turns false instead of reading past the end.
struct Pieces {
  std::string_view rest;
  bool sound = true;
  std::string_view take(size_t size) {
    if (size > rest.size()) {
      sound = false;
      return {};
    }
    const std::string_view piece = rest.substr(0, size);
    rest.remove_prefix(size);
    return piece;
  }
  template <class T>
  T number() {
    const std::string_view piece = take(sizeof(T));
    return sound ? get<T>(piece, 0) : T{};
  }
};

bool parse_frame(std::string_view rest, Frame& frame) {
  Pieces pieces{rest};
  frame.arrival_unix_nanos = pieces.number<uint64_t>();
  frame.sequence = pieces.number<uint64_t>();
  const auto transport = pieces.number<uint8_t>();
  const auto encoding = pieces.number<uint8_t>();
  frame.status = pieces.number<uint16_t>();
  frame.peer = pieces.take(pieces.number<uint8_t>());
  const size_t headers = pieces.number<uint8_t>();
  for (size_t i = 0; i < headers && pieces.sound; ++i) {
    const size_t name_size = pieces.number<uint8_t>();
    const size_t value_size = pieces.number<uint16_t>();
    const std::string_view name = pieces.take(name_size);
    const std::string_view value = pieces.take(value_size);
    frame.headers.emplace_back(name, value);
  }
  frame.body = pieces.rest;
  if (transport > 1 || (encoding & 15) > 1 || (encoding >> 4) > 3) return false;
  frame.transport = static_cast<FrameTransport>(transport);
  frame.encoding = static_cast<otlp::Encoding>(encoding & 15);
  frame.content_encoding = static_cast<otlp::ContentEncoding>(encoding >> 4);
  return pieces.sound;
}

CaptureRecord damaged(const char* why, size_t size) {
  CaptureRecord record;
  record.kind = CaptureRecord::Kind::kDamaged;
  record.why = why;
  record.size = size;
  return record;
}

CaptureRecord read_footer(std::string_view bytes) {
  CaptureRecord record;
  if (bytes.size() < kCaptureFooterBytes) return record;
  const std::string_view rest = bytes.substr(kFramePrefixBytes, kCaptureFooterBytes - kFramePrefixBytes);
  if (crc32c(rest) != get<uint32_t>(bytes, 4)) return damaged("wrong checksum of the footer", kCaptureFooterBytes);
  record.kind = CaptureRecord::Kind::kFooter;
  record.size = kCaptureFooterBytes;
  record.totals = {get<uint64_t>(rest, 0), get<uint64_t>(rest, 8), get<uint64_t>(rest, 16)};
  record.bytes_before = get<uint64_t>(rest, 24);
  return record;
}

}  // namespace

std::string encode_capture_header(std::string_view run_id, uint64_t created_unix_nanos) {
  std::string out(kCaptureMagic, 6);
  put<uint16_t>(out, kCaptureVersion);
  put<uint64_t>(out, created_unix_nanos);
  out += run_id.substr(0, 32);
  out.resize(kCaptureHeaderBytes - 4, '\0');
  put<uint32_t>(out, crc32c(out));
  return out;
}

std::string encode_frame_head(const Frame& frame) {
  std::string rest;
  put<uint64_t>(rest, frame.arrival_unix_nanos);
  put<uint64_t>(rest, frame.sequence);
  put<uint8_t>(rest, static_cast<uint8_t>(frame.transport));
  put<uint8_t>(rest, static_cast<uint8_t>(static_cast<unsigned>(frame.encoding) |
                                          static_cast<unsigned>(frame.content_encoding) << 4));
  put<uint16_t>(rest, frame.status);
  const std::string_view peer = frame.peer.substr(0, 255);
  put<uint8_t>(rest, static_cast<uint8_t>(peer.size()));
  rest += peer;
  const size_t headers = std::min<size_t>(frame.headers.size(), 255);
  put<uint8_t>(rest, static_cast<uint8_t>(headers));
  for (size_t i = 0; i < headers; ++i) {
    const std::string_view name = frame.headers[i].first.substr(0, 255);
    const std::string_view value = frame.headers[i].second.substr(0, 65535);
    put<uint8_t>(rest, static_cast<uint8_t>(name.size()));
    put<uint16_t>(rest, static_cast<uint16_t>(value.size()));
    rest += name;
    rest += value;
  }
  std::string out;
  out.reserve(kFramePrefixBytes + rest.size());
  put<uint32_t>(out, static_cast<uint32_t>(rest.size() + frame.body.size()));
  put<uint32_t>(out, crc32c(frame.body, crc32c(rest)));
  return out += rest;
}

uint64_t rejected_spans(const Frame& frame) {
  uint64_t count = 0;
  for (const auto& [name, value] : frame.headers) {
    if (name == kRejectedSpans) std::from_chars(value.data(), value.data() + value.size(), count);
  }
  return count;
}

std::string encode_capture_footer(const CaptureTotals& totals, uint64_t bytes_before) {
  std::string rest;
  put<uint64_t>(rest, totals.frames);
  put<uint64_t>(rest, totals.accepted);
  put<uint64_t>(rest, totals.body_bytes);
  put<uint64_t>(rest, bytes_before);
  std::string out;
  put<uint32_t>(out, kFooterMark);
  put<uint32_t>(out, crc32c(rest));
  return out += rest;
}

const char* check_capture_header(std::string_view bytes) {
  if (bytes.substr(0, 6) != kCaptureMagic) return "not a hopcheck capture";
  if (get<uint16_t>(bytes, 6) != kCaptureVersion) return "a capture of another version; this hopcheck reads version 1";
  if (crc32c(bytes.substr(0, kCaptureHeaderBytes - 4)) != get<uint32_t>(bytes, kCaptureHeaderBytes - 4)) {
    return "wrong checksum of the header";
  }
  return nullptr;
}

CaptureRecord read_capture_record(std::string_view bytes) {
  if (bytes.size() < kFramePrefixBytes) return {};
  const uint32_t length = get<uint32_t>(bytes, 0);
  if (length == kFooterMark) return read_footer(bytes);
  if (length < kMinFrameRest || length > kMaxFrameRest) return damaged("impossible frame length", kFramePrefixBytes);
  const size_t size = kFramePrefixBytes + length;
  if (bytes.size() < size) return {};
  const std::string_view rest = bytes.substr(kFramePrefixBytes, length);
  if (crc32c(rest) != get<uint32_t>(bytes, 4)) return damaged("wrong checksum of a frame", size);
  CaptureRecord record;
  if (!parse_frame(rest, record.frame)) return damaged("malformed frame", size);
  record.kind = CaptureRecord::Kind::kFrame;
  record.size = size;
  return record;
}

size_t find_later_record(std::string_view bytes, uint64_t after) {
  // Checksums are computed only where length and sequence number are plausible; the budget bounds hostile files.
  uint64_t budget = 16 * static_cast<uint64_t>(bytes.size()) + (1u << 20);
  for (size_t at = 1; at + kFramePrefixBytes + kMinFrameRest <= bytes.size(); ++at) {
    const std::string_view here = bytes.substr(at);
    const uint32_t length = get<uint32_t>(here, 0);
    if (length != kFooterMark) {
      if (length < kMinFrameRest || length > here.size() - kFramePrefixBytes) continue;
      const uint64_t sequence = get<uint64_t>(here, kFramePrefixBytes + 8);
      if (sequence < after || sequence - after > (1u << 24)) continue;
      if (length > budget) return std::string_view::npos;
      budget -= length;
    }
    const CaptureRecord record = read_capture_record(here);
    if (record.kind == CaptureRecord::Kind::kFrame || record.kind == CaptureRecord::Kind::kFooter) return at;
  }
  return std::string_view::npos;
}

}  // namespace hopcheck::store
