// Exact binomial statistics, for rates such as sampling (verdict.md section 6). Pure; no approximation by the normal
// distribution, relative error about 1e-9 for n up to 10^7. Cost grows with the square root of n.
#pragma once

#include <cstdint>
#include <utility>

namespace hopcheck::stats {

// P(X <= k) and P(X >= k) for X ~ Binomial(n, p).
double binomial_lower_tail(uint64_t k, uint64_t n, double p);
double binomial_upper_tail(uint64_t k, uint64_t n, double p);

// Two-sided exact test of "the rate is p" after k of n: the probability of all outcomes that are no more likely than k.
// 0 <= p <= 1; k > n counts as n. n = 0 gives 1.
double binomial_two_sided_p(uint64_t k, uint64_t n, double p);

// Acceptance interval: the smallest and largest observed rate k/n that the test does not reject at alpha when the
// true rate is p. {0, 1} when n = 0.
std::pair<double, double> binomial_interval(uint64_t n, double p, double alpha);

// Confidence interval of the true rate after k of n (Clopper and Pearson 1934): it holds the true rate with at least
// 1 - alpha.
std::pair<double, double> clopper_pearson(uint64_t k, uint64_t n, double alpha);

}  // namespace hopcheck::stats
