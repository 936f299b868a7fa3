#include "base/clock.h"

#include <ctime>

namespace hopcheck {
namespace {

int64_t read_nanos(clockid_t id) {
  timespec t{};
  clock_gettime(id, &t);
  return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

class SystemClock final : public Clock {
 public:
  int64_t monotonic_nanos() const override { return read_nanos(CLOCK_MONOTONIC); }
  int64_t wall_unix_nanos() const override { return read_nanos(CLOCK_REALTIME); }
};

}  // namespace

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

}  // namespace hopcheck
