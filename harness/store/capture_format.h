// The bytes of capture.hcl (files.md, "Capture"), little-endian:
//
//   header, 64   "HOPCAP" · u16 version · u64 created (unix nanos) · 32 bytes run id, zero-padded · 12 zero · u32 CRC
//   frame        u32 length of what follows the CRC · u32 CRC over that ·
//                u64 arrival (unix nanos) · u64 sequence · u8 transport · u8 encoding (low half; high half: content
//                coding) · u16 status answered · u8 length + peer · u8 count + headers, each u8 + u16 lengths, name,
//                value · body
//   footer, 40   u32 0xffffffff · u32 CRC over what follows · u64 frames · u64 frames with status 200 · u64 body bytes
//   ·
//                u64 bytes of the file before the footer
//
// CRCs are CRC-32C. A frame with a status other than 200 has no body; kStatusAborted stands for a body that never
// ended.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "store/capture.h"

namespace hopcheck::store {

inline constexpr char kCaptureMagic[] = "HOPCAP";
inline constexpr uint16_t kCaptureVersion = 1;
inline constexpr size_t kCaptureHeaderBytes = 64;
inline constexpr size_t kCaptureFooterBytes = 40;
inline constexpr size_t kFramePrefixBytes = 8;            // length and CRC
inline constexpr size_t kMinFrameRest = 22;               // a frame without peer, headers and body
inline constexpr size_t kMaxFrameRest = 256u << 20;       // a longer one is damage
inline constexpr uint16_t kStatusAborted = 499;           // the sender went away in mid-body
inline constexpr uint16_t kStatusReset = 444;             // the connection was reset instead of an answer, as scripted
// A frame's header that no sender can set: so many spans, the last ones of the body, were rejected by the answer
// (partial success). Who decodes the frame leaves them out.
inline constexpr std::string_view kRejectedSpans = "hopcheck-rejected-spans";

// What kRejectedSpans says; 0 without it.
uint64_t rejected_spans(const Frame& frame);

struct CaptureTotals {
  uint64_t frames = 0;
  uint64_t accepted = 0;
  uint64_t body_bytes = 0;
};

std::string encode_capture_header(std::string_view run_id, uint64_t created_unix_nanos);
// Everything of the frame but its body, checksum over both. Peer, names and values are cut to what their lengths can
// say.
std::string encode_frame_head(const Frame& frame);
std::string encode_capture_footer(const CaptureTotals& totals, uint64_t bytes_before);

// nullptr when `bytes` (at least kCaptureHeaderBytes) start with a sound header of a version we read, else what is
// wrong.
const char* check_capture_header(std::string_view bytes);

struct CaptureRecord {
  enum class Kind : uint8_t { kFrame, kFooter, kIncomplete, kDamaged };
  Kind kind = Kind::kIncomplete;
  size_t size = 0;            // bytes of the record; of the claim, when damaged
  const char* why = nullptr;  // when damaged
  Frame frame;                // views into the bytes that were read
  CaptureTotals totals;       // of a footer
  uint64_t bytes_before = 0;  // of a footer
};
// The record at the start of `bytes`.
CaptureRecord read_capture_record(std::string_view bytes);

// Whether a whole sound frame with a sequence number above `after`, or a footer, starts somewhere in `bytes`: then what
// lies before it is damage, not a torn tail. Its offset, or npos.
size_t find_later_record(std::string_view bytes, uint64_t after);

}  // namespace hopcheck::store
