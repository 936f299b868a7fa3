// Named edits of a capture: a test tool for the judge. One edit changes one thing (or each thing that matches, with
// `all`). An edited export is encoded anew: events and links keep their number alone, fields unknown to us go.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "store/capture_exports.h"

namespace hopcheck::store {

// Which span: all conditions that are set must hold; `nth` of those, in order of arrival, from 0.
struct SpanChoice {
  std::optional<SpanId> span;
  std::optional<TraceId> trace;
  std::optional<std::string> service, name;
  std::optional<SpanKind> kind;
  uint64_t nth = 0;
  bool all = false;
};

struct CaptureEdit {
  std::string edit;  // one of edit_names()
  SpanChoice choice;
  std::string new_name;              // rename-span, set-service-name
  std::optional<SpanId> parent;      // reparent
  std::optional<SpanKind> new_kind;  // set-kind
  int64_t shift_nanos = 0;           // shift-time
  std::optional<uint64_t> frame;     // drop-frame; otherwise the one with the chosen span
};

const std::vector<std::string>& edit_names();
// "service=S,name=N,kind=server", any of them, into `choice`.
Result<void> parse_match(const std::string& text, SpanChoice& choice);
std::optional<SpanKind> parse_kind(std::string text);

struct EditedCapture {
  uint64_t spans_changed = 0;
  std::string description;      // of the first change: "zero-parent: span … of trace … in frame 3"
  uint64_t cut_bytes = 0;       // truncate: the caller leaves out so many bytes at the end of the file
};
// Errors: kUsage when nothing matches or something needed is missing.
Result<EditedCapture> edit_capture(CaptureExports& exports, const CaptureEdit& edit);

}  // namespace hopcheck::store
