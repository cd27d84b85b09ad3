// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "src/core/dtype.hpp"
#include "tests/support/fill.hpp"

namespace mpdist::test {

/// Largest relative error of one rounding to a compute type: 2^-24, 2^-11, 2^-8.
inline double unit_roundoff(DType type) {
  return type == DType::fp16 ? 0x1p-11 : type == DType::bf16 ? 0x1p-8 : 0x1p-24;
}

/// Half the distance between the smallest numbers of a compute type: what rounding into its subnormals may cost.
inline double smallest_error(DType type) {
  return type == DType::fp16 ? 0x1p-25 : type == DType::bf16 ? 0x1p-134 : 0x1p-150;
}

/// The one rule by which a result is close to its double-precision reference. A kernel computes in FP32 with
/// `operations` roundings in a row and rounds once to the stored type:
///     |actual - expected| <= u(stored) * |expected| + 2^-24 * operations * magnitude + smallest_error(stored)
/// `magnitude` is the sum of the absolute values that the result was summed from (|expected| where nothing is summed),
/// so cancellation is allowed for and a wrong term is not. The bound is the worst case, not a fitted constant.
struct Tolerance {
  DType stored = DType::fp32;
  double operations = 1;

  double bound(double expected, double magnitude) const {
    return unit_roundoff(stored) * std::abs(expected) * (1 + 0x1p-20) + 0x1p-24 * operations * magnitude +
           smallest_error(stored);
  }
};

/// Compares every element; `magnitude` is empty for |expected|. Equal infinities and NaN against NaN pass. Reports the
/// first failing element and how many fail.
inline ::testing::AssertionResult is_close(const std::vector<double>& actual, const std::vector<double>& expected,
                                           Tolerance tolerance, const std::vector<double>& magnitude = {}) {
  if (actual.size() != expected.size()) {
    return ::testing::AssertionFailure() << actual.size() << " elements, expected " << expected.size();
  }
  std::size_t failures = 0;
  std::size_t first = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double bound = tolerance.bound(expected[i], magnitude.empty() ? std::abs(expected[i]) : magnitude[i]);
    const bool same = actual[i] == expected[i] || (std::isnan(actual[i]) && std::isnan(expected[i]));
    if (same || std::abs(actual[i] - expected[i]) <= bound) continue;
    if (failures++ == 0) first = i;
  }
  if (failures == 0) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << failures << " of " << actual.size() << " elements differ; first " << first
                                       << ": " << actual[first] << ", expected " << expected[first] << ", bound "
                                       << tolerance.bound(expected[first], magnitude.empty() ? std::abs(expected[first])
                                                                                             : magnitude[first]);
}

inline ::testing::AssertionResult is_close(const Tensor& actual, const std::vector<double>& expected,
                                           double operations = 1, const std::vector<double>& magnitude = {}) {
  return is_close(values_of(actual), expected, {actual.dtype(), operations}, magnitude);
}

}  // namespace mpdist::test
