// SPDX-License-Identifier: Apache-2.0
#include "kernels/dropout.hpp"

#include <cmath>

#include "kernels/cuda/element.cuh"
#include "kernels/cuda/rows.cuh"

namespace mpdist::kernels::cuda {

/// An item is a pack of N elements of a row, which are one draw or two; `packs` says whether all may be read as such.
template <class T>
__global__ void __launch_bounds__(kThreads)
    dropout_kernel(const T* x, T* y, RowBlocks grid, std::int64_t elements, bool packs, RandomKey key,
                   std::uint64_t first_item, std::uint32_t threshold, float scale) {
  constexpr int kN = kVector<T>;
  for_item(grid, [&](std::int64_t row, std::int64_t item) {
    const std::int64_t begin = item * kN, place = row * elements + begin;
    Pack<T, kN> pack;
    if (packs) {
      pack = Pack<T, kN>::read(x + place);
    } else {
#pragma unroll
      for (int k = 0; k < kN; ++k) pack.element[k] = begin + k < elements ? x[place + k] : T{};
    }
#pragma unroll
    for (int group = 0; group < kN / 4; ++group) {
      const auto words =
          key.words(first_item + static_cast<std::uint64_t>(row), static_cast<std::uint64_t>(begin / 4 + group));
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        T& element = pack.element[4 * group + k];
        element = narrow<T>((words[k] >> 8) >= threshold ? widen(element) * scale : 0.0F);
      }
    }
    if (packs) {
      pack.write(y + place);
    } else {
#pragma unroll
      for (int k = 0; k < kN; ++k) {
        if (begin + k < elements) y[place + k] = pack.element[k];
      }
    }
  });
}

void dropout(Stream& stream, const Dropout& a) {
  const std::int64_t rows = a.x.shape()[0], elements = rows ? a.x.elements() / rows : 0;
  if (rows == 0 || elements == 0) return;
  // uniform(word) >= p  <=>  (word >> 8) >= p * 2^24, whose right side is exact in FP32.
  const auto threshold = static_cast<std::uint32_t>(std::ceil(a.probability * 0x1p24F));
  with_compute_type(a.x.dtype(), [&]<class T>(T) {
    constexpr int kN = kVector<T>;
    const T* x = a.x.data<T>();
    T* y = a.y.data<T>();
    const RowBlocks grid(rows, (elements + kN - 1) / kN);
    const bool packs = elements % kN == 0 && takes_packs<kN>(x) && takes_packs<kN>(y);
    dropout_kernel<<<grid.blocks(), grid.threads(), 0, handle(stream)>>>(
        x, y, grid, elements, packs, a.key, a.first_item, threshold, 1.0F / (1.0F - a.probability));
    check_launch("dropout");
  });
}

}  // namespace mpdist::kernels::cuda
