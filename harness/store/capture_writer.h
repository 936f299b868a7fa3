// Opening a capture for writing, new or interrupted.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "store/capture.h"

namespace hopcheck::store {

struct OpenedCapture {
  std::unique_ptr<CaptureWriter> writer;  // thread-safe
  uint64_t recovered_frames = 0;
  uint64_t cut_bytes = 0;  // of a torn tail
};

// A new file, or the continuation of an unsealed one: each of its frames is told to on_recovered, a torn tail is cut
// off. Errors: the file is locked by another writer, cannot be written (kEnvironment); is sealed, damaged or no capture
// (kUsage, kEvidence).
Result<OpenedCapture> open_capture(const std::string& path, std::string_view run_id, uint64_t created_unix_nanos,
                                   const std::function<void(const Frame&)>& on_recovered);

}  // namespace hopcheck::store
