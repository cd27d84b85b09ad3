// SPDX-License-Identifier: Apache-2.0
#include "kernels/relu.hpp"

#include "kernels/cuda/elementwise.cuh"

namespace mpdist::kernels::cuda {

struct ReluForwardElement {
  static constexpr bool kCounts = false;
  __device__ float operator()(float x, unsigned&) const { return x <= 0.0F ? 0.0F : x; }  // NaN stays
};

struct ReluBackwardElement {
  static constexpr bool kCounts = false;
  __device__ float operator()(float y, float dy, unsigned&) const { return y > 0.0F ? dy : 0.0F; }
};

void relu_forward(Stream& stream, const ReluForward& a) {
  with_compute_type(a.x.dtype(), [&]<class T>(T) {
    elementwise<ReluForwardElement, T, T>(stream, "relu_forward", a.x.elements(), {}, nullptr, a.y.data<T>(),
                                          a.x.data<T>());
  });
}

void relu_backward(Stream& stream, const ReluBackward& a) {
  with_compute_type(a.y.dtype(), [&]<class T>(T) {
    elementwise<ReluBackwardElement, T, T, T>(stream, "relu_backward", a.y.elements(), {}, nullptr, a.dx.data<T>(),
                                              a.y.data<T>(), a.dy.data<T>());
  });
}

}  // namespace mpdist::kernels::cuda
