// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string_view>

#include "data/dataset.hpp"

namespace mpdist::data {

inline constexpr std::int64_t kDigestBlocks = 64;
inline constexpr std::int64_t kDigestBlockRows = 8;

/// A 64-bit hash that depends on the order of what is added.
class Hash {
 public:
  explicit Hash(std::uint64_t start = 0) : value_(start) {}
  void add(std::uint64_t word) {
    value_ = (value_ ^ word) * 0x9E3779B97F4A7C15u;
    value_ ^= value_ >> 29;
  }
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_;
};

/// What Dataset::digest returns: a 64-bit hash of `name` (format and part), image shape, number of classes, size, all
/// labels and kDigestBlocks keyed blocks of `block_rows` consecutive images (all images where there are fewer).
std::uint64_t digest_of(const Dataset& dataset, std::string_view name, std::int64_t block_rows = kDigestBlockRows);

}  // namespace mpdist::data
