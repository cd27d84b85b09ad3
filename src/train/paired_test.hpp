// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <span>

namespace mpdist::train {

/// Mean of a sample and its standard deviation, sqrt(sum((x - mean)^2) / (n - 1)); NaN where the sample is too small.
struct Spread {
  double mean = 0, deviation = 0;
};
Spread spread_of(std::span<const double> sample);

/// P(T <= t) of Student's t distribution: 1 - I_x(degrees/2, 1/2)/2 for t >= 0 with x = degrees/(degrees + t^2), and by
/// symmetry below (Abramowitz & Stegun 1964, 26.7.1); I by its continued fraction (26.5.8). Error below 1e-12.
double student_t_cdf(double t, double degrees);
/// The t with P(T <= t) = probability; probability in (0, 1).
double student_t_quantile(double probability, double degrees);

/// Whether the mean of paired differences is other than zero, asked in two ways.
struct PairedTest {
  int pairs = 0;
  Spread differences;
  double t = 0;            ///< mean / (deviation / sqrt(n)), n - 1 degrees of freedom
  double low = 0;          ///< 95 % confidence interval of the mean
  double high = 0;         ///< mean +- t(0.975, n - 1) * deviation / sqrt(n)
  double p_t = 1;          ///< two-sided, Student's paired t-test
  double p_sign_flip = 1;  ///< two-sided, exact: the share of all 2^n choices of signs whose |mean| is no smaller
};

/// 2 to 20 differences; InvalidArgument otherwise. Differences that are all alike have p_t = 0, or 1 when they are
/// zero.
PairedTest paired_test(std::span<const double> differences);

}  // namespace mpdist::train
