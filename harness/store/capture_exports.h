// A stored capture as a list of exports that can be changed and written again, in the form it was read: native or OTLP
// JSON lines. For the test tools `capture edit` and `capture grow`; judging reads captures with load_capture.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "store/capture.h"

namespace hopcheck::store {

struct CaptureExports {
  bool native = false;
  std::string header;                  // native: the 64 bytes as they were
  std::vector<Frame> frames;           // a JSON line is a frame with encoding kJson and status 200; `sequence` is kept
  std::shared_ptr<Arena> arena;        // owns what frames and decoded spans point to
  std::deque<std::string> bodies;      // re-encoded ones
};

// Error: not readable, neither of the two forms, or damaged (a capture that is only not sealed is taken).
Result<CaptureExports> read_exports(const std::string& path);
// Gets the bytes of the whole file piece by piece; false stops.
using WritePiece = std::function<bool(std::string_view)>;
// Native: frames keep their sequence numbers, and a footer is made for them. False when a piece was refused.
bool write_exports(const CaptureExports& exports, const WritePiece& write);

// The spans of one export; appended.
Result<otlp::DecodeNotes> decode_export(const CaptureExports& exports, size_t index, std::vector<Span>& out);
// Replaces the body of an export by these spans: protobuf in a native capture, a line of JSON else.
void encode_export(CaptureExports& exports, size_t index, const std::vector<Span>& spans);

}  // namespace hopcheck::store
