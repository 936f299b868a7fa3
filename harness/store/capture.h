// The native capture log capture.hcl (files.md, "Capture"): append-only, CRC32C-framed, sealed by a footer.
// Little-endian. Reading is incremental so that a tail over HTTP and a file are judged by the same code.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "base/result.h"
#include "model/run_result.h"
#include "model/span.h"
#include "otlp/decode.h"

namespace hopcheck::store {

enum class FrameTransport : uint8_t { kHttp, kGrpc };

struct Frame {
  uint64_t arrival_unix_nanos = 0;
  uint64_t sequence = 0;  // 0,1,2 … without gaps
  FrameTransport transport = FrameTransport::kHttp;
  otlp::Encoding encoding = otlp::Encoding::kProtobuf;
  otlp::ContentEncoding content_encoding = otlp::ContentEncoding::kIdentity;
  uint16_t status = 200;  // answered; other than 200: refused, no body kept
  std::string_view peer;
  std::vector<std::pair<std::string_view, std::string_view>> headers;  // allow-listed
  std::string_view body;  // exactly as received
};

// Appends frames to a file. One writer per file (lock). append() returns after write(2): acknowledge after that.
class CaptureWriter {
 public:
  static Result<std::unique_ptr<CaptureWriter>> create(const std::string& path, std::string_view run_id,
                                                       uint64_t created_unix_nanos);
  virtual ~CaptureWriter() = default;
  virtual Result<void> append(const Frame& frame) = 0;  // sequence is assigned here
  virtual Result<void> seal() = 0;                      // footer; idempotent
  virtual uint64_t bytes() const = 0;
};

// Feed bytes in any split; get whole frames. Views are valid until the next call.
class CaptureParser {
 public:
  // Calls on_frame for each whole frame. Error (kEvidence): damage with its byte range; the parser stops for good.
  Result<void> feed(std::string_view bytes, const std::function<void(const Frame&)>& on_frame);
  bool sealed() const { return sealed_; }
  uint64_t frames() const { return next_sequence_; }
  uint64_t consumed() const { return consumed_; }  // bytes of whole frames so far
  uint64_t pending() const { return buffer_.size(); }

 private:
  Result<void> damage(const char* why, uint64_t first, uint64_t size);

  std::string buffer_;
  std::string spent_;  // what frames of the last call point into
  uint64_t consumed_ = 0;
  uint64_t next_sequence_ = 0;
  bool header_seen_ = false;
  bool sealed_ = false;
  bool broken_ = false;
};

// A whole stored capture, decoded.
struct LoadedCapture {
  std::shared_ptr<Arena> arena;  // owns everything the spans point to
  std::vector<Span> spans;       // in order of arrival
  BodyCounts bodies;
  uint64_t rejected_spans = 0;
  bool complete = true;          // sealed, no gap, no damage (foreign formats: read to the end)
  std::string problem;           // when not complete
  std::vector<std::string> notes;
};

// Reads capture.hcl, OTLP JSON lines, or 4-byte big-endian length-prefixed OTLP protobuf, each plain or zstd, by
// content. Torn tail, damage, undecodable lines: complete = false and `problem`. Error only when the file cannot be
// read at all.
Result<LoadedCapture> load_capture(const std::string& path);
// Decodes one accepted frame's body into `out` (views in the arena); used by load_capture and by the live tail.
Result<otlp::DecodeNotes> decode_frame(const Frame& frame, Arena& arena, std::vector<Span>& out);

}  // namespace hopcheck::store
