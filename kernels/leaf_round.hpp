// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/kernel.hpp"

namespace mpdist::kernels {

/// leaf = factor * gradient, rounded once to the wire type; nonfinite = number of leaf elements that are inf or NaN after
/// rounding, found element by element.
struct LeafRound {
  Tensor gradient;                    ///< [n] FP32, the shard's gradient times loss scale and K/M
  Tensor leaf;                        ///< [n] wire type
  float factor = 1;                   ///< 1/K, a power of two
  std::int64_t* nonfinite = nullptr;  ///< receives the count of non-finite elements of round(factor * gradient), host memory
  void validate() const;
};
MPDIST_KERNEL(leaf_round, LeafRound);

}  // namespace mpdist::kernels
