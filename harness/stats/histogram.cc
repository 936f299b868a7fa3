#include "stats/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace hopcheck::stats {
namespace {

constexpr int kPartBits = 10;

size_t block_of(uint64_t value) {
  const int width = static_cast<int>(std::bit_width(value));
  return width <= kPartBits ? 0 : static_cast<size_t>(width - kPartBits);
}

// Width of one bucket of a block is 2^shift.
int shift_of(size_t block) { return block == 0 ? 0 : static_cast<int>(block) - 1; }

uint64_t lower_of(size_t block, size_t part) {
  const uint64_t first = block == 0 ? 0 : 1024;
  return (first + part) << shift_of(block);
}

// The inclusive upper bound of the report bucket that holds `value`, with 2^cuts_log2 buckets per power of two; -1 =
// one bucket for two powers.
uint64_t coarse_upper(uint64_t value, int cuts_log2) {
  if (value == 0) return 0;
  const int power = static_cast<int>(std::bit_width(value)) - 1;
  const int shift = cuts_log2 < 0 ? std::min((power | 1) + 1, 63) : std::max(0, power - cuts_log2);
  return (((value >> shift) + 1) << shift) - 1;
}

}  // namespace

void Histogram::add(int64_t value, uint64_t times) {
  if (times == 0) return;
  min_ = count_ == 0 ? value : std::min(min_, value);
  max_ = count_ == 0 ? value : std::max(max_, value);
  const uint64_t clamped = static_cast<uint64_t>(std::max<int64_t>(value, 0));
  const size_t block = block_of(clamped);
  if (blocks_[block].empty()) blocks_[block].resize(kPart);
  blocks_[block][(clamped >> shift_of(block)) % kPart] += times;
  count_ += times;
}

void Histogram::merge(const Histogram& other) {
  if (other.count_ == 0) return;
  min_ = count_ == 0 ? other.min_ : std::min(min_, other.min_);
  max_ = count_ == 0 ? other.max_ : std::max(max_, other.max_);
  count_ += other.count_;
  for (size_t block = 0; block < blocks_.size(); ++block) {
    if (other.blocks_[block].empty()) continue;
    if (blocks_[block].empty()) blocks_[block].resize(kPart);
    for (size_t part = 0; part < kPart; ++part) blocks_[block][part] += other.blocks_[block][part];
  }
}

template <class Visit>
void Histogram::each_bucket(Visit visit) const {
  for (size_t block = 0; block < blocks_.size(); ++block) {
    for (size_t part = 0; part < blocks_[block].size(); ++part) {
      const uint64_t times = blocks_[block][part];
      if (times == 0) continue;
      const uint64_t lower = lower_of(block, part);
      visit(lower, lower + (uint64_t{1} << shift_of(block)) - 1, times);
    }
  }
}

int64_t Histogram::quantile(double quantile) const {
  if (count_ == 0) return 0;
  const double wanted = std::ceil(std::clamp(quantile, 0.0, 1.0) * static_cast<double>(count_) - 1e-9);
  const uint64_t rank = std::clamp<uint64_t>(static_cast<uint64_t>(std::max(wanted, 1.0)), 1, count_);
  uint64_t seen = 0;
  int64_t result = max_;
  each_bucket([&](uint64_t, uint64_t upper, uint64_t times) {
    if (seen < rank && seen + times >= rank) result = std::min(static_cast<int64_t>(upper), max_);
    seen += times;
  });
  return result;
}

uint64_t Histogram::count_above(int64_t limit) const {
  uint64_t above = 0;
  each_bucket([&](uint64_t lower, uint64_t, uint64_t times) {
    if (limit < 0 || lower > static_cast<uint64_t>(limit)) above += times;
  });
  return above;
}

std::vector<Distribution::Bucket> Histogram::coarse(int cuts_log2) const {
  std::vector<Distribution::Bucket> buckets;
  each_bucket([&](uint64_t lower, uint64_t, uint64_t times) {
    const int64_t upper = static_cast<int64_t>(coarse_upper(lower, cuts_log2));
    if (buckets.empty() || buckets.back().upper != upper) buckets.push_back({upper, 0});
    buckets.back().count += times;
  });
  return buckets;
}

Distribution Histogram::distribution() const {
  Distribution result;
  result.count = count_;
  result.p50 = quantile(0.50);
  result.p90 = quantile(0.90);
  result.p99 = quantile(0.99);
  result.max = max_;
  // Two powers per bucket need at most 33 buckets, so the loop always ends with a cut that fits.
  for (int cuts_log2 = 6; cuts_log2 >= -1; --cuts_log2) {
    result.buckets = coarse(cuts_log2);
    if (result.buckets.size() <= kMaxReportBuckets) break;
  }
  return result;
}

}  // namespace hopcheck::stats
