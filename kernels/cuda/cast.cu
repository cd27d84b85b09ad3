// SPDX-License-Identifier: Apache-2.0
#include "kernels/cast.hpp"

#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/rounding.cuh"

namespace mpdist::kernels::cuda {

struct CastElement {
  static constexpr bool kCounts = false;
  __device__ float operator()(float value, unsigned&) const { return value; }
};

template <class To>
struct SaturatingCastElement {
  static constexpr bool kCounts = true;
  bool saturating;
  __device__ float operator()(float value, unsigned& saturated) const {
    return saturating ? saturate<To>(value, saturated) : value;
  }
};

void cast(Stream& stream, const Cast& a) {
  with_compute_type(a.source.dtype(), [&]<class From>(From) {
    with_compute_type(a.destination.dtype(), [&]<class To>(To) {
      const std::int64_t elements = a.source.elements();
      const From* source = a.source.data<From>();
      To* destination = a.destination.data<To>();
      if (a.saturate || a.saturated) {
        const SaturatingCastElement<To> element = {.saturating = a.saturate};
        elementwise(stream, "cast", elements, element, a.saturated, destination, source);
      } else {
        elementwise(stream, "cast", elements, CastElement{}, nullptr, destination, source);
      }
    });
  });
}

}  // namespace mpdist::kernels::cuda
