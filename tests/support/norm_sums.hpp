// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/deferred_norm.hpp"
#include "tests/support/fill.hpp"
#include "tests/support/tolerance.hpp"

namespace mpdist::test {

/// The sums of g against double precision: g is what the kernel left.
inline void expect_sums(const kernels::NormSums& norm, const Tensor& g) {
  const std::int64_t channels = g.shape()[-1];
  std::vector<double> sum(static_cast<std::size_t>(2 * channels)), magnitude(sum);
  const auto at = [](std::int64_t i) { return static_cast<std::size_t>(i); };
  const std::vector<double> gs = values_of(g), zs = values_of(norm.z), means = values_of(norm.mean),
                            rstds = values_of(norm.rstd);
  for (std::int64_t i = 0; i < g.elements(); ++i) {
    const std::int64_t c = i % channels;
    const double value = gs[at(i)], z = zs[at(i)], mean = means[at(c)], rstd = rstds[at(c)];
    sum[at(c)] += value;
    magnitude[at(c)] += std::abs(value);
    sum[at(channels + c)] += value * (z - mean) * rstd;
    magnitude[at(channels + c)] += std::abs(value) * (std::abs(z) + std::abs(mean)) * rstd;
  }
  EXPECT_TRUE(is_close(norm.sums, sum, static_cast<double>(g.elements() / channels) + 4, magnitude));
}

}  // namespace mpdist::test
