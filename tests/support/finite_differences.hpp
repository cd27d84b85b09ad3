// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cmath>
#include <numeric>
#include <vector>

#include "tests/support/fill.hpp"

namespace mpdist::test {

inline double sum_of(const Tensor& tensor) {
  double total = 0;
  for (double value : values_of(tensor)) total += value;
  return total;
}

/// sum of a[i]*b[i]: the scalar whose slopes in the inputs of an operation are its backward pass seeded with `b`.
inline double dot(const Tensor& a, const Tensor& b) {
  const std::vector<double> left = values_of(a), right = values_of(b);
  return std::inner_product(left.begin(), left.end(), right.begin(), 0.0);
}

/// Slopes of the scalar `loss()` in each element of x (FP32), by central differences with the step that FP32 really
/// took.
template <class Loss>
std::vector<double> finite_differences(const Tensor& x, float step, Loss loss) {
  std::vector<double> slopes;
  for (std::int64_t i = 0; i < x.elements(); ++i) {
    const auto original = static_cast<float>(value_at(x, i));
    const float right = original + step, left = original - step;
    set_value(x, i, right);
    const double above = loss();
    set_value(x, i, left);
    const double below = loss();
    set_value(x, i, original);
    slopes.push_back((above - below) / (static_cast<double>(right) - static_cast<double>(left)));
  }
  return slopes;
}

/// How far central differences may lie from the true slope: FP32 noise of the outputs over the step, plus the rest of
/// Taylor's series. `noise` is the sum of the outputs' magnitudes times their roundings, `third` bounds the third
/// derivative.
inline double slope_bound(float step, double noise, double third) {
  return 0x1p-24 * noise / step + third * step * step / 6;
}

}  // namespace mpdist::test
