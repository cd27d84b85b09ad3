// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/checks.hpp"
#include "kernels/kernel.hpp"

namespace mpdist::kernels {

inline constexpr std::uint64_t kMixStride = 0x9E3779B97F4A7C15u;
inline constexpr std::uint64_t kMixMultiplier1 = 0xBF58476D1CE4E5B9u;
inline constexpr std::uint64_t kMixMultiplier2 = 0x94D049BB133111EBu;

/// 64-bit finaliser of splitmix64 (Steele, Lea & Flood 2014) over an element's bits and place. A bijection of the bits
/// at each place, so one changed element always changes the digest.
constexpr std::uint64_t mix(std::uint64_t bits, std::uint64_t index) {
  std::uint64_t x = bits + kMixStride * (index + 1);
  x = (x ^ (x >> 30)) * kMixMultiplier1;
  x = (x ^ (x >> 27)) * kMixMultiplier2;
  return x ^ (x >> 31);
}

/// digest = sum over elements of mix(bits, first_index + i), modulo 2^64: independent of the order of summation, so
/// equal on every device and at any number of threads.
struct Digest {
  Tensor tensor;  ///< any type
  std::uint64_t first_index = 0;
  std::uint64_t* digest = nullptr;  ///< receives the sum, host memory
  void validate() const {
    checks::present("digest", "tensor", tensor);
    checks::pointer("digest", "digest", digest);
  }
};
MPDIST_KERNEL(digest, Digest);

}  // namespace mpdist::kernels
