#include "model/run_result.h"

namespace hopcheck {

const char* to_string(RequestClass c) {
  static constexpr const char* kNames[] = {"unsent",     "complete",  "incomplete", "lost",
                                           "malformed", "unsampled", "recovered",  "unresolved"};
  return c < RequestClass::kCount ? kNames[static_cast<size_t>(c)] : "?";
}

const char* to_string(SpanClass c) {
  static constexpr const char* kNames[] = {"matched",  "malformed", "unexpected", "detached", "duplicate",
                                           "conflict", "foreign",   "late",       "warmup"};
  return c < SpanClass::kCount ? kNames[static_cast<size_t>(c)] : "?";
}

}  // namespace hopcheck
