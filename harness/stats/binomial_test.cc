#include "stats/binomial.h"

#include <gtest/gtest.h>

#include <cmath>

namespace hopcheck::stats {
namespace {

// Expected values computed with exact rational arithmetic; 682 of 925 is also the worked example of R's binom.test.
TEST(Binomial, TwoSidedMatchesExactArithmetic) {
  const struct {
    uint64_t k, n;
    double p, expected;
  } cases[] = {{7, 20, 0.3, 0.6294979666766777},       {682, 925, 0.75, 0.3824915595748517},
               {0, 50, 0.1, 0.008373696343230026},     {25, 50, 0.5, 1},
               {20, 50, 0.5, 0.20263875106454066},     {3, 1000, 0.01, 0.02390523650202289},
               {30, 1000, 0.01, 2.0599888509719576e-07}, {120, 200, 0.5, 0.0056851559967503055}};
  for (const auto& c : cases) {
    EXPECT_NEAR(binomial_two_sided_p(c.k, c.n, c.p) / c.expected, 1, 1e-9) << c.k << " of " << c.n;
  }
}

TEST(Binomial, TwoSidedIsTheSumOfNoMoreLikelyOutcomes) {
  for (uint64_t n = 1; n <= 40; ++n) {
    for (const double p : {0.01, 0.1, 0.33, 0.5, 0.8}) {
      for (uint64_t k = 0; k <= n; ++k) {
        const auto density = [&](uint64_t j) {
          return binomial_lower_tail(j, n, p) - (j ? binomial_lower_tail(j - 1, n, p) : 0);
        };
        double sum = 0;
        for (uint64_t j = 0; j <= n; ++j) sum += density(j) <= density(k) * (1 + 1e-7) + 1e-14 ? density(j) : 0;
        ASSERT_NEAR(binomial_two_sided_p(k, n, p), sum, 1e-10) << k << " of " << n << " at " << p;
      }
    }
  }
}

TEST(Binomial, TailsAddUp) {
  EXPECT_NEAR(binomial_lower_tail(7, 20, 0.3), 0.7722717974181604, 1e-12);
  EXPECT_NEAR(binomial_lower_tail(30, 1000, 0.01), 0.999999935800714, 1e-12);
  for (uint64_t k = 1; k <= 100; ++k) {
    EXPECT_NEAR(binomial_lower_tail(k - 1, 100, 0.37) + binomial_upper_tail(k, 100, 0.37), 1, 1e-12);
  }
}

TEST(Binomial, EdgesOfTheRate) {
  EXPECT_EQ(binomial_two_sided_p(0, 10, 0), 1);
  EXPECT_EQ(binomial_two_sided_p(1, 10, 0), 0);
  EXPECT_EQ(binomial_two_sided_p(10, 10, 1), 1);
  EXPECT_EQ(binomial_two_sided_p(9, 10, 1), 0);
  EXPECT_EQ(binomial_two_sided_p(0, 0, 0.5), 1);
  EXPECT_EQ(binomial_two_sided_p(99, 10, 1), 1);
  EXPECT_EQ(binomial_upper_tail(11, 10, 0.5), 0);
}

TEST(Binomial, AcceptanceInterval) {
  const auto interval = [](uint64_t n, double p, double alpha) {
    const auto [low, high] = binomial_interval(n, p, alpha);
    return std::pair<int, int>(std::lround(low * static_cast<double>(n)), std::lround(high * static_cast<double>(n)));
  };
  EXPECT_EQ(interval(100, 0.5, 0.05), std::make_pair(40, 60));
  EXPECT_EQ(interval(500, 0.01, 1e-6), std::make_pair(0, 19));
  EXPECT_EQ(interval(50, 0.1, 1e-6), std::make_pair(0, 17));
  EXPECT_EQ(interval(500, 0.5, 1e-6), std::make_pair(196, 304));
  EXPECT_EQ(interval(10, 0, 1e-6), std::make_pair(0, 0));
  EXPECT_EQ(interval(10, 1, 1e-6), std::make_pair(10, 10));
  const std::pair<double, double> everything(0.0, 1.0);
  EXPECT_EQ(binomial_interval(0, 0.5, 0.05), everything);
}

TEST(Binomial, ClopperPearson) {
  const auto expect = [](std::pair<double, double> got, double low, double high) {
    EXPECT_NEAR(got.first, low, 1e-9);
    EXPECT_NEAR(got.second, high, 1e-9);
  };
  expect(clopper_pearson(682, 925, 0.05), 0.7076682640790389, 0.7654065582415251);
  expect(clopper_pearson(0, 10, 0.05), 0, 0.30849710781876066);
  expect(clopper_pearson(5, 10, 0.05), 0.18708602844739858, 0.8129139715526013);
  expect(clopper_pearson(10, 10, 0.01), 0.5887040186524742, 1);
  expect(clopper_pearson(0, 0, 0.05), 0, 1);
}

TEST(Binomial, LargeCountsStayExactEnough) {
  // At p = 1/2 the interval is n/2 ± 1.96 standard deviations to within one count.
  const auto [low, high] = binomial_interval(10'000'000, 0.5, 0.05);
  EXPECT_NEAR(low, 0.5 - 1.959964 * 0.5 / std::sqrt(1e7), 2e-7);
  EXPECT_NEAR(high, 0.5 + 1.959964 * 0.5 / std::sqrt(1e7), 2e-7);
}

}  // namespace
}  // namespace hopcheck::stats
