// SPDX-License-Identifier: Apache-2.0
#include "data/sampler.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <vector>

#include "src/core/error.hpp"

namespace mpdist::data {
namespace {

std::vector<std::int64_t> epoch_order(const Sampler& sampler, std::int64_t epoch) {
  std::vector<std::int64_t> order;
  for (std::int64_t i = 0; i < sampler.size(); ++i) order.push_back(sampler.at(epoch * sampler.size() + i).index);
  return order;
}

bool is_permutation_of_all(std::vector<std::int64_t> order) {
  std::ranges::sort(order);
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (order[i] != static_cast<std::int64_t>(i)) return false;
  }
  return true;
}

TEST(Sampler, VisitsEverySampleOncePerEpochForEverySize) {
  std::vector<std::int64_t> sizes(130);
  std::iota(sizes.begin(), sizes.end(), 1);
  sizes.insert(sizes.end(), {255, 256, 257, 1000, 4097, 60000, 65537});
  for (std::int64_t n : sizes) {
    const Sampler sampler(n, 42);
    for (std::int64_t epoch : {0, 1, 1000}) {
      ASSERT_TRUE(is_permutation_of_all(epoch_order(sampler, epoch))) << n << " samples, epoch " << epoch;
    }
  }
}

TEST(Sampler, PositionsRunThroughTheEpochs) {
  const Sampler sampler(10, 1);
  EXPECT_EQ(sampler.at(0).epoch, 0);
  EXPECT_EQ(sampler.at(9).epoch, 0);
  EXPECT_EQ(sampler.at(10).epoch, 1);
  EXPECT_EQ(sampler.at(12345).epoch, 1234);
  EXPECT_EQ(Sampler(1, 1).at(7).index, 0);
}

TEST(Sampler, EpochAndSeedEachChangeTheOrder) {
  const Sampler sampler(100, 1);
  EXPECT_NE(epoch_order(sampler, 0), epoch_order(sampler, 1));
  EXPECT_NE(epoch_order(sampler, 0), epoch_order(Sampler(100, 2), 0));
  EXPECT_EQ(epoch_order(sampler, 3), epoch_order(Sampler(100, 1), 3));
}

// The order belongs to a checkpoint: another one would resume as another run.
TEST(Sampler, GivesTheOrderThatOlderCheckpointsRelyOn) {
  const Sampler sampler(60000, 1);
  std::vector<std::int64_t> found;
  for (std::int64_t position : {0, 1, 2, 59999, 60000, 123456789}) found.push_back(sampler.at(position).index);
  EXPECT_EQ(found, (std::vector<std::int64_t>{53246, 28214, 12606, 30792, 54769, 14080}));
}

TEST(Sampler, AllOrdersOfFiveAreEquallyLikely) {
  constexpr std::int64_t kEpochs = 24000;
  const Sampler sampler(5, 7);
  std::map<std::vector<std::int64_t>, int> counts;
  for (std::int64_t epoch = 0; epoch < kEpochs; ++epoch) ++counts[epoch_order(sampler, epoch)];
  ASSERT_EQ(counts.size(), 120u);
  double chi_squared = 0;
  for (const auto& [order, count] : counts) chi_squared += std::pow(count - kEpochs / 120.0, 2) / (kEpochs / 120.0);
  EXPECT_LT(chi_squared, 119 + 5 * std::sqrt(2 * 119.0)) << "mean and five deviations of chi squared, 119 degrees";
}

TEST(Sampler, NeighboursAreScattered) {
  constexpr std::int64_t kSamples = 60000;
  const std::vector<std::int64_t> order = epoch_order(Sampler(kSamples, 3), 0);
  double distance = 0;
  std::int64_t fixed = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i > 0) distance += std::abs(static_cast<double>(order[i] - order[i - 1])) / kSamples;
    fixed += order[i] == static_cast<std::int64_t>(i);
  }
  EXPECT_NEAR(distance / kSamples, 1.0 / 3, 0.01) << "a third of the range is the mean of random pairs";
  EXPECT_LT(fixed, 8) << "one is expected";
}

