// SPDX-License-Identifier: Apache-2.0
#include "comm/tree.hpp"

#include <gtest/gtest.h>

#include "src/core/error.hpp"

namespace mpdist::comm {
namespace {

TEST(ReductionTree, LeftIsTheLargestPowerOfTwoBelow) {
  EXPECT_EQ(left_leaves(2), 1);
  EXPECT_EQ(left_leaves(3), 2);
  EXPECT_EQ(left_leaves(4), 2);
  EXPECT_EQ(left_leaves(5), 4);
  EXPECT_EQ(left_leaves(8), 4);
  EXPECT_EQ(left_leaves(24), 16);
}

/// "((01)(23))4" for five leaves.
std::string text(const ReductionTree& tree, int node) {
  const TreeNode& here = tree.nodes()[node];
  if (here.is_leaf()) return std::to_string(here.begin);
  return "(" + text(tree, here.left) + " " + text(tree, here.right) + ")";
}

TEST(ReductionTree, Shapes) {
  const auto shape = [](int leaves) {
    const ReductionTree tree(leaves);
    return text(tree, tree.root());
  };
  EXPECT_EQ(shape(1), "0");
  EXPECT_EQ(shape(2), "(0 1)");
  EXPECT_EQ(shape(3), "((0 1) 2)");
  EXPECT_EQ(shape(5), "(((0 1) (2 3)) 4)");
  EXPECT_EQ(shape(6), "(((0 1) (2 3)) (4 5))");
  EXPECT_EQ(shape(7), "(((0 1) (2 3)) ((4 5) 6))");
}

TEST(ReductionTree, ChildrenStandBeforeParents) {
  const ReductionTree tree(13);
  ASSERT_EQ(tree.nodes().size(), 25u);
  for (int i = 0; i < static_cast<int>(tree.nodes().size()); ++i) {
    EXPECT_LT(tree.nodes()[i].left, i);
    EXPECT_LT(tree.nodes()[i].right, i);
  }
  for (int leaf = 0; leaf < 13; ++leaf) EXPECT_EQ(tree.nodes()[tree.leaf(leaf)].begin, leaf);
}

std::vector<std::string> subtrees(int leaves, std::vector<bool> covered) {
  const ReductionTree tree(leaves);
  std::vector<std::string> found;
  for (int node : tree.complete_subtrees(covered)) found.push_back(text(tree, node));
  return found;
}

TEST(ReductionTree, CompleteSubtreesAreMaximal) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(subtrees(4, {true, true, true, true}), Names{"((0 1) (2 3))"});
  EXPECT_EQ(subtrees(4, {true, true, false, false}), Names{"(0 1)"});
  EXPECT_EQ(subtrees(4, {true, false, true, false}), (Names{"0", "2"}));
  EXPECT_EQ(subtrees(4, {false, true, true, true}), (Names{"1", "(2 3)"}));
  EXPECT_EQ(subtrees(6, {false, false, true, true, true, true}), (Names{"(2 3)", "(4 5)"}));
  EXPECT_EQ(subtrees(3, {false, false, false}), Names{});
  EXPECT_EQ(subtrees(1, {true}), Names{"0"});
}

TEST(ReductionTree, RunsOfAPowerOfTwoAreSubtreesAndTheRestIsTheTreeOfRanks) {
  for (const auto& [ranks, run] : {std::pair{3, 8}, {6, 4}, {12, 2}, {5, 4}, {7, 2}}) {
    const int leaves = ranks * run;
    for (int rank = 0; rank < ranks; ++rank) {
      std::vector<bool> covered(leaves);
      for (int i = 0; i < run; ++i) covered[rank * run + i] = true;
      EXPECT_EQ(ReductionTree(leaves).complete_subtrees(covered).size(), 1u) << ranks << " ranks of " << run;
    }
    EXPECT_EQ(left_leaves(leaves), left_leaves(ranks) * run);
  }
}

TEST(ReductionTree, Misuse) {
  EXPECT_THROW(ReductionTree(0), InvalidArgument);
  EXPECT_THROW(ReductionTree(3).complete_subtrees({true}), InvalidArgument);
}

}  // namespace
}  // namespace mpdist::comm
