// SPDX-License-Identifier: Apache-2.0
#include "kernels/add.hpp"

#include "kernels/cuda/elementwise.cuh"

namespace mpdist::kernels::cuda {
namespace {

struct Sum {
  __device__ float operator()(float left, float right) const { return left + right; }
};

}  // namespace

void add(Stream& stream, const Add& a) {
  with_compute_type(a.out.dtype(), [&]<class T>(T) {
    elementwise(stream, "add", a.out.elements(), Sum{}, a.out.data<T>(), a.left.data<T>(), a.right.data<T>());
  });
}

}  // namespace mpdist::kernels::cuda
