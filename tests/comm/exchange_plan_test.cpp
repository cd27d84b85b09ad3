// SPDX-License-Identifier: Apache-2.0
#include "comm/exchange_plan.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace mpdist::comm {
namespace {

TEST(ExchangePlan, OneNodeHandsEachSliceToItsOwner) {
  const ExchangePlan plan({0, 0, 0, 0});
  EXPECT_EQ(plan.node_count(), 1);
  for (int slice = 0; slice < 4; ++slice) EXPECT_EQ(plan.handler(0, slice), slice);
  EXPECT_EQ(plan.subtrees(0), std::vector<int>{plan.tree().root()});
}

TEST(ExchangePlan, NodesInRunsSendOneValueEach) {
  const ExchangePlan plan({0, 0, 1, 1});
  EXPECT_EQ(plan.subtrees(0).size(), 1u);
  EXPECT_EQ(plan.subtrees(1).size(), 1u);
  EXPECT_EQ(plan.handler(0, 0), 0);
  EXPECT_EQ(plan.handler(0, 1), 1);
  EXPECT_EQ(plan.handler(0, 2), 0);
  EXPECT_EQ(plan.handler(0, 3), 1);
}

TEST(ExchangePlan, RoundRobinSendsEachLeaf) {
  const ExchangePlan plan({0, 1, 0, 1});
  EXPECT_EQ(plan.subtrees(0).size(), 2u);
  EXPECT_EQ(plan.subtrees(1).size(), 2u);
}

TEST(ExchangePlan, EveryNodeSharesTheWorkEvenly) {
  const ExchangePlan plan({0, 0, 0, 1, 1, 1, 2, 2});
  for (int node = 0; node < plan.node_count(); ++node) {
    std::vector<int> slices(8);
    for (int slice = 0; slice < 8; ++slice) {
      EXPECT_EQ(plan.node_of(plan.handler(node, slice)), node);
      ++slices[plan.handler(node, slice)];
    }
    for (int rank : plan.members(node))
      EXPECT_LE(
          slices[rank],
          (8 + static_cast<int>(plan.members(node).size()) - 1) / static_cast<int>(plan.members(node).size()) + 1);
  }
}

TEST(ExchangePlan, SlicesCoverEveryElementOnceOnCacheLines) {
  for (int ranks : {1, 2, 3, 5, 8}) {
    const ExchangePlan plan(std::vector<int>(ranks, 0));
    for (std::int64_t count : {0, 1, 31, 32, 33, 100, 257, 1000, 4097}) {
      std::int64_t next = 0;
      for (int slice = 0; slice < ranks; ++slice) {
        const auto [first, last] = plan.range(slice, count);
        EXPECT_EQ(first, next) << ranks << " ranks, " << count << " elements, slice " << slice;
        EXPECT_TRUE(first % 32 == 0 || first == count);
        next = last;
      }
      EXPECT_EQ(next, count);
    }
  }
}

}  // namespace
}  // namespace mpdist::comm
