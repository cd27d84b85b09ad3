// SPDX-License-Identifier: Apache-2.0
#include "src/optim/clipping.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/optim/small_store.hpp"

namespace mpdist::optim {
namespace {

TEST(Clipping, TheNormIsOfTheUnscaledGradient) {
  const std::vector<kernels::TensorStatistics> statistics{{.sum_squares = 9.0 * 1024 * 1024},
                                                          {.sum_squares = 16.0 * 1024 * 1024}};
  EXPECT_DOUBLE_EQ(global_norm(statistics, 1.0 / 1024), 5.0);
  EXPECT_DOUBLE_EQ(global_norm(statistics, 1.0), 5.0 * 1024);
  EXPECT_EQ(global_norm({}, 1.0), 0.0);
}

TEST(Clipping, TensorsAreSummedInTheOrderGiven) {
  // 2^53 + 1 + 1: only the order with the small ones first keeps them.
  const std::vector<kernels::TensorStatistics> large_first{
      {.sum_squares = 0x1p53}, {.sum_squares = 1}, {.sum_squares = 1}};
  const std::vector<kernels::TensorStatistics> small_first{
      {.sum_squares = 1}, {.sum_squares = 1}, {.sum_squares = 0x1p53}};
  EXPECT_EQ(global_norm(large_first, 1), std::sqrt(0x1p53));
  EXPECT_EQ(global_norm(small_first, 1), std::sqrt(0x1p53 + 2));
}

TEST(Clipping, TheFactorBringsTheNormDownAndNeverUp) {
  EXPECT_EQ(clip_factor(5, 1), 0.2F);
  EXPECT_EQ(clip_factor(0.5, 1), 1.0F);
  EXPECT_EQ(clip_factor(1, 1), 1.0F);
  EXPECT_EQ(clip_factor(0, 1), 1.0F);
  EXPECT_EQ(clip_factor(1e30, 0), 1.0F);  // 0: no clipping
}

TEST(Clipping, ClippedUpdatesDoNotDependOnTheLossScale) {
  std::vector<float> masters;
  for (double scale : {1.0, 1024.0, 65536.0}) {
    SmallStore small(2);
    const float values[] = {3, 4};
    for (int i = 0; i < 2; ++i) small.gradient_of<float>("fc.weight")[i] = values[i] * static_cast<float>(scale);
    const std::vector<kernels::TensorStatistics> statistics{{.sum_squares = 25 * scale * scale}};
    const float clip = clip_factor(global_norm(statistics, 1 / scale), 0.5);
    const auto optimizer = entry_of("sgd").make(*entry_of("sgd").options(), {}, small.store);
    optimizer->update(small.stream, {.gradient = small.gradient, .unscale = 1 / scale, .clip = clip, .lr = 1});
    masters.push_back(small.master("fc.weight")[0]);
    EXPECT_FLOAT_EQ(small.master("fc.weight")[1], 1 - 0.4F);
  }
  EXPECT_FLOAT_EQ(masters[0], 1 - 0.3F);
  EXPECT_EQ(masters[0], masters[1]);
  EXPECT_EQ(masters[0], masters[2]);
}

}  // namespace
}  // namespace mpdist::optim