TEST(SamplerByBlocks, VisitsEverySampleOncePerEpochForEverySize) {
  for (std::int64_t n : {1, 2, 7, 8, 9, 63, 64, 65, 1000, 4097}) {
    for (std::int64_t rows : {2, 8, 100}) {
      for (std::int64_t mixed : {1, 3, 1000}) {
        const Sampler sampler(n, 42, {.rows = rows, .mixed = mixed});
        for (std::int64_t epoch : {0, 1, 1000}) {
          ASSERT_TRUE(is_permutation_of_all(epoch_order(sampler, epoch)))
              << n << " samples in blocks of " << rows << ", " << mixed << " mixed, epoch " << epoch;
        }
      }
    }
  }
}

TEST(SamplerByBlocks, GoesThroughTheBlocksWindowByWindow) {
  constexpr std::int64_t kRows = 10, kMixed = 4;
  const Sampler sampler(1003, 1, {.rows = kRows, .mixed = kMixed});
  std::map<std::int64_t, std::pair<std::int64_t, std::int64_t>> first_and_last;  // places, by block
  const std::vector<std::int64_t> order = epoch_order(sampler, 2);
  std::vector<std::int64_t> blocks_by_first_use;
  for (std::size_t place = 0; place < order.size(); ++place) {
    const std::int64_t block = order[place] / kRows, at = static_cast<std::int64_t>(place);
    if (first_and_last.try_emplace(block, at, at).second) blocks_by_first_use.push_back(block);
    first_and_last[block].second = at;
  }
  ASSERT_EQ(first_and_last.size(), 101u);
  for (const auto& [block, places] : first_and_last) {
    EXPECT_LT(places.second - places.first, kRows * kMixed) << "block " << block << " is needed in one window alone";
  }
  EXPECT_FALSE(std::ranges::is_sorted(blocks_by_first_use));
  const auto first_window = std::vector<std::int64_t>(order.begin(), order.begin() + kRows * kMixed);
  EXPECT_FALSE(std::ranges::is_sorted(first_window, {}, [](std::int64_t index) { return index / kRows; }))
      << "the images of a window are mixed";
}

TEST(SamplerByBlocks, EpochSeedAndBlocksEachChangeTheOrder) {
  const Blocks blocks{.rows = 8, .mixed = 4};
  const Sampler sampler(100, 1, blocks);
  EXPECT_NE(epoch_order(sampler, 0), epoch_order(sampler, 1));
  EXPECT_NE(epoch_order(sampler, 0), epoch_order(Sampler(100, 2, blocks), 0));
  EXPECT_NE(epoch_order(sampler, 0), epoch_order(Sampler(100, 1, {.rows = 8, .mixed = 5}), 0));
  EXPECT_NE(epoch_order(sampler, 0), epoch_order(Sampler(100, 1, {.rows = 9, .mixed = 4}), 0));
  EXPECT_EQ(epoch_order(sampler, 3), epoch_order(Sampler(100, 1, blocks), 3));
}

TEST(SamplerByBlocks, GivesTheOrderThatOlderCheckpointsRelyOn) {
  const Sampler sampler(60000, 1, {.rows = 64, .mixed = 16});
  std::vector<std::int64_t> found;
  for (std::int64_t position : {0, 1, 2, 59999, 60000, 123456789}) found.push_back(sampler.at(position).index);
  EXPECT_EQ(found, (std::vector<std::int64_t>{46796, 32564, 46260, 56327, 35320, 33170}));
}

TEST(Sampler, RefusesWhatIsNoSet) {
  EXPECT_THROW(Sampler(0, 1), InvalidArgument);
  EXPECT_THROW(Sampler(5, 1, {.rows = 0}), InvalidArgument);
  EXPECT_THROW(Sampler(5, 1, {.rows = 2, .mixed = 0}), InvalidArgument);
}

}  // namespace
}  // namespace mpdist::data
