// Latencies of a drive from its outcomes, mergeable and order-free. Corrected latency counts from when a request was
// due, uncorrected from when it was sent; send lateness is the difference, the generator's own error ("coordinated
// omission"). Latency is of answered requests (ok and failed), lateness of all sent ones.
#pragma once

#include <array>
#include <cstdint>

#include "model/ledger.h"
#include "model/run_result.h"
#include "stats/histogram.h"

namespace hopcheck::stats {

class LatencyRecorder {
 public:
  void add(const Outcome& outcome);
  void merge(const LatencyRecorder& other);

  LatencyResult result() const;
  const Histogram& corrected() const { return corrected_; }
  const Histogram& uncorrected() const { return uncorrected_; }
  const Histogram& lateness() const { return lateness_; }
  const std::array<uint64_t, 4>& outcomes() const { return outcomes_; }  // by OutcomeKind
  uint64_t sent() const { return lateness_.count(); }
  // Sent requests per second between the first and the last send; 0 when fewer than two were sent.
  double achieved_rate() const;
  // Share of sent requests that were late by more than the limit, 0 … 1; 0 when none was sent.
  double share_later_than(int64_t limit_nanos) const;

 private:
  Histogram corrected_, uncorrected_, lateness_;
  std::array<uint64_t, 4> outcomes_{};
  int64_t first_sent_ = 0, last_sent_ = 0;
};

}  // namespace hopcheck::stats
