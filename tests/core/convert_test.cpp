// SPDX-License-Identifier: Apache-2.0
#include "src/core/convert.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "src/core/error.hpp"

namespace mpdist {
namespace {

/// `count` floats that start with every special case and go on through the exponents.
std::vector<float> samples(std::size_t count) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  std::vector<float> values = {0.0f,     -0.0f,    1.0f,       -1.0f / 3, 65504.0f, 65520.0f, -65520.0f,
                               0x1p-24f, 0x1p-25f, 0x1.8p-24f, 0x1p-140f, kInf,     -kInf,    std::nanf("")};
  for (std::uint32_t i = 0; values.size() < count; ++i) values.push_back(std::bit_cast<float>(i * 0x9E3779B9u));
  values.resize(count);
  return values;
}

template <class T>
void expect_rounded_one_by_one(std::size_t count) {
  const std::vector<float> values = samples(count);
  std::vector<T> found(count + 1);
  const T guard = from_float<T>(42.0f);
  found[count] = guard;
  round_to(values, dtype_of<T>, found.data());
  for (std::size_t i = 0; i < count; ++i) {
    const T expected = from_float<T>(values[i]);
    ASSERT_EQ(std::memcmp(&found[i], &expected, sizeof(T)), 0)
        << name_of(dtype_of<T>) << " at " << i << " of " << count;
  }
  EXPECT_EQ(std::memcmp(&found[count], &guard, sizeof(T)), 0) << "wrote past the end";
}

TEST(RoundTo, EqualsFromFloatForEveryLengthAndType) {
  for (std::size_t count : {0, 1, 7, 8, 9, 31, 33, 1000}) {
    expect_rounded_one_by_one<half>(count);
    expect_rounded_one_by_one<bfloat16>(count);
    expect_rounded_one_by_one<float>(count);
  }
}

TEST(RoundTo, RefusesTypesThatAreNotForComputing) {
  std::int32_t out = 0;
  EXPECT_THROW(round_to(std::vector<float>{1}, DType::int32, &out), InvalidArgument);
}

}  // namespace
}  // namespace mpdist
