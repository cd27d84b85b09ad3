// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

#include "data/dataset.hpp"

namespace mpdist::data {

/// The endless sequence of epoch permutations: position p is place p % n of epoch p / n, and epoch e visits
/// permutation_e(0), permutation_e(1), ... Batch k is positions [k*B, (k+1)*B). The permutation is keyed by (seed,
/// epoch) and computed, not stored: a Feistel network on the next power of two with cycle walking (Black & Rogaway
/// 2002).
/// By blocks: the blocks are permuted, cut into windows of `mixed` blocks in that order, and the images of each window
/// are permuted among themselves. So an epoch goes through the blocks window by window.
class Sampler {
 public:
  struct Place {
    std::int64_t epoch = 0;
    std::int64_t index = 0;  ///< data index in [0, n)
  };

  /// Throws InvalidArgument unless 1 <= n < 2^48 and the blocks have at least one row and are mixed at least alone.
  Sampler(std::int64_t n, std::uint64_t seed, Blocks blocks = {});
  Place at(std::int64_t position) const;
  std::int64_t size() const { return n_; }

 private:
  std::int64_t by_blocks(std::int64_t place, std::uint32_t epoch) const;

  std::int64_t n_;
  std::uint64_t seed_;
  Blocks blocks_;
};

}  // namespace mpdist::data
