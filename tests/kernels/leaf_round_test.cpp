// SPDX-License-Identifier: Apache-2.0
#include "kernels/leaf_round.hpp"

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
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(LeafRound, CountsWhatBecomesInfiniteInTheRounding) {
  Stream& stream = stream_under_test();
  const GuardedTensor gradient({6}, DType::fp32), leaf({6}, DType::fp16);
  set_values(gradient, {131040.0F, 131039.0F, -131040.0F, kNan, kInfinity, 0x1p-23F});
  HostValue<std::int64_t> nonfinite(stream, -1);
  leaf_round(stream, {.gradient = gradient, .leaf = leaf, .factor = 0.5F, .nonfinite = nonfinite.data()});
  EXPECT_EQ(arrived(nonfinite), 4);
  EXPECT_TRUE(is_close(leaf, {INFINITY, 65504, -INFINITY, NAN, INFINITY, 0x1p-24}));
}

TEST(LeafRound, InfinitiesThatCancelInASumAreCounted) {
  Stream& stream = stream_under_test();
  const GuardedTensor gradient({2}, DType::fp32), leaf({2}, DType::bf16);
  set_values(gradient, {0x1.ffp127F, -0x1.ffp127F});
  HostValue<std::int64_t> nonfinite(stream, -1);
  leaf_round(stream, {.gradient = gradient, .leaf = leaf, .factor = 1, .nonfinite = nonfinite.data()});
  EXPECT_EQ(arrived(nonfinite), 2);
}

TEST(LeafRound, RoundsOnceAndCountsAtEveryPlace) {
  Stream& stream = stream_under_test();
  for_ladder([&](DType wire, std::int64_t size, std::int64_t misalignment) {
    const GuardedTensor gradient = uniform_tensor({size}, DType::fp32, 1, misalignment);
    const GuardedTensor leaf({size}, wire, misalignment);
    for (std::int64_t planted : {std::int64_t{0}, size / 2, size - 1}) {
      fill_uniform(gradient, 1);
      set_value(gradient, planted, -kInfinity);
      HostValue<std::int64_t> nonfinite(stream, -1);
      leaf_round(stream, {.gradient = gradient, .leaf = leaf, .factor = 0.125F, .nonfinite = nonfinite.data()});
      EXPECT_EQ(arrived(nonfinite), 1);
      std::vector<double> expected = values_of(gradient);
      for (double& value : expected) value *= 0.125;
      EXPECT_TRUE(is_close(leaf, expected, 0));
      EXPECT_TRUE(leaf.intact());
    }
  });
}

TEST(LeafRound, CountsOverAllBlocksOfAGpu) {
  Stream& stream = stream_under_test();
  const GuardedTensor gradient({20001}, DType::fp32), leaf({20001}, DType::fp16);
  overwrite(gradient, [](const Tensor& host) {
    for (std::int64_t i = 0; i < host.elements(); ++i) set_value(host, i, i % 7 == 3 ? 1e6F : 1.0F);
  });
  HostValue<std::int64_t> nonfinite(stream, -1);
  leaf_round(stream, {.gradient = gradient, .leaf = leaf, .factor = 1, .nonfinite = nonfinite.data()});
  EXPECT_EQ(arrived(nonfinite), 2857);
}

TEST(LeafRound, RefusesAMissingCounter) {
  Stream& stream = stream_under_test();
  const GuardedTensor gradient({4}, DType::fp32), leaf({4}, DType::fp16);
  EXPECT_THROW(leaf_round(stream, {.gradient = gradient, .leaf = leaf}), InvalidArgument);
}

}  // namespace
}  // namespace mpdist::kernels
