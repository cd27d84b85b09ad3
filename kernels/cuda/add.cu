// SPDX-License-Identifier: Apache-2.0
#include "kernels/add.hpp"

#include "kernels/cuda/elementwise.cuh"

namespace mpdist::kernels::cuda {

struct AddElement {
  static constexpr bool kCounts = false;
  __device__ float operator()(float left, float right, unsigned&) const { return left + right; }
};

void add(Stream& stream, const Add& a) {
  with_compute_type(a.out.dtype(), [&]<class T>(T) {
    elementwise(stream, "add", a.out.elements(), AddElement{}, nullptr, a.out.data<T>(), a.left.data<T>(),
                a.right.data<T>());
  });
}

}  // namespace mpdist::kernels::cuda
