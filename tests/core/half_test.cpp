// SPDX-License-Identifier: Apache-2.0
#include "src/core/half.hpp"

#include <gtest/gtest.h>
#include <immintrin.h>

#include <array>
#include <bit>
#include <cmath>

namespace mpdist {
namespace {

std::uint32_t bits_of(float value) {
  return std::bit_cast<std::uint32_t>(value);
}

/// As the processor rounds it. Not _cvtss_sh, which is a macro with a C99 compound literal in clang.
unsigned short converted(float value) {
  const __m128i packed = _mm_cvtps_ph(_mm_set_ss(value), _MM_FROUND_TO_NEAREST_INT);
  return static_cast<unsigned short>(_mm_extract_epi16(packed, 0));
}

TEST(Half, WidensEveryBitPatternAsTheProcessorDoes) {
  for (std::uint32_t bits = 0; bits < 0x10000u; ++bits) {
    const float expected = _cvtsh_ss(static_cast<unsigned short>(bits));
    const float found = to_float(half{static_cast<std::uint16_t>(bits)});
    if (std::isnan(expected)) {  // the processor sets the quiet bit as it widens; what matters is that NaN stays NaN
      ASSERT_TRUE(std::isnan(found)) << std::hex << bits;
    } else {
      ASSERT_EQ(bits_of(found), bits_of(expected)) << std::hex << bits;
    }
  }
}

// Rounding looks at the upper 19 bits, the next one and whether anything follows: these tails stand for all 2^13.
TEST(Half, RoundsEveryFloatAsTheProcessorDoes) {
  constexpr std::array<std::uint32_t, 6> kTails = {0, 1, 0xfff, 0x1000, 0x1001, 0x1fff};
  for (std::uint32_t upper = 0; upper < 1u << 19; ++upper) {
    for (std::uint32_t tail : kTails) {
      const float value = std::bit_cast<float>(upper << 13 | tail);
      const unsigned short expected = converted(value);
      ASSERT_EQ(to_half(value).bits, expected) << std::hex << bits_of(value);
    }
  }
}

TEST(Half, MeetsItsContractAtTheEdges) {
  EXPECT_EQ(to_half(65504.0f).bits, 0x7bff);
  EXPECT_EQ(to_half(65519.996f).bits, 0x7bff);
  EXPECT_EQ(to_half(65520.0f).bits, 0x7c00) << "becomes infinity";
  EXPECT_EQ(to_half(-65520.0f).bits, 0xfc00);
  EXPECT_EQ(to_half(0x1p-24f).bits, 1) << "the smallest subnormal is kept";
  EXPECT_EQ(to_half(0x1p-25f).bits, 0) << "a tie goes to even";
  EXPECT_EQ(to_half(-0.0f).bits, 0x8000);
}

/// The nearest of the two bfloat16 neighbours of a finite value, in double precision; of equally near ones the even.
std::uint16_t nearest_bfloat16(float value) {
  const auto below = static_cast<std::uint16_t>(bits_of(value) >> 16);
  const auto above = static_cast<std::uint16_t>(below + 1);
  const double low = to_float(bfloat16{below});
  const double high = (above & 0x7fff) == 0x7f80 ? std::copysign(0x1p128, value) : double{to_float(bfloat16{above})};
  const double to_low = std::abs(value - low), to_high = std::abs(high - value);
  if (to_low == to_high) return below % 2 == 0 ? below : above;
  return to_low < to_high ? below : above;
}

TEST(Bfloat16, RoundsEveryFloatToTheNearest) {
  constexpr std::array<std::uint32_t, 6> kTails = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff};
  for (std::uint32_t upper = 0; upper < 1u << 16; ++upper) {
    for (std::uint32_t tail : kTails) {
      const float value = std::bit_cast<float>(upper << 16 | tail);
      const bfloat16 found = to_bfloat16(value);
      if (std::isnan(value)) {
        ASSERT_TRUE(std::isnan(to_float(found))) << std::hex << bits_of(value);
      } else if (std::isinf(value)) {
        ASSERT_EQ(to_float(found), value);
      } else {
        ASSERT_EQ(found.bits, nearest_bfloat16(value)) << std::hex << bits_of(value);
      }
    }
  }
}

TEST(FromFloat, RoundsOnceToEachType) {
  constexpr float kThird = 1.0f / 3.0f;
  EXPECT_EQ(from_float<float>(kThird), kThird);
  EXPECT_EQ(from_float<half>(kThird).bits, 0x3555);
  EXPECT_EQ(from_float<bfloat16>(kThird).bits, 0x3eab);
}

}  // namespace
}  // namespace mpdist
