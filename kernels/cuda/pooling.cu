// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/pooling.cuh"

#include "src/core/cuda.hpp"

namespace mpdist::kernels::cuda {

/// Whether `next` replaces the largest so far: greater, or the first NaN. So the first of equals wins, and NaN over
/// all.
__device__ inline bool wins(float next, float largest) {
  return !(next <= largest || isnan(largest));
}

/// The largest inputs of a window in N channels, and their places.
template <int N>
struct Winners {
  Floats<N> value;
  int place[N];
};

template <int N, int kWindow, class T>
__device__ inline Winners<N> winners_of(const T* x, const Pooling& p, std::int64_t image, int oy, int ox, int c) {
  Winners<N> best;
  bool first = true;
  for_each_input<kWindow>(p, oy, ox, [&](int iy, int ix, int place, bool) {
    const Floats<N> next = load(x + p.input(image, iy, ix, c), Lanes<N>{});
#pragma unroll
    for (int k = 0; k < N; ++k) {
      const bool better = first || wins(next[k], best.value[k]);
      best.value[k] = better ? next[k] : best.value[k];
      best.place[k] = better ? place : best.place[k];
    }
    first = false;
  });
  return best;
}

template <int N, int kWindow, class T>
__global__ void __launch_bounds__(kThreads) max_pool_kernel(const T* x, T* y, Pooling p, RowBlocks grid) {
  for_place<N>(grid, p.out_h, p.channels, [&](std::int64_t image, int oy, int ox, int c) {
    store(y + p.output(image, oy, ox, c), winners_of<N, kWindow>(x, p, image, oy, ox, c).value, Lanes<N>{});
  });
}

/// Windows that do not overlap: each writes the gradients of its inputs. What no window holds is 0 before.
template <int N, int kWindow, class T>
__global__ void __launch_bounds__(kThreads)
    max_pool_apart_kernel(const T* x, const T* dy, T* dx, Pooling p, RowBlocks grid) {
  for_place<N>(grid, p.out_h, p.channels, [&](std::int64_t image, int oy, int ox, int c) {
    const Winners<N> best = winners_of<N, kWindow>(x, p, image, oy, ox, c);
    const Floats<N> gradient = load(dy + p.output(image, oy, ox, c), Lanes<N>{});
    for_each_input<kWindow>(p, oy, ox, [&](int iy, int ix, int place, bool inside) {
      Floats<N> result;
#pragma unroll
      for (int k = 0; k < N; ++k) result[k] = best.place[k] == place ? gradient[k] : 0.0F;
      if (inside) store(dx + p.input(image, iy, ix, c), result, Lanes<N>{});
    });
  });
}

/// of_output[i] = the place of the first largest input in the window of output i.
template <int N, int kWindow, class T, class Place>
__global__ void __launch_bounds__(kThreads)
    max_pool_places_kernel(const T* x, Place* of_output, Pooling p, RowBlocks grid) {
  for_place<N>(grid, p.out_h, p.channels, [&](std::int64_t image, int oy, int ox, int c) {
    const Winners<N> best = winners_of<N, kWindow>(x, p, image, oy, ox, c);
    Pack<Place, N> places;
#pragma unroll
    for (int k = 0; k < N; ++k) places.element[k] = static_cast<Place>(best.place[k]);
    places.write(of_output + p.output(image, oy, ox, c));
  });
}

/// Overlapping windows: each input adds, in FP32, the gradients of the windows that it won.
template <int N, class T, class Place>
__global__ void __launch_bounds__(kThreads)
    max_pool_overlapping_kernel(const Place* of_output, const T* dy, T* dx, Pooling p, RowBlocks grid) {
  for_place<N>(grid, p.h, p.channels, [&](std::int64_t image, int iy, int ix, int c) {
    Floats<N> total = {};
    for_each_output(p, iy, ix, [&](int oy, int ox, int place) {
      const std::int64_t output = p.output(image, oy, ox, c);
      const auto places = Pack<Place, N>::read(of_output + output);
      const Floats<N> gradient = load(dy + output, Lanes<N>{});
#pragma unroll
      for (int k = 0; k < N; ++k) total[k] += static_cast<int>(places.element[k]) == place ? gradient[k] : 0.0F;
    });
    store(dx + p.input(image, iy, ix, c), total, Lanes<N>{});
  });
}

template <int N, int kWindow, class T>
__global__ void __launch_bounds__(kThreads)
    average_pool_kernel(const T* x, T* y, Pooling p, RowBlocks grid, float area) {
  for_place<N>(grid, p.out_h, p.channels, [&](std::int64_t image, int oy, int ox, int c) {
    Floats<N> total = {};
    for_each_input<kWindow>(p, oy, ox, [&](int iy, int ix, int, bool inside) {
      const Floats<N> next = load(x + p.input(image, iy, ix, c), Lanes<N>{});
#pragma unroll
      for (int k = 0; k < N; ++k) total[k] += inside ? next[k] : 0.0F;
    });
#pragma unroll
    for (int k = 0; k < N; ++k) total[k] = total[k] / area;
    store(y + p.output(image, oy, ox, c), total, Lanes<N>{});
  });
}

template <int N, class T>
__global__ void __launch_bounds__(kThreads)
    average_pool_backward_kernel(const T* dy, T* dx, Pooling p, RowBlocks grid, float area) {
  for_place<N>(grid, p.h, p.channels, [&](std::int64_t image, int iy, int ix, int c) {
    Floats<N> total = {};
    for_each_output(p, iy, ix, [&](int oy, int ox, int) {
      const Floats<N> next = load(dy + p.output(image, oy, ox, c), Lanes<N>{});
#pragma unroll
      for (int k = 0; k < N; ++k) total[k] += next[k];
    });
#pragma unroll
    for (int k = 0; k < N; ++k) total[k] = total[k] / area;
    store(dx + p.input(image, iy, ix, c), total, Lanes<N>{});
  });
}

/// Calls run(T{}, lanes, window): lanes is the pack that channels and arrays allow, window a constant extent that some
/// loops are unrolled for (as std::integral_constant), or 0.
template <class Run, class... Arrays>
void with_packs(const Pooling& p, DType type, Run run, const Arrays&... arrays) {
  with_compute_type(type, [&]<class T>(T) {
    constexpr int kN = kVector<T>;
    using Unknown = std::integral_constant<int, 0>;
    if (p.channels % kN != 0 || !(takes_packs<kN>(arrays.template data<T>()) && ...)) {
      run(T{}, Lanes<1>{}, Unknown{});
    } else if (p.window == 2) {
      run(T{}, Lanes<kN>{}, std::integral_constant<int, 2>{});
    } else if (p.window == 3) {
      run(T{}, Lanes<kN>{}, std::integral_constant<int, 3>{});
    } else {
      run(T{}, Lanes<kN>{}, Unknown{});
    }
  });
}

void max_pool_forward(Stream& stream, const MaxPoolForward& a) {
  const Pooling p(a.x, a.y, a.geometry);
  if (a.y.elements() == 0) return;
  with_packs(
      p, a.x.dtype(),
      [&]<class T, int N, int kWindow>(T, Lanes<N>, std::integral_constant<int, kWindow>) {
        const RowBlocks grid = p.outputs<N>();
        max_pool_kernel<N, kWindow>
            <<<grid.blocks(), grid.threads(), 0, handle(stream)>>>(a.x.data<T>(), a.y.data<T>(), p, grid);
        check_launch("max_pool_forward");
      },
      a.x, a.y);
}

/// Place: as wide as window * window needs.
template <class Place, class T, int N, int kWindow>
void enqueue_overlapping(Stream& stream, const MaxPoolBackward& a, const Pooling& p) {
  auto* places = static_cast<Place*>(stream.workspace(static_cast<std::size_t>(a.dy.elements()) * sizeof(Place)));
  const RowBlocks windows = p.outputs<N>();
  max_pool_places_kernel<N, kWindow>
      <<<windows.blocks(), windows.threads(), 0, handle(stream)>>>(a.x.data<T>(), places, p, windows);
  check_launch("max_pool_backward");
  const RowBlocks inputs = p.inputs<N>();
  max_pool_overlapping_kernel<N>
      <<<inputs.blocks(), inputs.threads(), 0, handle(stream)>>>(places, a.dy.data<T>(), a.dx.data<T>(), p, inputs);
  check_launch("max_pool_backward");
}

template <class T, int N, int kWindow>
void enqueue_apart(Stream& stream, const MaxPoolBackward& a, const Pooling& p) {
  const bool covered = p.window == p.stride && p.padding == 0 && p.h % p.window == 0 && p.w % p.window == 0;
  if (!covered) mpdist::cuda::fill_zero(a.dx.raw(), a.dx.bytes(), stream.handle());
  const RowBlocks grid = p.outputs<N>();
  max_pool_apart_kernel<N, kWindow>
      <<<grid.blocks(), grid.threads(), 0, handle(stream)>>>(a.x.data<T>(), a.dy.data<T>(), a.dx.data<T>(), p, grid);
  check_launch("max_pool_backward");
}

void max_pool_backward(Stream& stream, const MaxPoolBackward& a) {
  const Pooling p(a.dx, a.dy, a.geometry);
  if (a.dx.elements() == 0) return;
  with_packs(
      p, a.dx.dtype(),
      [&]<class T, int N, int kWindow>(T, Lanes<N>, std::integral_constant<int, kWindow>) {
        if (p.window <= p.stride) {
          enqueue_apart<T, N, kWindow>(stream, a, p);
        } else if (p.window <= 16) {
          enqueue_overlapping<std::uint8_t, T, N, kWindow>(stream, a, p);
        } else {
          enqueue_overlapping<unsigned, T, 1, 0>(stream, a, p);
        }
      },
      a.x, a.dy, a.dx);
}

void average_pool_forward(Stream& stream, const AveragePoolForward& a) {
  const Pooling p(a.x, a.y, a.geometry);
  if (a.y.elements() == 0) return;
  with_packs(
      p, a.x.dtype(),
      [&]<class T, int N, int kWindow>(T, Lanes<N>, std::integral_constant<int, kWindow>) {
        const RowBlocks grid = p.outputs<N>();
        average_pool_kernel<N, kWindow>
            <<<grid.blocks(), grid.threads(), 0, handle(stream)>>>(a.x.data<T>(), a.y.data<T>(), p, grid, p.area());
        check_launch("average_pool_forward");
      },
      a.x, a.y);
}

void average_pool_backward(Stream& stream, const AveragePoolBackward& a) {
  const Pooling p(a.dx, a.dy, a.geometry);
  if (a.dx.elements() == 0) return;
  with_packs(
      p, a.dx.dtype(),
      [&]<class T, int N, int kWindow>(T, Lanes<N>, std::integral_constant<int, kWindow>) {
        const RowBlocks grid = p.inputs<N>();
        average_pool_backward_kernel<N>
            <<<grid.blocks(), grid.threads(), 0, handle(stream)>>>(a.dy.data<T>(), a.dx.data<T>(), p, grid, p.area());
        check_launch("average_pool_backward");
      },
      a.dy, a.dx);
}

}  // namespace mpdist::kernels::cuda
