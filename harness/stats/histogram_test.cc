#include "stats/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/rng.h"

namespace hopcheck::stats {
namespace {

std::vector<int64_t> samples(uint64_t seed, size_t count) {
  Rng rng(seed);
  std::vector<int64_t> values;
  // Spread evenly over the powers of two, as latencies are.
  for (size_t i = 0; i < count; ++i) values.push_back(static_cast<int64_t>(rng.next() >> (1 + rng.below(63))));
  return values;
}

Histogram histogram_of(const std::vector<int64_t>& values) {
  Histogram histogram;
  for (const int64_t value : values) histogram.add(value);
  return histogram;
}

TEST(Histogram, QuantilesAreWithinATenthOfAPercent) {
  std::vector<int64_t> values = samples(1, 20'000);
  const Histogram histogram = histogram_of(values);
  std::sort(values.begin(), values.end());
  for (const double quantile : {0.0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const size_t rank = std::max<size_t>(1, static_cast<size_t>(std::ceil(quantile * 20'000 - 1e-9)));
    const double exact = static_cast<double>(values[rank - 1]);
    const double got = static_cast<double>(histogram.quantile(quantile));
    EXPECT_GE(got, exact) << quantile;
    EXPECT_LE(got, exact * 1.001) << quantile;
  }
  EXPECT_EQ(histogram.min(), values.front());
  EXPECT_EQ(histogram.max(), values.back());
  EXPECT_EQ(histogram.quantile(1.0), values.back());
}

TEST(Histogram, SmallValuesAreExact) {
  Histogram histogram;
  for (int64_t value = 1; value <= 1000; ++value) histogram.add(value);
  EXPECT_EQ(histogram.quantile(0.5), 500);
  EXPECT_EQ(histogram.quantile(0.9), 900);
  EXPECT_EQ(histogram.quantile(0.99), 990);
  EXPECT_EQ(histogram.count_above(990), 10u);
  EXPECT_EQ(histogram.count_above(-1), 1000u);
}

TEST(Histogram, MergeInAnyOrderEqualsTheWhole) {
  const std::vector<int64_t> first = samples(2, 5000), second = samples(3, 7000), third = samples(4, 1);
  std::vector<int64_t> all = third;
  all.insert(all.end(), second.begin(), second.end());
  all.insert(all.end(), first.begin(), first.end());
  Histogram forward = histogram_of(first);
  forward.merge(histogram_of(second));
  forward.merge(histogram_of(third));
  forward.merge(Histogram());
  Histogram backward;
  backward.merge(histogram_of(third));
  backward.merge(histogram_of(second));
  backward.merge(histogram_of(first));
  EXPECT_TRUE(forward == histogram_of(all));
  EXPECT_TRUE(forward == backward);
  EXPECT_EQ(forward.count(), 12'001u);
}

TEST(Histogram, ExtremesAndNegatives) {
  Histogram histogram;
  EXPECT_EQ(histogram.quantile(0.5), 0);
  histogram.add(std::numeric_limits<int64_t>::max());
  EXPECT_EQ(histogram.quantile(0.5), std::numeric_limits<int64_t>::max());
  histogram.add(-5, 3);
  histogram.add(7, 0);
  EXPECT_EQ(histogram.count(), 4u);
  EXPECT_EQ(histogram.quantile(0.5), 0);
  EXPECT_EQ(histogram.min(), -5);
  EXPECT_EQ(histogram.distribution().buckets.size(), 2u);
}

TEST(Histogram, DistributionKeepsEveryValueInAtMostSixtyBuckets) {
  for (const size_t count : {1u, 10u, 100u, 10'000u}) {
    const std::vector<int64_t> values = samples(count, count);
    const Distribution distribution = histogram_of(values).distribution();
    EXPECT_LE(distribution.buckets.size(), Histogram::kMaxReportBuckets);
    EXPECT_EQ(distribution.count, count);
    EXPECT_EQ(distribution.max, *std::max_element(values.begin(), values.end()));
    uint64_t total = 0;
    int64_t previous = -1;
    for (const Distribution::Bucket& bucket : distribution.buckets) {
      EXPECT_GT(bucket.count, 0u);
      EXPECT_GT(bucket.upper, previous);
      const int64_t lower = previous;
      const auto inside = [&](int64_t value) { return value > lower && value <= bucket.upper; };
      EXPECT_EQ(static_cast<uint64_t>(std::count_if(values.begin(), values.end(), inside)), bucket.count);
      previous = bucket.upper;
      total += bucket.count;
    }
    EXPECT_EQ(total, count);
  }
}

TEST(Histogram, DistributionOfANarrowRangeIsFine) {
  Histogram histogram;
  for (int64_t i = 0; i < 1000; ++i) histogram.add(1'000'000 + i * 1000);  // 1 ms … 2 ms
  const Distribution distribution = histogram.distribution();
  EXPECT_GE(distribution.buckets.size(), 30u);
  EXPECT_LE(distribution.buckets.size(), 60u);
  EXPECT_EQ(histogram_of({}).distribution().buckets.size(), 0u);
}

}  // namespace
}  // namespace hopcheck::stats
