// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string_view>

namespace mpdist::test {

/// Numbers that a fixture need not hold, as another language computes the same bits: uniform in [-1, 1), m * 2^-23 - 1
/// where m is the upper 24 bits of output number i of SplitMix64 (Steele et al. 2014) started at the 64-bit FNV-1a hash
/// of the name. tests/fixtures/pytorch_resnet.py has the same function in Python.
class Formula {
 public:
  explicit Formula(std::string_view name) {
    for (char c : name) state_ = (state_ ^ static_cast<unsigned char>(c)) * 1099511628211U;
  }
  float operator()(std::int64_t i) const {
    std::uint64_t z = state_ + (static_cast<std::uint64_t>(i) + 1) * 0x9E3779B97F4A7C15U;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return static_cast<float>((z ^ (z >> 31)) >> 40) * 0x1p-23F - 1;
  }

 private:
  std::uint64_t state_ = 14695981039346656037U;
};

}  // namespace mpdist::test
