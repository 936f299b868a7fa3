// The one seam for time. Wall time stamps evidence, monotonic time paces and measures.
#pragma once

#include <cstdint>

namespace hopcheck {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual int64_t monotonic_nanos() const = 0;
  virtual int64_t wall_unix_nanos() const = 0;
};

// The machine's clocks; thread-safe, never destroyed.
const Clock& system_clock();

}  // namespace hopcheck
