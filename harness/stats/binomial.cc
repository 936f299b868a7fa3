#include "stats/binomial.h"

#include <math.h>

#include <algorithm>
#include <cmath>

namespace hopcheck::stats {
namespace {

// Terms further out than this share of the sum cannot change it.
constexpr double kNegligible = 1e-18;
// Two outcomes count as equally likely within this factor: rounding must not split a symmetric pair.
constexpr double kTie = 1 + 1e-7;

double log_factorial(uint64_t n) {
  int sign = 0;
  return lgamma_r(static_cast<double>(n) + 1, &sign);  // std::lgamma writes a global
}

double density(uint64_t k, uint64_t n, double p) {
  if (p <= 0) return k == 0 ? 1 : 0;
  if (p >= 1) return k == n ? 1 : 0;
  const double x = static_cast<double>(k);
  const double y = static_cast<double>(n - k);
  return std::exp(log_factorial(n) - log_factorial(k) - log_factorial(n - k) + x * std::log(p) + y * std::log1p(-p));
}

uint64_t mode_of(uint64_t n, double p) {
  return std::min(n, static_cast<uint64_t>(std::floor((static_cast<double>(n) + 1) * p)));
}

// Sum of densities k, k-1, … 0. Terms fall from k on when k is at or below the mode.
double sum_down(uint64_t k, uint64_t n, double p) {
  double term = density(k, n, p);
  double sum = term;
  for (uint64_t i = k; i > 0 && term > sum * kNegligible; --i) {
    term *= static_cast<double>(i) / static_cast<double>(n - i + 1) * ((1 - p) / p);
    sum += term;
  }
  return sum;
}

// Sum of densities k, k+1, … n, for k at or above the mode.
double sum_up(uint64_t k, uint64_t n, double p) {
  double term = density(k, n, p);
  double sum = term;
  for (uint64_t i = k; i < n && term > sum * kNegligible; ++i) {
    term *= static_cast<double>(n - i) / static_cast<double>(i + 1) * (p / (1 - p));
    sum += term;
  }
  return sum;
}

// First value in [low, high] for which `holds` (false … false true … true); high when none before it does.
template <class Holds>
uint64_t first_where(uint64_t low, uint64_t high, Holds holds) {
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    if (holds(middle)) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

// The p in [0, 1] at which a function that rises with p reaches `target`.
template <class Rising>
double solve(double target, Rising rising) {
  double low = 0, high = 1;
  for (int i = 0; i < 100; ++i) {
    const double middle = (low + high) / 2;
    (rising(middle) < target ? low : high) = middle;
  }
  return (low + high) / 2;
}

}  // namespace

double binomial_lower_tail(uint64_t k, uint64_t n, double p) {
  if (k >= n || p <= 0) return 1;
  if (p >= 1) return 0;
  if (k <= mode_of(n, p)) return std::min(1.0, sum_down(k, n, p));
  return std::max(0.0, 1 - sum_up(k + 1, n, p));
}

double binomial_upper_tail(uint64_t k, uint64_t n, double p) {
  if (k == 0) return 1;
  if (k > n || p <= 0) return 0;
  if (p >= 1) return 1;
  if (k >= mode_of(n, p)) return std::min(1.0, sum_up(k, n, p));
  return std::max(0.0, 1 - sum_down(k - 1, n, p));
}

double binomial_two_sided_p(uint64_t k, uint64_t n, double p) {
  k = std::min(k, n);
  if (n == 0) return 1;
  if (p <= 0) return k == 0 ? 1 : 0;
  if (p >= 1) return k == n ? 1 : 0;
  const uint64_t mode = mode_of(n, p);
  const double limit = density(k, n, p) * kTie;
  if (k == mode || density(mode, n, p) <= limit) return 1;
  if (k < mode) {
    const uint64_t other = first_where(mode + 1, n + 1, [&](uint64_t j) { return j > n || density(j, n, p) <= limit; });
    return std::min(1.0, sum_down(k, n, p) + (other <= n ? sum_up(other, n, p) : 0));
  }
  // The first value below the mode that is more likely than k; all before it are not.
  const uint64_t end = first_where(0, mode, [&](uint64_t j) { return density(j, n, p) > limit; });
  return std::min(1.0, sum_up(k, n, p) + (end > 0 ? sum_down(end - 1, n, p) : 0));
}

std::pair<double, double> binomial_interval(uint64_t n, double p, double alpha) {
  if (n == 0) return {0, 1};
  const uint64_t mode = mode_of(n, std::clamp(p, 0.0, 1.0));
  const uint64_t low = first_where(0, mode, [&](uint64_t k) { return binomial_two_sided_p(k, n, p) > alpha; });
  const uint64_t beyond =
      first_where(mode + 1, n + 1, [&](uint64_t k) { return k > n || binomial_two_sided_p(k, n, p) <= alpha; });
  return {static_cast<double>(low) / static_cast<double>(n), static_cast<double>(beyond - 1) / static_cast<double>(n)};
}

std::pair<double, double> clopper_pearson(uint64_t k, uint64_t n, double alpha) {
  if (n == 0) return {0, 1};
  k = std::min(k, n);
  const double half = alpha / 2;
  const double low = k == 0 ? 0 : solve(half, [&](double p) { return binomial_upper_tail(k, n, p); });
  const double high = k == n ? 1 : solve(1 - half, [&](double p) { return 1 - binomial_lower_tail(k, n, p); });
  return {low, high};
}

}  // namespace hopcheck::stats
