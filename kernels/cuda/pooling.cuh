// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/rows.cuh"
#include "kernels/pooling.hpp"

/// A thread works on N neighbouring channels of one place: a pack where the channels and all arrays allow it, else one.
/// Rows of a grid are rows of places, of all images.
namespace mpdist::kernels::cuda {

/// Extents and geometry of one pooling. Grids: a row is one of an image, an item N channels of a place.
struct Pooling {
  int h, w, out_h, out_w, channels, window, stride, padding;
  std::int64_t images;

  Pooling(const Tensor& large, const Tensor& small, const PoolingGeometry& g)
      : h(static_cast<int>(large.shape()[1])),
        w(static_cast<int>(large.shape()[2])),
        out_h(static_cast<int>(small.shape()[1])),
        out_w(static_cast<int>(small.shape()[2])),
        channels(static_cast<int>(large.shape()[3])),
        window(static_cast<int>(g.window)),
        stride(static_cast<int>(g.stride)),
        padding(static_cast<int>(g.padding)),
        images(large.shape()[0]) {}

  template <int N>
  RowBlocks outputs() const {
    return RowBlocks(images * out_h, std::int64_t{out_w} * (channels / N));
  }
  template <int N>
  RowBlocks inputs() const {
    return RowBlocks(images * h, std::int64_t{w} * (channels / N));
  }
  float area() const { return static_cast<float>(std::int64_t{window} * window); }
  __device__ std::int64_t input(std::int64_t image, int y, int x, int c) const {
    return ((image * h + y) * w + x) * channels + c;
  }
  __device__ std::int64_t output(std::int64_t image, int y, int x, int c) const {
    return ((image * out_h + y) * out_w + x) * channels + c;
  }
};

/// Calls body(image, y, x, first channel) for a thread's place.
template <int N, class Body>
__device__ inline void for_place(const RowBlocks& grid, int height, int channels, Body body) {
  for_item(grid, [&](std::int64_t row, std::int64_t item) {
    const unsigned packs = static_cast<unsigned>(channels / N), i = static_cast<unsigned>(item);
    const std::int64_t image = row / height;
    body(image, static_cast<int>(row - image * height), static_cast<int>(i / packs), static_cast<int>(i % packs) * N);
  });
}

/// Calls visit(y, x, place, inside) for the inputs of a window, row by row; `place` counts them. Where one lies outside
/// the image, the nearest inside stands for it, so that loads need no branch. kWindow is the window's extent, or 0
/// where it is known at run time only.
template <int kWindow, class Visit>
__device__ inline void for_each_input(const Pooling& p, int oy, int ox, Visit visit) {
  const int window = kWindow > 0 ? kWindow : p.window;
  const int first_y = oy * p.stride - p.padding, first_x = ox * p.stride - p.padding;
#pragma unroll(kWindow > 0 ? kWindow : 1)
  for (int a = 0; a < window; ++a) {
    const int wanted_y = first_y + a, y = min(max(wanted_y, 0), p.h - 1);
#pragma unroll(kWindow > 0 ? kWindow : 1)
    for (int b = 0; b < window; ++b) {
      const int wanted_x = first_x + b, x = min(max(wanted_x, 0), p.w - 1);
      visit(y, x, (y - first_y) * window + x - first_x, y == wanted_y && x == wanted_x);
    }
  }
}

/// Calls visit(oy, ox, place) for the outputs whose windows hold input (y, x), row by row; `place` is the input's in
/// the window.
template <class Visit>
__device__ inline void for_each_output(const Pooling& p, int y, int x, Visit visit) {
  const auto first = [&](int i) {
    const int reach = i + p.padding - p.window;
    return reach < 0 ? 0 : reach / p.stride + 1;
  };
  const int first_x = first(x), last_y = min((y + p.padding) / p.stride, p.out_h - 1),
            last_x = min((x + p.padding) / p.stride, p.out_w - 1);
#pragma unroll 1
  for (int oy = first(y); oy <= last_y; ++oy) {
    const int row = (y + p.padding - oy * p.stride) * p.window + x + p.padding;
#pragma unroll 1
    for (int ox = first_x; ox <= last_x; ++ox) visit(oy, ox, row - ox * p.stride);
  }
}

}  // namespace mpdist::kernels::cuda
