// SPDX-License-Identifier: Apache-2.0
#include "kernels/relu.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "tests/support/fill.hpp"
#include "tests/support/finite_differences.hpp"
#include "tests/support/tolerance.hpp"

namespace mpdist::kernels {
namespace {

using namespace mpdist::test;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(Relu, ByHand) {
  Stream& stream = stream_under_test();
  const GuardedTensor x({6}, DType::fp16), y({6}, DType::fp16), dx({6}, DType::fp16), dy({6}, DType::fp16);
  set_values(x, {-1.0F, -0.0F, 0.5F, kInfinity, -kInfinity, kNan});
  relu_forward(stream, {.x = x, .y = y});
  EXPECT_TRUE(is_close(y, {0, 0, 0.5, INFINITY, 0, NAN}));
  EXPECT_FALSE(std::signbit(value_at(y, 1)));
  set_values(dy, {1.0F, 2.0F, 3.0F, 4.0F, kNan, 6.0F});
  relu_backward(stream, {.y = y, .dy = dy, .dx = dx});
  EXPECT_TRUE(is_close(dx, {0, 0, 3, 4, 0, 0}));
  set_values(dy, {1.0F, 2.0F, kNan, 4.0F, 5.0F, 6.0F});
  relu_backward(stream, {.y = y, .dy = dy, .dx = dx});
  EXPECT_TRUE(is_close(dx, {0, 0, NAN, 4, 0, 0})) << "NaN passes where y is above 0";
}

TEST(Relu, EveryTypeAndSize) {
  Stream& stream = stream_under_test();
  for_ladder([&](DType type, std::int64_t size, std::int64_t misalignment) {
    const GuardedTensor x = uniform_tensor({size}, type, 1, misalignment), dy = uniform_tensor({size}, type, 2);
    const GuardedTensor y({size}, type, misalignment), dx({size}, type, misalignment);
    relu_forward(stream, {.x = x, .y = y});
    relu_backward(stream, {.y = y, .dy = dy, .dx = dx});
    std::vector<double> largest = values_of(x), slopes = values_of(dy);
    for (std::size_t i = 0; i < largest.size(); ++i) {
      largest[i] = std::max(largest[i], 0.0);
      if (largest[i] == 0) slopes[i] = 0;
    }
    EXPECT_EQ(values_of(y), largest);
    EXPECT_EQ(values_of(dx), slopes);
    EXPECT_TRUE(y.intact() && dx.intact());
    relu_backward(stream, {.y = y, .dy = dy, .dx = dy});
    EXPECT_EQ(values_of(dy), values_of(dx)) << "in place";
    relu_forward(stream, {.x = x, .y = x});
    EXPECT_EQ(values_of(x), values_of(y)) << "in place";
  });
}

TEST(Relu, MoreElementsThanABlockOfAGpuTakes) {
  const GuardedTensor x = uniform_tensor({20001}, DType::fp16, 1), y({20001}, DType::fp16);
  relu_forward(stream_under_test(), {.x = x, .y = y});
  std::vector<double> expected = values_of(x);
  for (double& value : expected) value = std::max(value, 0.0);
  EXPECT_EQ(values_of(y), expected);
}

TEST(Relu, BackwardIsTheSlopeOfForward) {
  Stream& stream = stream_under_test();
  const GuardedTensor x = uniform_tensor({100}, DType::fp32, 3), y({100}, DType::fp32), dx({100}, DType::fp32);
  const GuardedTensor ones = uniform_tensor({100}, DType::fp32, 3, 0, 1.0F, 1.0F);
  const std::vector<double> slopes = finite_differences(x, 0x1p-12F, [&] {
    relu_forward(stream, {.x = x, .y = y});
    return sum_of(y);
  });
  relu_forward(stream, {.x = x, .y = y});
  relu_backward(stream, {.y = y, .dy = ones, .dx = dx});
  EXPECT_TRUE(is_close(values_of(dx), slopes, {.operations = 0}, slopes));
}

}  // namespace
}  // namespace mpdist::kernels
