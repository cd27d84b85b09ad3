// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/checks.hpp"
#include "kernels/kernel.hpp"

namespace mpdist::kernels {

/// leaf = factor * gradient, rounded once to the wire type; nonfinite = number of leaf elements that are inf or NaN
/// after rounding, found element by element.
struct LeafRound {
  Tensor gradient;   ///< [n] FP32, the shard's gradient times loss scale and K/M
  Tensor leaf;       ///< [n] wire type
  float factor = 1;  ///< 1/K, a power of two
  std::int64_t* nonfinite =
      nullptr;  ///< receives the count of non-finite elements of round(factor * gradient), host memory
  void validate() const {
    checks::type_is("leaf_round", "gradient", gradient, DType::fp32);
    checks::compute_type("leaf_round", "leaf", leaf);
    checks::elements_are("leaf_round", "leaf", leaf, gradient.elements());
    checks::pointer("leaf_round", "nonfinite", nonfinite);
  }
};
MPDIST_KERNEL(leaf_round, LeafRound);

}  // namespace mpdist::kernels
