// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "src/core/half.hpp"
#include "src/core/philox.hpp"

namespace mpdist::test {

/// The reduction tree as DESIGN 6 words it, one element at a time: left half is the largest power of two below n, each
/// node is left + right in FP32, rounded to T. Written without the code under test.
template <class T>
T reference_tree(const T* leaves, int count) {
  if (count == 1) return *leaves;
  int left = 1;
  while (2 * left < count) left *= 2;
  const float sum = to_float(reference_tree(leaves, left)) + to_float(reference_tree(leaves + left, count - left));
  return from_float<T>(sum);
}

/// One FP32 number of a shard, the same wherever it is asked for. Signs and exponents vary over 2^-12 .. 2^12, so the
/// order of additions and of roundings shows in most sums.
inline float shard_value(std::uint64_t shard, std::uint64_t element) {
  const auto words = philox({static_cast<std::uint32_t>(element), static_cast<std::uint32_t>(shard), 0, 0}, {7, 11});
  const float mantissa = 1.0f + static_cast<float>(words[0] >> 9) * 0x1p-23f;
  const int exponent = static_cast<int>(words[1] % 25) - 12;
  const float magnitude = std::ldexp(mantissa, exponent);
  return words[2] & 1 ? -magnitude : magnitude;
}

/// Whether two numbers have the same bits.
template <class T>
bool same_bits(const T& a, const T& b) {
  return std::memcmp(&a, &b, sizeof(T)) == 0;
}

/// Elements of `found` whose bits differ from `expected`.
template <class T>
std::int64_t different(const T* found, const std::vector<T>& expected) {
  std::int64_t count = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) count += same_bits(found[i], expected[i]) ? 0 : 1;
  return count;
}

}  // namespace mpdist::test
