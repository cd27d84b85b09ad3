// SPDX-License-Identifier: Apache-2.0
#include "src/train/plan.hpp"

#include <gtest/gtest.h>

#include "src/core/error.hpp"

namespace mpdist::train {
namespace {

Plan plan_of(int global, int shards, int ranks, const std::string& length = "steps = 10") {
  const Config config = parse_config(
      fmt::format("[run]\n{}\n[batch]\nglobal = {}\nshards = {}\n[model]\nname = \"mlp\"\n[data]\nformat = "
                  "\"synthetic\"\n",
                  length, global, shards),
      "test.toml", {});
  return make_plan(config, 500, ranks);
}

struct Powers {
  int global, shards, ranks;
  double loss_terms, shards_power;
};

/// M is nearest to B (halfway goes up), K is not above S: both depend on the config alone, never on the ranks.
TEST(Plan, FactorsArePowersOfTwo) {
  for (const Powers& p :
       {Powers{64, 8, 1, 64, 8}, Powers{64, 8, 8, 64, 8}, Powers{80, 8, 2, 64, 8}, Powers{96, 12, 3, 128, 8},
        Powers{96, 12, 12, 128, 8}, Powers{112, 8, 1, 128, 8}, Powers{24, 24, 3, 32, 16}, Powers{7, 1, 1, 8, 1}}) {
    const Plan plan = plan_of(p.global, p.shards, p.ranks);
    EXPECT_EQ(plan.loss_terms_power, p.loss_terms) << p.global;
    EXPECT_EQ(plan.shards_power, p.shards_power) << p.shards;
    EXPECT_EQ(plan.shards, p.shards);
    EXPECT_EQ(plan.local_shards, p.shards / p.ranks);
    EXPECT_EQ(plan.shard_rows, p.global / p.shards);
  }
}

TEST(Plan, RanksWorkOnConsecutivePartsOfTheBatch) {
  const Plan plan = plan_of(96, 12, 3);
  EXPECT_EQ(plan.local_rows(), 32);
  EXPECT_EQ(plan.first_position(0), 0);
  EXPECT_EQ(plan.first_position(2), 64);
}

TEST(Plan, StepsCountAppliedUpdates) {
  const Plan plan = plan_of(64, 8, 1, "steps = 10");
  EXPECT_FALSE(plan.finished(9, 25));
  EXPECT_TRUE(plan.finished(10, 25));
}

/// ceil(2 * 500 / 64) batches, skipped or not.
TEST(Plan, EpochsCountBatchesAndTheLastOneIsFull) {
  const Plan plan = plan_of(64, 8, 1, "epochs = 2");
  EXPECT_FALSE(plan.finished(3, 15));
  EXPECT_TRUE(plan.finished(3, 16));
  EXPECT_EQ(plan.max_steps, 16);
}

TEST(Plan, OnlyRanksWithAPowerOfTwoOfShardsFit) {
  EXPECT_EQ(fitting_ranks(8), (std::vector<int>{1, 2, 4, 8}));
  EXPECT_EQ(fitting_ranks(12), (std::vector<int>{3, 6, 12}));
  EXPECT_THROW(plan_of(96, 12, 4), UsageError);
  EXPECT_THROW(plan_of(64, 8, 3), UsageError);
  EXPECT_THROW(plan_of(60, 8, 1), UsageError);
}

}  // namespace
}  // namespace mpdist::train
