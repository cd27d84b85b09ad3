// SPDX-License-Identifier: Apache-2.0
#include "kernels/add.hpp"

#include "kernels/cpu/vector.hpp"

namespace mpdist::kernels::cpu {

void add(Stream&, const Add& a) {
  with_compute_type(a.left.dtype(), [&]<class T>(T) {
    const T* left = a.left.data<T>();
    const T* right = a.right.data<T>();
    T* out = a.out.data<T>();
    for_each_vector(a.out.elements(), [&](std::int64_t i, auto lanes) {
      store(out + i, load(left + i, lanes) + load(right + i, lanes), lanes);
    });
  });
}

}  // namespace mpdist::kernels::cpu
