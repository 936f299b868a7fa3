// Log-linear histogram of durations: three significant digits over the whole range of int64, the same buckets
// everywhere, so that histograms of threads and shards add up to the histogram of the whole, in any order. Values in
// nanoseconds. Memory: 8 KiB per power of two that occurs. Value type, not thread-safe.
//
// Buckets: 0 … 1023 exactly; above, each power of two is cut into 1024 equal parts, so a bucket is at most 0.1 % wide
// (the scheme of Gil Tene's HdrHistogram).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "model/run_result.h"

namespace hopcheck::stats {

class Histogram {
 public:
  // Negative values count as 0 (a clock cannot run backwards, a gap between two machines' clocks can); min() keeps
  // them.
  void add(int64_t value, uint64_t times = 1);
  void merge(const Histogram& other);
  bool operator==(const Histogram&) const = default;

  uint64_t count() const { return count_; }
  int64_t min() const { return min_; }  // exact; 0 when empty
  int64_t max() const { return max_; }  // exact; 0 when empty
  // Nearest rank: the smallest bucket bound with at least quantile × count values at or below it, never above max().
  // 0 <= quantile <= 1; 0 when empty.
  int64_t quantile(double quantile) const;
  // How many values lie in buckets wholly above the limit: exact below 1024, else to 0.1 %.
  uint64_t count_above(int64_t limit) const;

  // For reports: at most kMaxReportBuckets non-empty buckets, the finest even cut of powers of two that fits.
  static constexpr size_t kMaxReportBuckets = 60;
  Distribution distribution() const;

 private:
  template <class Visit>
  void each_bucket(Visit visit) const;  // visit(lower, upper, count) of non-empty buckets, ascending
  std::vector<Distribution::Bucket> coarse(int cuts_log2) const;

  static constexpr size_t kPart = 1024;
  // blocks_[0] holds 0 … 1023, blocks_[i] holds [2^(i+9), 2^(i+10)); empty or kPart counters.
  std::array<std::vector<uint64_t>, 54> blocks_;
  uint64_t count_ = 0;
  int64_t min_ = 0, max_ = 0;
};

}  // namespace hopcheck::stats
