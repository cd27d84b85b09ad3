// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/checks.hpp"
#include "kernels/kernel.hpp"

namespace mpdist::kernels {

/// destination = source rounded once (to nearest, ties to even) to the destination's type. NaN stays NaN.
/// With `saturate`, finite values beyond the largest finite value of the destination become that value with their sign
/// and are counted; without it they become infinity.
struct Cast {
  Tensor source;       ///< any shape, fp32, fp16 or bf16
  Tensor destination;  ///< same number of elements; may be the same memory only when types are equal
  bool saturate = false;
  std::int64_t* saturated = nullptr;  ///< receives the count, may be null
  void validate() const {
    checks::compute_type("cast", "source", source);
    checks::compute_type("cast", "destination", destination);
    checks::elements_are("cast", "destination", destination, source.elements());
    require(source.raw() != destination.raw() || source.dtype() == destination.dtype(),
            "cast: in place needs equal types, found {} to {}", name_of(source.dtype()), name_of(destination.dtype()));
  }
};
MPDIST_KERNEL(cast, Cast);

}  // namespace mpdist::kernels
