// Multiplies a capture: copies of its traces with fresh trace, span and request ids, each copy later in time, up to a
// wanted number of traces. For tests of speed and memory with real spans.
#pragma once

#include <cstdint>

#include "store/capture_exports.h"

namespace hopcheck::store {

struct GrownCapture {
  uint64_t traces = 0, spans = 0, exports = 0;
};
// Writes the grown file, of the same form, to `write`. The first copy keeps its ids; fewer traces than there are: the
// first ones. The result depends on the input alone. Errors: kUsage (no traces), kEvidence (undecodable), kEnvironment
// (not written).
Result<GrownCapture> grow_capture(const CaptureExports& exports, uint64_t traces, const WritePiece& write);

}  // namespace hopcheck::store
