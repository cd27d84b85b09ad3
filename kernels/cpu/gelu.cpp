// SPDX-License-Identifier: Apache-2.0
#include "kernels/gelu.hpp"

#include "kernels/cpu/math.hpp"

namespace mpdist::kernels::cpu {

void gelu_forward(Stream&, const GeluForward& a) {
  with_compute_type(a.x.dtype(), [&]<class T>(T) {
    const T* x = a.x.data<T>();
    T* y = a.y.data<T>();
    for_each_vector(a.x.elements(), [&](std::int64_t i, auto lanes) {
      const F32x16 value = load(x + i, lanes);
      store(y + i, value * normal_distribution(value), lanes);
    });
  });
}

void gelu_backward(Stream&, const GeluBackward& a) {
  with_compute_type(a.x.dtype(), [&]<class T>(T) {
    const T* x = a.x.data<T>();
    const T* dy = a.dy.data<T>();
    T* dx = a.dx.data<T>();
    for_each_vector(a.x.elements(), [&](std::int64_t i, auto lanes) {
      const F32x16 value = load(x + i, lanes);
      const F32x16 slope = normal_distribution(value) + value * normal_density(value);
      store(dx + i, load(dy + i, lanes) * slope, lanes);
    });
  });
}

}  // namespace mpdist::kernels::cpu
