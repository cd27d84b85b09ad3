// SPDX-License-Identifier: Apache-2.0
#include "kernels/gelu.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/support/fill.hpp"
#include "tests/support/finite_differences.hpp"
#include "tests/support/tolerance.hpp"

namespace mpdist::kernels {
namespace {

using namespace mpdist::test;

double phi(double x) {
  return std::exp(-x * x / 2) / std::sqrt(2 * std::acos(-1.0));
}
double distribution(double x) {
  return std::erfc(-x / std::sqrt(2.0)) / 2;
}

TEST(Gelu, ByHand) {
  Stream& stream = stream_under_test();
  const GuardedTensor x({6}, DType::fp16), y({6}, DType::fp16);
  set_values(x, {0, 1, -1, 10, -INFINITY, NAN});
  gelu_forward(stream, {.x = x.view().rows(0, 4), .y = y.view().rows(0, 4)});
  EXPECT_TRUE(is_close(y.view().rows(0, 4), {0, 0.8413447460685429, -0.15865525393145707, 10}, 9));
  gelu_forward(stream, {.x = x, .y = y});
  EXPECT_TRUE(std::isnan(value_at(y, 5)));
}

TEST(Gelu, MatchesDoubleAtEveryTypeAndSize) {
  Stream& stream = stream_under_test();
  for_ladder([&](DType type, std::int64_t size, std::int64_t misalignment) {
    const GuardedTensor x = uniform_tensor({size}, type, 1, misalignment, -6, 6), dy = uniform_tensor({size}, type, 2);
    const GuardedTensor y({size}, type, misalignment), dx({size}, type, misalignment);
    gelu_forward(stream, {.x = x, .y = y});
    gelu_backward(stream, {.x = x, .dy = dy, .dx = dx});
    const std::vector<double> xs = values_of(x), dys = values_of(dy);
    std::vector<double> expected, slopes, slope_size;
    for (std::size_t i = 0; i < xs.size(); ++i) {
      const double value = xs[i], gradient = dys[i];
      expected.push_back(value * distribution(value));
      slopes.push_back(gradient * (distribution(value) + value * phi(value)));
      slope_size.push_back(std::abs(gradient) * (distribution(value) + std::abs(value) * phi(value)));
    }
    const double roundings = 12 + 36;  // 8 + x^2 of the distribution for |x| <= 6, and the products
    EXPECT_TRUE(is_close(y, expected, roundings));
    EXPECT_TRUE(is_close(dx, slopes, roundings, slope_size));
    EXPECT_TRUE(y.intact() && dx.intact());
    gelu_backward(stream, {.x = x, .dy = dy, .dx = dy});
    EXPECT_EQ(values_of(dy), values_of(dx)) << "in place";
  });
}

TEST(Gelu, BackwardIsTheSlopeOfForward) {
  Stream& stream = stream_under_test();
  const GuardedTensor x = uniform_tensor({100}, DType::fp32, 3, 0, -4, 4), y({100}, DType::fp32);
  const GuardedTensor dy = uniform_tensor({100}, DType::fp32, 4), dx({100}, DType::fp32);
  gelu_backward(stream, {.x = x, .dy = dy, .dx = dx});
  for (std::int64_t i = 0; i < 100; ++i) {  // one element at a time keeps the noise of the others out
    const Tensor one = x.view().rows(i, i + 1), value = y.view().rows(i, i + 1), seed = dy.view().rows(i, i + 1);
    const auto slopes = finite_differences(one, 0x1p-7F, [&] {
      gelu_forward(stream, {.x = one, .y = value});
      return dot(value, seed);
    });
    EXPECT_NEAR(value_at(dx, i), slopes[0], slope_bound(0x1p-7F, 2 * 4 * 24, 2 * 2));
  }
}

}  // namespace
}  // namespace mpdist::kernels
