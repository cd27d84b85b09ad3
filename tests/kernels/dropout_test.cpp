// SPDX-License-Identifier: Apache-2.0
#include "kernels/dropout.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/support/fill.hpp"
#include "tests/support/finite_differences.hpp"
#include "tests/support/tolerance.hpp"

namespace mpdist::kernels {
namespace {

using namespace mpdist::test;

const RandomKey kKey = {42, hash_name("dropout1"), 7};

TEST(Dropout, DrawsTheWordsOfTheKeyForEveryTypeAndSize) {
  Stream& stream = stream_under_test();
  const std::uint64_t first_item = (std::uint64_t{5} << 33) + 11;
  for_ladder([&](DType type, std::int64_t size, std::int64_t misalignment) {
    const GuardedTensor x = uniform_tensor({3, size}, type, 1, misalignment), y({3, size}, type, misalignment);
    for (float probability : {0.0F, 0.1F, 0.5F, 0.999F}) {
      dropout(stream, {.x = x, .y = y, .probability = probability, .key = kKey, .first_item = first_item});
      std::vector<double> expected = values_of(x);
      for (std::int64_t i = 0; i < 3 * size; ++i) {
        const auto item = first_item + static_cast<std::uint64_t>(i / size);
        const auto element = static_cast<std::uint64_t>(i % size);
        const bool keep = uniform(kKey.words(item, element / 4)[element % 4]) >= probability;
        expected[static_cast<std::size_t>(i)] *= keep ? 1 / (1 - static_cast<double>(probability)) : 0;
      }
      EXPECT_TRUE(is_close(y, expected, 3)) << probability;
      EXPECT_TRUE(y.intact());
    }
  });
}

TEST(Dropout, KeepsTheValueAtTheThresholdAndDropsBelow) {
  Stream& stream = stream_under_test();
  const GuardedTensor x({1, 4}, DType::fp32), y({1, 4}, DType::fp32);
  set_values(x, {1, 1, 1, 1});
  const float draw = uniform(kKey.words(0, 0)[2]);
  dropout(stream, {.x = x, .y = y, .probability = draw, .key = kKey});
  EXPECT_NE(value_at(y, 2), 0.0) << "kept when uniform(word) >= probability";
  dropout(stream, {.x = x, .y = y, .probability = std::nextafter(draw, 1.0F), .key = kKey});
  EXPECT_EQ(value_at(y, 2), 0.0);
}

TEST(Dropout, DropsTheGivenShareAndKeepsTheMean) {
  Stream& stream = stream_under_test();
  const GuardedTensor x = uniform_tensor({100, 1000}, DType::fp32, 1, 0, 1.0F, 1.0F), y({100, 1000}, DType::fp32);
  dropout(stream, {.x = x, .y = y, .probability = 0.25F, .key = kKey});
  const double kept = sum_of(y) * 0.75 / 1e5;
  EXPECT_NEAR(kept, 0.75, 5 * std::sqrt(0.25 * 0.75 / 1e5));  // five standard deviations of a fixed draw
}

TEST(Dropout, TheMaskBelongsToTheItemNotToTheRow) {
  Stream& stream = stream_under_test();
  const GuardedTensor x = uniform_tensor({8, 50}, DType::fp16, 1), all({8, 50}, DType::fp16),
                      part({3, 50}, DType::fp16);
  dropout(stream, {.x = x, .y = all, .probability = 0.5F, .key = kKey, .first_item = 100});
  dropout(stream, {.x = x.view().rows(4, 7), .y = part, .probability = 0.5F, .key = kKey, .first_item = 104});
  EXPECT_EQ(values_of(part), values_of(all.view().rows(4, 7)));
}

/// Dropout is linear: the backward pass is the same call on dy, and in place it gives the same bits.
TEST(Dropout, BackwardIsTheSlopeOfForward) {
  Stream& stream = stream_under_test();
  const GuardedTensor x = uniform_tensor({2, 40}, DType::fp32, 1), y({2, 40}, DType::fp32);
  const GuardedTensor dy = uniform_tensor({2, 40}, DType::fp32, 2), dx({2, 40}, DType::fp32);
  const auto slopes = finite_differences(x, 0x1p-6F, [&] {
    dropout(stream, {.x = x, .y = y, .probability = 0.3F, .key = kKey});
    return dot(y, dy);
  });
  dropout(stream, {.x = dy, .y = dx, .probability = 0.3F, .key = kKey});
  const std::vector<double> actual = values_of(dx);
  for (std::size_t i = 0; i < 80; ++i) EXPECT_NEAR(actual[i], slopes[i], slope_bound(0x1p-6F, 16, 0));
  dropout(stream, {.x = dy, .y = dy, .probability = 0.3F, .key = kKey});
  EXPECT_EQ(values_of(dy), values_of(dx));
}

TEST(Dropout, RefusesAProbabilityOfOne) {
  Stream& stream = stream_under_test();
  const GuardedTensor x({2, 2}, DType::fp32);
  EXPECT_THROW(dropout(stream, {.x = x, .y = x, .probability = 1, .key = kKey}), InvalidArgument);
}

}  // namespace
}  // namespace mpdist::kernels
