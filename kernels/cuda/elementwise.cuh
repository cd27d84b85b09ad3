// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/launch.cuh"

namespace mpdist::kernels::cuda {

inline bool is_aligned(const void* p) {
  return reinterpret_cast<std::uintptr_t>(p) % 16 == 0;
}

/// out[i] = round(f(in_0[i], in_1[i], ...)), computed in FP32: 16-byte accesses where all arrays allow it (`vectors`
/// whole ones, then the tail), single elements otherwise.
template <class T, class F, class... In>
__global__ void __launch_bounds__(kThreads)
    elementwise_kernel(T* out, std::int64_t elements, std::int64_t vectors, F f, const In*... in) {
  const std::int64_t thread = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const std::int64_t threads = static_cast<std::int64_t>(gridDim.x) * kThreads;
  for (std::int64_t i = thread; i < vectors; i += threads) {
    const auto one = [&](const Vector<In>&... part) {
      Vector<T> result;
#pragma unroll
      for (int k = 0; k < kVector<T>; ++k) result.element[k] = narrow<T>(f(widen(part.element[k])...));
      return result;
    };
    reinterpret_cast<Vector<T>*>(out)[i] = one(reinterpret_cast<const Vector<In>*>(in)[i]...);
  }
  for (std::int64_t i = vectors * kVector<T> + thread; i < elements; i += threads)
    out[i] = narrow<T>(f(widen(in[i])...));
}

/// All arrays of one type T, each of `elements`; any of `in` may be `out`. F is a struct with
/// `__device__ float operator()(float...) const`.
template <class T, class F, class... In>
void elementwise(const Stream& stream, const char* name, std::int64_t elements, F f, T* out, const In*... in) {
  static_assert((std::is_same_v<T, In> && ...));
  if (elements == 0) return;
  const std::int64_t vectors = is_aligned(out) && (is_aligned(in) && ...) ? elements / kVector<T> : 0;
  const unsigned blocks = blocks_for(vectors > 0 ? vectors : elements, kThreads);
  elementwise_kernel<T, F, In...><<<blocks, kThreads, 0, handle(stream)>>>(out, elements, vectors, f, in...);
  check_launch(name);
}

}  // namespace mpdist::kernels::cuda
