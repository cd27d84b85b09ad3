// SPDX-License-Identifier: Apache-2.0
#include "kernels/ema_update.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/support/fill.hpp"
#include "tests/support/tolerance.hpp"

namespace mpdist::kernels {
namespace {

using namespace mpdist::test;

TEST(EmaUpdate, ByHand) {
  Stream& stream = stream_under_test();
  const GuardedTensor average({2}, DType::fp32), value({2}, DType::fp32);
  set_values(average, {4, -8});
  set_values(value, {8, 0});
  ema_update(stream, {.average = average, .value = value, .decay = 0.75F});
  EXPECT_EQ(values_of(average), (std::vector<double>{5, -6}));
}

TEST(EmaUpdate, MatchesDoubleAtEverySize) {
  Stream& stream = stream_under_test();
  for (std::int64_t size : kSizes) {
    for (std::int64_t misalignment : kMisalignments) {
      const GuardedTensor average = uniform_tensor({size}, DType::fp32, 1, misalignment);
      const GuardedTensor value = uniform_tensor({size}, DType::fp32, 2);
      std::vector<double> expected = values_of(average), magnitude = values_of(value);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        const double old = static_cast<double>(0.99F) * expected[i];
        const double added = (1 - static_cast<double>(0.99F)) * magnitude[i];
        expected[i] = old + added;
        magnitude[i] = std::abs(old) + std::abs(added);
      }
      ema_update(stream, {.average = average, .value = value, .decay = 0.99F});
      EXPECT_TRUE(is_close(average, expected, 3, magnitude));
      EXPECT_TRUE(average.intact());
    }
  }
}

TEST(EmaUpdate, RefusesOtherTypesAndDecays) {
  Stream& stream = stream_under_test();
  const GuardedTensor average({2}, DType::fp32), value({2}, DType::fp16);
  EXPECT_THROW(ema_update(stream, {.average = average, .value = value}), InvalidArgument);
  EXPECT_THROW(ema_update(stream, {.average = average, .value = average, .decay = 1.5F}), InvalidArgument);
}

}  // namespace
}  // namespace mpdist::kernels
