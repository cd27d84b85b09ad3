// SPDX-License-Identifier: Apache-2.0
#include "kernels/cast.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "tests/support/fill.hpp"
#include "tests/support/tolerance.hpp"

namespace mpdist::kernels {
namespace {

using namespace mpdist::test;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(Cast, RoundsToNearestEvenByHand) {
  Stream& stream = stream_under_test();
  const GuardedTensor from({6}, DType::fp32), to({6}, DType::fp16);
  set_values(from, {1.0F, 1.0F + 0x1p-11F, 1.0F + 0x3p-11F, 65519.0F, 65520.0F, 0x1p-25F});
  cast(stream, {.source = from, .destination = to});
  EXPECT_EQ(values_of(to), (std::vector<double>{1, 1, 1 + 0x1p-9, 65504, INFINITY, 0}));
}

TEST(Cast, SaturatesFiniteValuesOnlyAndCountsThem) {
  Stream& stream = stream_under_test();
  const GuardedTensor from({6}, DType::fp32), to({6}, DType::fp16);
  set_values(from, {65504.0F, 65505.0F, -1e30F, kInfinity, -kInfinity, kNan});
  HostValue<std::int64_t> saturated(stream, -1);
  cast(stream, {.source = from, .destination = to, .saturate = true, .saturated = saturated.data()});
  EXPECT_EQ(arrived(saturated), 2);
  EXPECT_TRUE(is_close(to, {65504, 65504, -65504, INFINITY, -INFINITY, NAN}));
}

TEST(Cast, SaturatesBfloat16AtItsLargestValue) {
  Stream& stream = stream_under_test();
  const GuardedTensor from({3}, DType::fp32), to({3}, DType::bf16);
  set_values(from, {0x1.fep127F, 0x1.ffp127F, -0x1.fffffep127F});
  HostValue<std::int64_t> saturated(stream, -1);
  cast(stream, {.source = from, .destination = to, .saturate = true, .saturated = saturated.data()});
  EXPECT_EQ(arrived(saturated), 2);
  EXPECT_EQ(values_of(to), (std::vector<double>{0x1.fep127, 0x1.fep127, -0x1.fep127}));
  cast(stream, {.source = from, .destination = to});
  EXPECT_EQ(values_of(to), (std::vector<double>{0x1.fep127, INFINITY, -INFINITY}));
}

/// Bit patterns spread over the whole range of floats (subnormals, infinities, NaN) against the scalar conversions. A
/// GPU has one NaN, whatever its payload was.
template <class T>
void expect_scalar_bits(std::int64_t size, std::int64_t misalignment) {
  Stream& stream = stream_under_test();
  const GuardedTensor from({size}, DType::fp32, misalignment), to({size}, dtype_of<T>, misalignment);
  for (std::uint32_t seed = 0; seed < 64; ++seed) {
    std::vector<T> expected;
    overwrite(from, [&](const Tensor& host) {
      for (std::int64_t i = 0; i < size; ++i) {
        const auto word = philox({static_cast<std::uint32_t>(i), seed, 0, 0}, {1, 2})[0];
        host.data<float>()[i] = std::bit_cast<float>(word);
        expected.push_back(from_float<T>(host.data<float>()[i]));
      }
    });
    cast(stream, {.source = from, .destination = to});
    const Tensor result = host_copy(to);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const T actual = result.data<T>()[i];
      if (device_under_test() == Device::cuda && std::isnan(to_float(expected[i]))) {
        ASSERT_TRUE(std::isnan(to_float(actual))) << i;
      } else {
        ASSERT_EQ(actual.bits, expected[i].bits) << i;
      }
    }
  }
  EXPECT_TRUE(to.intact());
}

TEST(Cast, EveryKindOfFloatMatchesTheScalarConversion) {
  for (std::int64_t size : kSizes) {
    for (std::int64_t misalignment : kMisalignments) {
      expect_scalar_bits<half>(size, misalignment);
      expect_scalar_bits<bfloat16>(size, misalignment);
    }
  }
}

TEST(Cast, WideningIsExactForAll65536Patterns) {
  Stream& stream = stream_under_test();
  const GuardedTensor half_bits({65536}, DType::fp16), bfloat_bits({65536}, DType::bf16), wide({65536}, DType::fp32);
  const auto count_up = [](const Tensor& host) {
    auto* bits = static_cast<std::uint16_t*>(host.raw());
    std::iota(bits, bits + 65536, std::uint16_t{0});
  };
  overwrite(half_bits, count_up);
  overwrite(bfloat_bits, count_up);
  cast(stream, {.source = half_bits, .destination = wide});
  EXPECT_TRUE(is_close(values_of(wide), values_of(half_bits), {.stored = DType::fp32, .operations = 0}));
  cast(stream, {.source = bfloat_bits, .destination = wide});
  EXPECT_TRUE(is_close(values_of(wide), values_of(bfloat_bits), {.stored = DType::fp32, .operations = 0}));
}

TEST(Cast, RefusesOtherSizesAndOverlappingTypes) {
  Stream& stream = stream_under_test();
  const GuardedTensor from({4}, DType::fp32), to({5}, DType::fp16);
  EXPECT_THROW(cast(stream, {.source = from, .destination = to}), InvalidArgument);
  const Tensor overlapping(from.view().raw(), {4}, DType::fp16);
  EXPECT_THROW(cast(stream, {.source = from, .destination = overlapping}), InvalidArgument);
}

}  // namespace
}  // namespace mpdist::kernels
