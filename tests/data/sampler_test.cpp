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

TEST(Sampler, RefusesAnEmptySet) {
  EXPECT_THROW(Sampler(0, 1), InvalidArgument);
}

}  // namespace
}  // namespace mpdist::data
