// SPDX-License-Identifier: Apache-2.0
#include "kernels/add.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "tests/support/fill.hpp"
#include "tests/support/tolerance.hpp"

namespace mpdist::kernels {
namespace {

using namespace mpdist::test;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(Add, RoundsTheSumOnceByHand) {
  Stream& stream = stream_under_test();
  const GuardedTensor left({5}, DType::fp16), right({5}, DType::fp16), out({5}, DType::fp16);
  set_values(left, {1.0F, 2048.0F, 65504.0F, kInfinity, -0x1p-24F});
  set_values(right, {2.0F, 3.0F, 16.0F, -kInfinity, 0x1p-23F});
  add(stream, {.left = left, .right = right, .out = out});
  EXPECT_TRUE(is_close(out, {3, 2052, INFINITY, NAN, 0x1p-24}));
}

TEST(Add, MatchesDoubleAtEveryTypeAndSize) {
  Stream& stream = stream_under_test();
  for_ladder([&](DType type, std::int64_t size, std::int64_t misalignment) {
    const GuardedTensor left = uniform_tensor({size}, type, 1, misalignment), right = uniform_tensor({size}, type, 2);
    const GuardedTensor out({size}, type, misalignment);
    std::vector<double> expected = values_of(left);
    std::vector<double> magnitude = expected;
    const std::vector<double> other = values_of(right);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      magnitude[i] = std::abs(expected[i]) + std::abs(other[i]);
      expected[i] += other[i];
    }
    add(stream, {.left = left, .right = right, .out = out});
    EXPECT_TRUE(is_close(out, expected, 1, magnitude));
    EXPECT_TRUE(out.intact());
    add(stream, {.left = left, .right = right, .out = left});
    EXPECT_EQ(values_of(left), values_of(out)) << "in place";
  });
}

TEST(Add, MoreElementsThanABlockOfAGpuTakes) {
  for (DType type : kComputeTypes) {
    const GuardedTensor left = uniform_tensor({20001}, type, 1), right = uniform_tensor({20001}, type, 1),
                        out({20001}, type);
    add(stream_under_test(), {.left = left, .right = right, .out = out});
    std::vector<double> expected = values_of(left);
    for (double& value : expected) value *= 2;
    EXPECT_EQ(values_of(out), expected);
    EXPECT_TRUE(out.intact());
  }
}

TEST(Add, RefusesOtherTypesAndShapes) {
  Stream& stream = stream_under_test();
  const GuardedTensor a({4}, DType::fp16), b({4}, DType::bf16), c({5}, DType::fp16);
  EXPECT_THROW(add(stream, {.left = a, .right = b, .out = a}), InvalidArgument);
  EXPECT_THROW(add(stream, {.left = a, .right = a, .out = c}), InvalidArgument);
}

}  // namespace
}  // namespace mpdist::kernels
