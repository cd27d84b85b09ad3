// SPDX-License-Identifier: Apache-2.0
#include "kernels/leaf_round.hpp"

#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/rounding.cuh"

namespace mpdist::kernels::cuda {

template <class Wire>
struct LeafElement {
  static constexpr bool kCounts = true;
  float factor;
  __device__ float operator()(float gradient, unsigned& nonfinite) const {
    const float value = gradient * factor;
    nonfinite += rounds_to_nonfinite<Wire>(value);
    return value;
  }
};

void leaf_round(Stream& stream, const LeafRound& a) {
  with_compute_type(a.leaf.dtype(), [&]<class Wire>(Wire) {
    elementwise<LeafElement<Wire>, Wire, float>(stream, "leaf_round", a.gradient.elements(), {.factor = a.factor},
                                                a.nonfinite, a.leaf.data<Wire>(), a.gradient.data<float>());
  });
}

}  // namespace mpdist::kernels::cuda
