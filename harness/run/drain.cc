#include "run/drain.h"

#include <algorithm>

namespace hopcheck::run {

const char* to_string(DrainEnd end) {
  switch (end) {
    case DrainEnd::kNotYet: return "not yet";
    case DrainEnd::kComplete: return "complete";
    case DrainEnd::kQuiet: return "quiet";
    case DrainEnd::kDeadline: return "deadline";
  }
  return "?";
}

DrainEnd drain_end(const DrainRule& rule, const DrainState& state) {
  if (state.due_missing == 0 && state.now_nanos - state.last_answer_nanos >= rule.flush_nanos)
    return DrainEnd::kComplete;
  const int64_t last_sign = std::max({state.last_span_nanos, state.last_answer_nanos, state.drain_start_nanos});
  if (state.now_nanos - last_sign >= rule.quiet_nanos && state.queue.value_or(0) == 0) return DrainEnd::kQuiet;
  if (state.now_nanos - state.drain_start_nanos >= rule.deadline_nanos) return DrainEnd::kDeadline;
  return DrainEnd::kNotYet;
}

}  // namespace hopcheck::run
