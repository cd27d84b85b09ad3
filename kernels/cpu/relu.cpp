// SPDX-License-Identifier: Apache-2.0
#include "kernels/relu.hpp"

#include "kernels/cpu/vector.hpp"

namespace mpdist::kernels::cpu {

void relu_forward(Stream&, const ReluForward& a) {
  with_compute_type(a.x.dtype(), [&]<class T>(T) {
    const T* x = a.x.data<T>();
    T* y = a.y.data<T>();
    const F32x16 zero = broadcast(0.0F);
    for_each_vector(a.x.elements(), [&](std::int64_t i, auto lanes) {
      const F32x16 value = load(x + i, lanes);
      store(y + i, select(less_equal(value, zero), zero, value), lanes);  // false for NaN, which stays
    });
  });
}

void relu_backward(Stream&, const ReluBackward& a) {
  with_compute_type(a.y.dtype(), [&]<class T>(T) {
    const T* y = a.y.data<T>();
    const T* dy = a.dy.data<T>();
    T* dx = a.dx.data<T>();
    const F32x16 zero = broadcast(0.0F);
    for_each_vector(a.y.elements(), [&](std::int64_t i, auto lanes) {
      store(dx + i, select(greater(load(y + i, lanes), zero), load(dy + i, lanes), zero), lanes);
    });
  });
}

}  // namespace mpdist::kernels::cpu
