// Which request each trace belongs to (verdict.md section 0): our trace id; `hop` in http.url; x-request-id.
// Attribution is evidence only: it never merges traces. Also finds duplicates and conflicts. Linear in the number of
// spans.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "check/judge.h"
#include "check/span_info.h"

namespace hopcheck::check {

inline constexpr uint64_t kNoRequest = UINT64_MAX;

struct TraceGroup {
  TraceId id;
  std::vector<uint32_t> spans;   // indices, by (start, span id); duplicates left out
  uint64_t n = kNoRequest;       // request it is attributed to
  bool warmup = false;           // ours, not to be judged (warm-up, positive control)
  bool mixed = false;            // hop tags of other requests than n, too
  bool of_another_run = false;   // tagged by another run of hopcheck: foreign, whatever its proxies
  bool explained = false;        // detached, and a finding of its scenario says why
  int scenario = -1;  // scenario whose request it is, or (n unset) whose topology its proxies belong to; -1 foreign
};

struct Attribution {
  std::vector<SpanClass> span_class;  // by span; kMatched stands for "to be judged"
  std::vector<TraceGroup> traces;     // ascending by trace id
  // Conflicts: pairs of indices with the same ids and other content.
  std::vector<std::pair<uint32_t, uint32_t>> conflicts;
};

// Canonical content: everything but arrival; OTLP is at-least-once and the Collector re-encodes.
bool same_content(const Span& a, const Span& b);

Attribution attribute(const JudgeInput& input, const std::vector<std::unique_ptr<Classifier>>& classifiers);

}  // namespace hopcheck::check
