// SPDX-License-Identifier: Apache-2.0
#include "comm/tree_sum.hpp"

#include <gtest/gtest.h>

#include "tests/comm/reference_tree.hpp"

namespace mpdist::comm {
namespace {

/// Leaves from shard_value, summed whole and from given subtrees, against the reference.
template <class T>
void check(int leaves, std::int64_t count) {
  TreeSum sum{ReductionTree(leaves)};
  std::vector<std::vector<T>> parts(leaves, std::vector<T>(count));
  std::vector<T> expected(count), column(leaves);
  for (std::int64_t i = 0; i < count; ++i) {
    for (int leaf = 0; leaf < leaves; ++leaf) {
      column[leaf] = parts[leaf][i] = from_float<T>(test::shard_value(leaf, i));
    }
    expected[i] = test::reference_tree(column.data(), leaves);
  }
  std::vector<const std::byte*> values(sum.tree().nodes().size());
  for (int leaf = 0; leaf < leaves; ++leaf) {
    values[sum.tree().leaf(leaf)] = reinterpret_cast<const std::byte*>(parts[leaf].data());
  }
  std::vector<T> copy(count);
  std::byte* outputs[] = {reinterpret_cast<std::byte*>(parts[0].data()), reinterpret_cast<std::byte*>(copy.data())};
  sum.run(sum.tree().root(), values, outputs, count, dtype_of<T>);
  EXPECT_EQ(test::different(parts[0].data(), expected), 0) << leaves << " leaves of " << count;
  EXPECT_EQ(test::different(copy.data(), expected), 0) << leaves << " leaves of " << count;
}

TEST(TreeSum, EqualsTheReferenceOverSeveralBlocks) {
  for (int leaves : {1, 2, 3, 4, 5, 6, 7, 8, 13}) {
    for (std::int64_t count : {0, 1, 31, 33, 1000, 40000}) {
      check<float>(leaves, count);
      check<half>(leaves, count);
      check<bfloat16>(leaves, count);
    }
  }
}

TEST(TreeSum, TakesSubtreesAsGiven) {
  TreeSum sum{ReductionTree(4)};
  const float left = 5, right = 7;
  float result = 0;
  std::vector<const std::byte*> values(7);
  values[sum.tree().nodes()[sum.tree().root()].left] = reinterpret_cast<const std::byte*>(&left);
  values[sum.tree().nodes()[sum.tree().root()].right] = reinterpret_cast<const std::byte*>(&right);
  std::byte* outputs[] = {reinterpret_cast<std::byte*>(&result)};
  sum.run(sum.tree().root(), values, outputs, 1, DType::fp32);
  EXPECT_EQ(result, 12);
}

TEST(TreeSum, InnerNodesRound) {
  // 2048 + 1 is 2048 in FP16 (ties to even), so the pairs lose what a sum in FP32 would keep.
  std::vector<half> leaves{to_half(2048), to_half(1), to_half(1), to_half(0)};
  TreeSum sum{ReductionTree(4)};
  std::vector<const std::byte*> values(7);
  for (int i = 0; i < 4; ++i) values[sum.tree().leaf(i)] = reinterpret_cast<const std::byte*>(&leaves[i]);
  half result;
  std::byte* outputs[] = {reinterpret_cast<std::byte*>(&result)};
  sum.run(sum.tree().root(), values, outputs, 1, DType::fp16);
  EXPECT_EQ(to_float(result), 2048);
}

TEST(TreeSum, MissingLeafIsADefect) {
  TreeSum sum{ReductionTree(2)};
  std::vector<const std::byte*> values(3);
  float result = 0;
  std::byte* outputs[] = {reinterpret_cast<std::byte*>(&result)};
  EXPECT_THROW(sum.run(2, values, outputs, 1, DType::fp32), InvalidArgument);
}

}  // namespace
}  // namespace mpdist::comm
