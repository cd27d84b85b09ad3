// SPDX-License-Identifier: Apache-2.0
#include "src/checkpoint/compare.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "src/checkpoint/summary.hpp"
#include "tests/checkpoint/sample.hpp"

namespace mpdist::checkpoint {
namespace {

using namespace testing;
using Kind = TensorDifference::Kind;

Checkpoint one(const std::string& path, std::vector<float> values) {
  Checkpoint checkpoint;
  Tensor tensor({static_cast<std::int64_t>(values.size())}, DType::fp32, MemoryKind::checkpoint);
  std::copy(values.begin(), values.end(), tensor.data<float>());
  checkpoint.tensors = {{path, tensor}};
  return checkpoint;
}

TEST(Compare, EqualTensorsAreIdenticalWhateverTheScalars) {
  Checkpoint other = sample();
  other.integers["run/ranks"] = 8;
  std::swap(other.tensors[0], other.tensors[3]);
  const Comparison comparison = compare(sample(), other);
  EXPECT_TRUE(comparison.identical());
  EXPECT_EQ(comparison.to_string(), "identical: 5 tensors\n");
}

TEST(Compare, CountsElementsAndTheLargestDifference) {
  const Comparison comparison = compare(one("master/w", {1, 2, 3, 4}), one("master/w", {1, 2.5, 3, 3}));
  ASSERT_EQ(comparison.differences.size(), 1u);
  EXPECT_EQ(comparison.differences[0].kind, Kind::values);
  EXPECT_EQ(comparison.differences[0].differing, 2);
  EXPECT_EQ(comparison.differences[0].largest, 1.0);
  EXPECT_EQ(comparison.to_string(),
            "master/w: 2 of 4 elements differ, largest difference 1\ndifferent: 1 of 1 tensors\n");
}

TEST(Compare, IsBitwise) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  EXPECT_TRUE(compare(one("master/w", {nan, inf}), one("master/w", {nan, inf})).identical());
  const Comparison zeros = compare(one("master/w", {0.0F}), one("master/w", {-0.0F}));
  ASSERT_FALSE(zeros.identical());
  EXPECT_EQ(zeros.differences[0].largest, 0.0);
  const Comparison infinite = compare(one("master/w", {1, inf, 1}), one("master/w", {nan, -inf, 2}));
  ASSERT_FALSE(infinite.identical());
  EXPECT_EQ(infinite.differences[0].differing, 3);
  EXPECT_TRUE(std::isinf(infinite.differences[0].largest));
}

TEST(Compare, NamesShapesAndTensorsOfOneSideByPath) {
  Checkpoint first = sample(), second = sample();
  first.tensors[0].values = first.tensors[0].values.reshaped({33, 18});
  first.tensors.erase(first.tensors.begin() + 4);
  second.tensors.erase(second.tensors.begin() + 1);
  second.integers["run/step"] = 9;
  const Comparison comparison = compare(first, second);
  ASSERT_EQ(comparison.differences.size(), 3u);
  EXPECT_EQ(comparison.differences[0].kind, Kind::shape);
  EXPECT_EQ(comparison.differences[1].kind, Kind::only_in_first);
  EXPECT_EQ(comparison.differences[2].kind, Kind::only_in_second);
  EXPECT_EQ(comparison.to_string(),
            "master/conv1.weight: shape [33, 18] and [33, 3, 3, 2]\n"
            "master/head.bias: only in the first, [10]\n"
            "statistics/norm.mean: only in the second, [5]\n"
            "different: 3 of 5 tensors\n"
            "step: 7 and 9\n");
}

TEST(Summary, ShowsScalarsAndTheRangeOfEachTensor) {
  Checkpoint checkpoint = one("master/w", {3, -4, 0});
  checkpoint.tensors.push_back(one("master/broken", {1, NAN}).tensors[0]);
  checkpoint.integers["run/step"] = 12;
  checkpoint.texts["run/config"] = "a = 1\nb = 2\n";
  EXPECT_EQ(summary(checkpoint),
            "run/config  (2 lines, 12 bytes)\n"
            "run/step    12\n"
            "\n"
            "tensor         shape                           min            max           norm\n"
            "master/w       [3]                              -4              3              5\n"
            "master/broken  [2]                               1              1              1  1 not finite\n"
            "2 tensors, 5 elements\n");
}

}  // namespace
}  // namespace mpdist::checkpoint
