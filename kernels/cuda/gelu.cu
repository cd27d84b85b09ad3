// SPDX-License-Identifier: Apache-2.0
#include "kernels/gelu.hpp"

#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/math.cuh"

namespace mpdist::kernels::cuda {

struct GeluForwardElement {
  static constexpr bool kCounts = false;
  __device__ float operator()(float x, unsigned&) const { return x * normal_distribution(x); }
};

struct GeluBackwardElement {
  static constexpr bool kCounts = false;
  __device__ float operator()(float x, float dy, unsigned&) const {
    return dy * (normal_distribution(x) + x * normal_density(x));
  }
};

void gelu_forward(Stream& stream, const GeluForward& a) {
  with_compute_type(a.x.dtype(), [&]<class T>(T) {
    elementwise<GeluForwardElement, T, T>(stream, "gelu_forward", a.x.elements(), {}, nullptr, a.y.data<T>(),
                                          a.x.data<T>());
  });
}

void gelu_backward(Stream& stream, const GeluBackward& a) {
  with_compute_type(a.x.dtype(), [&]<class T>(T) {
    elementwise<GeluBackwardElement, T, T, T>(stream, "gelu_backward", a.x.elements(), {}, nullptr, a.dx.data<T>(),
                                              a.x.data<T>(), a.dy.data<T>());
  });
}

}  // namespace mpdist::kernels::cuda
