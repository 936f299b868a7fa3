// When to stop waiting for spans (verdict.md section 4). Pure: the caller supplies the clock's readings.
#pragma once

#include <cstdint>
#include <optional>

namespace hopcheck::run {

struct DrainRule {
  int64_t flush_nanos = 6'200'000'000;   // Envoy's 5 s flush, 0.2 s batch, 1 s margin
  int64_t quiet_nanos = 7'000'000'000;   // no attributed span for this long
  int64_t deadline_nanos = 60'000'000'000;
};

struct DrainState {
  int64_t now_nanos = 0;                 // monotonic, as all others
  int64_t drain_start_nanos = 0;
  int64_t last_answer_nanos = 0;         // last request answered
  int64_t last_span_nanos = 0;           // last span attributed to this run, 0 = none yet
  uint64_t due_missing = 0;              // requests with spans still due
  std::optional<uint64_t> queue;         // Collector's exporter queue; nullopt: not exposed
};

enum class DrainEnd : uint8_t { kNotYet, kComplete, kQuiet, kDeadline };
const char* to_string(DrainEnd end);  // "complete" …

DrainEnd drain_end(const DrainRule& rule, const DrainState& state);

}  // namespace hopcheck::run
