// SPDX-License-Identifier: Apache-2.0
#include "src/train/paired_test.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "src/core/error.hpp"

namespace mpdist::train {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// The continued fraction of the incomplete beta function, by Lentz's method; converges fast for x < (a+1)/(a+b+2).
double beta_fraction(double a, double b, double x) {
  constexpr double kTiny = 1e-300;
  const auto away_from_zero = [](double v) { return std::abs(v) < kTiny ? kTiny : v; };
  double c = 1, d = 1 / away_from_zero(1 - (a + b) * x / (a + 1)), result = d;
  for (int m = 1; m < 1000; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    double factor = 1;
    for (const double coefficient : {even, odd}) {
      d = 1 / away_from_zero(1 + coefficient * d);
      c = away_from_zero(1 + coefficient / c);
      factor = c * d;
      result *= factor;
    }
    if (std::abs(factor - 1) < 1e-15) break;
  }
  return result;
}

/// I_x(a, b), the regularised incomplete beta function, with rest = 1 - x given for itself: near x = 1 nothing is lost.
double incomplete_beta(double a, double b, double x, double rest) {
  if (x <= 0) return 0;
  if (rest <= 0) return 1;
  const double front =
      std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log(rest));
  if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(a, b, x) / a;
  return 1 - front * beta_fraction(b, a, rest) / b;
}

double sign_flip_p(std::span<const double> differences) {
  double observed = 0;
  for (double d : differences) observed += d;
  const double bar = std::abs(observed) * (1 - 1e-12);  // equal sums may differ in their last bits
  const std::uint32_t choices = 1U << differences.size();
  std::uint32_t as_far = 0;
  for (std::uint32_t signs = 0; signs < choices; ++signs) {
    double sum = 0;
    for (std::size_t i = 0; i < differences.size(); ++i) sum += signs >> i & 1U ? -differences[i] : differences[i];
    if (std::abs(sum) >= bar) ++as_far;
  }
  return static_cast<double>(as_far) / choices;
}

}  // namespace

Spread spread_of(std::span<const double> sample) {
  const auto n = static_cast<double>(sample.size());
  if (sample.empty()) return {kNan, kNan};
  double sum = 0, squares = 0;
  for (double x : sample) sum += x;
  const double mean = sum / n;
  for (double x : sample) squares += (x - mean) * (x - mean);
  return {mean, sample.size() > 1 ? std::sqrt(squares / (n - 1)) : kNan};
}

double student_t_cdf(double t, double degrees) {
  const double sum = degrees + t * t;
  const double tail = incomplete_beta(degrees / 2, 0.5, degrees / sum, t * t / sum) / 2;
  return t < 0 ? tail : 1 - tail;
}

double student_t_quantile(double probability, double degrees) {
  require(probability > 0 && probability < 1, "a probability in (0, 1) expected, found {}", probability);
  double low = -1, high = 1;
  while (student_t_cdf(low, degrees) > probability) low *= 2;
  while (student_t_cdf(high, degrees) < probability) high *= 2;
  for (int halving = 0; halving < 200 && high - low > 1e-14 * (std::abs(low) + std::abs(high)); ++halving) {
    const double middle = (low + high) / 2;
    (student_t_cdf(middle, degrees) < probability ? low : high) = middle;
  }
  return (low + high) / 2;
}

PairedTest paired_test(std::span<const double> differences) {
  require(differences.size() >= 2 && differences.size() <= 20, "2 to 20 paired differences expected, found {}",
          differences.size());
  PairedTest result{.pairs = static_cast<int>(differences.size()), .differences = spread_of(differences)};
  const double degrees = result.pairs - 1, mean = result.differences.mean;
  const double error = result.differences.deviation / std::sqrt(result.pairs);
  const double reach = student_t_quantile(0.975, degrees) * error;
  result.low = mean - reach, result.high = mean + reach;
  if (error > 0) {
    result.t = mean / error;
    result.p_t = 2 * student_t_cdf(-std::abs(result.t), degrees);
  } else if (mean != 0) {
    result.t = std::copysign(std::numeric_limits<double>::infinity(), mean);
    result.p_t = 0;
  }
  result.p_sign_flip = sign_flip_p(differences);
  return result;
}

}  // namespace mpdist::train
