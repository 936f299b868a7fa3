// OTLP ExportTraceServiceRequest → spans. Pure: no clock, no socket. Bodies are hostile: every loop and buffer is
// bounded. Rules: opentelemetry-proto collector/trace/v1, OTLP specification 1.11 (JSON: lowerCamelCase, hex ids,
// integer enums).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "base/result.h"
#include "model/span.h"

namespace hopcheck::otlp {

inline constexpr size_t kMaxBodyBytes = 64u << 20;  // after decompression too
inline constexpr int kMaxDepth = 100;               // AnyValue nesting

enum class Encoding : uint8_t { kProtobuf, kJson };
enum class ContentEncoding : uint8_t { kIdentity, kGzip, kDeflate, kZstd };

// Things that are decodable but wrong.
enum class NoteKind : uint8_t {
  kInvalidId, kInvalidUtf8, kRemovedField, kUnknownEnum, kEnumName, kSnakeCase, kDuplicateField, kCount
};
const char* to_string(NoteKind kind);  // "invalid-id" …

// At most 16 notes kept, all counted.
struct DecodeNotes {
  std::vector<std::string> notes;
  uint64_t note_count = 0;
  std::array<uint64_t, static_cast<size_t>(NoteKind::kCount)> by_kind{};
  uint64_t resource_spans = 0;
};

// Appends the body's spans to `out`; atomic: on error nothing is appended. Views point into `body` or `arena`: the
// caller keeps both (copy the body into the arena first). Error: kind kEvidence, `what` names field path and byte
// offset.
Result<DecodeNotes> decode_protobuf(std::string_view body, Arena& arena, std::vector<Span>& out);
Result<DecodeNotes> decode_json(std::string_view body, Arena& arena, std::vector<Span>& out);  // copies into the arena
Result<DecodeNotes> decode_json_in_place(std::string_view body, Arena& arena, std::vector<Span>& out);

// The decompressed body, in the arena; identity returns `body` itself. Output is bounded before it is allocated.
// Errors: kEvidence; `why` is "too large" when the limit was hit (HTTP 413), else 400.
Result<std::string_view> decompress(std::string_view body, ContentEncoding encoding, size_t limit, Arena& arena);

}  // namespace hopcheck::otlp
