// SPDX-License-Identifier: Apache-2.0
#include "kernels/pooling.hpp"

#include <algorithm>

#include "kernels/cpu/vector.hpp"

namespace mpdist::kernels::cpu {
namespace {

/// Extents of one pooling, from its large and its small side.
struct Extents {
  std::int64_t n, h, w, out_h, out_w, channels;
  Extents(const Tensor& large, const Tensor& small)
      : n(large.shape()[0]),
        h(large.shape()[1]),
        w(large.shape()[2]),
        out_h(small.shape()[1]),
        out_w(small.shape()[2]),
        channels(large.shape()[3]) {}
  std::int64_t large() const { return h * w * channels; }
  std::int64_t small() const { return out_h * out_w * channels; }
};

/// Half-open range along one direction.
struct Range {
  std::int64_t begin, end;
};

/// The inputs of output `o`, without padding.
Range window_of(const PoolingGeometry& g, std::int64_t o, std::int64_t extent) {
  const std::int64_t first = o * g.stride - g.padding;
  return {std::max<std::int64_t>(first, 0), std::min(first + g.window, extent)};
}

/// The outputs whose windows hold input `i`.
Range outputs_of(const PoolingGeometry& g, std::int64_t i, std::int64_t outputs) {
  const std::int64_t reach = i + g.padding - g.window;
  return {reach < 0 ? 0 : reach / g.stride + 1, std::min((i + g.padding) / g.stride + 1, outputs)};
}

/// Calls body(oy, ox, rows, columns) for each output of one image with its window.
template <class Body>
void for_each_window(const Extents& e, const PoolingGeometry& g, Body&& body) {
  for (std::int64_t oy = 0; oy < e.out_h; ++oy) {
    for (std::int64_t ox = 0; ox < e.out_w; ++ox) body(oy, ox, window_of(g, oy, e.h), window_of(g, ox, e.w));
  }
}

/// The 2 x 2 windows of almost every network, none cut by padding: what follows has them unrolled (measured: 2 to 4
/// times faster).
bool is_two_by_two(const PoolingGeometry& g) {
  return g.window == 2 && g.padding == 0;
}

/// Where `next` replaces the largest so far: greater, or the first NaN. So the first of equals wins, and NaN wins over
/// all.
Mask16 wins(F32x16 next, F32x16 largest) {
  return ~(less_equal(next, largest) | is_nan(largest));
}

template <class T>
void max_forward_two_by_two(const T* x, T* y, const Extents& e, const PoolingGeometry& g) {
  const std::int64_t row = e.w * e.channels;
  for_each_window(e, g, [&](std::int64_t oy, std::int64_t ox, Range rows, Range columns) {
    const T* const first = x + rows.begin * row + columns.begin * e.channels;
    T* const out = y + (oy * e.out_w + ox) * e.channels;
    for_each_vector(e.channels, [&](std::int64_t c, auto lanes) {
      F32x16 largest = load(first + c, lanes);
      for (const std::int64_t next : {c + e.channels, c + row, c + row + e.channels}) {
        const F32x16 value = load(first + next, lanes);
        largest = select(wins(value, largest), value, largest);
      }
      store(out + c, largest, lanes);
    });
  });
}

template <class T>
void max_forward(const T* x, T* y, const Extents& e, const PoolingGeometry& g) {
  if (is_two_by_two(g)) return max_forward_two_by_two(x, y, e, g);
  for_each_window(e, g, [&](std::int64_t oy, std::int64_t ox, Range rows, Range columns) {
    for_each_vector(e.channels, [&](std::int64_t c, auto lanes) {
      F32x16 largest = load(x + (rows.begin * e.w + columns.begin) * e.channels + c, lanes);
      for (std::int64_t iy = rows.begin; iy < rows.end; ++iy) {
        for (std::int64_t ix = columns.begin; ix < columns.end; ++ix) {
          const F32x16 next = load(x + (iy * e.w + ix) * e.channels + c, lanes);
          largest = select(wins(next, largest), next, largest);
        }
      }
      store(y + (oy * e.out_w + ox) * e.channels + c, largest, lanes);
    });
  });
}

/// Calls place(offset, mask, lanes) for each element of one window: mask says where that element is the first largest.
template <class T, class Lanes, class Place>
void for_each_winner(const T* x, const Extents& e, Range rows, Range columns, std::int64_t c, Lanes lanes,
                     Place&& place) {
  F32x16 largest = load(x + (rows.begin * e.w + columns.begin) * e.channels + c, lanes);
  U32x16 winner = broadcast(0u);
  std::uint32_t k = 0;
  for (std::int64_t iy = rows.begin; iy < rows.end; ++iy) {
    for (std::int64_t ix = columns.begin; ix < columns.end; ++ix, ++k) {
      const F32x16 next = load(x + (iy * e.w + ix) * e.channels + c, lanes);
      const Mask16 better = wins(next, largest);
      largest = select(better, next, largest);
      winner = select(better, broadcast(k), winner);
    }
  }
  k = 0;
  for (std::int64_t iy = rows.begin; iy < rows.end; ++iy) {
    for (std::int64_t ix = columns.begin; ix < columns.end; ++ix, ++k) {
      place((iy * e.w + ix) * e.channels + c, equal(winner, broadcast(k)));
    }
  }
}

template <class T>
void max_backward_two_by_two(const T* x, const T* dy, T* dx, const Extents& e, const PoolingGeometry& g) {
  const std::int64_t row = e.w * e.channels;
  const F32x16 zero = broadcast(0.0F);
  for_each_window(e, g, [&](std::int64_t oy, std::int64_t ox, Range rows, Range columns) {
    const std::int64_t first = rows.begin * row + columns.begin * e.channels;
    for_each_vector(e.channels, [&](std::int64_t c, auto lanes) {
      const std::int64_t a = first + c, b = a + e.channels;
      const F32x16 gradient = load(dy + (oy * e.out_w + ox) * e.channels + c, lanes);
      F32x16 largest = load(x + a, lanes);
      const auto challenge = [&](std::int64_t place) {
        const F32x16 value = load(x + place, lanes);
        const Mask16 won = wins(value, largest);
        largest = select(won, value, largest);
        return won;
      };
      const Mask16 second = challenge(b), third = challenge(a + row), fourth = challenge(b + row);
      store(dx + a, select(second | third | fourth, zero, gradient), lanes);
      store(dx + b, select(second & ~(third | fourth), gradient, zero), lanes);
      store(dx + a + row, select(third & ~fourth, gradient, zero), lanes);
      store(dx + b + row, select(fourth, gradient, zero), lanes);
    });
  });
}

/// Windows that do not overlap: every input belongs to one of them at most, so its gradient is written once.
template <class T>
void max_backward_apart(const T* x, const T* dy, T* dx, const Extents& e, const PoolingGeometry& g) {
  const bool covered = g.window == g.stride && g.padding == 0 && e.h % g.window == 0 && e.w % g.window == 0;
  if (!covered) std::fill_n(dx, e.large(), T{});
  if (is_two_by_two(g)) return max_backward_two_by_two(x, dy, dx, e, g);
  for_each_window(e, g, [&](std::int64_t oy, std::int64_t ox, Range rows, Range columns) {
    for_each_vector(e.channels, [&](std::int64_t c, auto lanes) {
      const F32x16 gradient = load(dy + (oy * e.out_w + ox) * e.channels + c, lanes);
      for_each_winner(x, e, rows, columns, c, lanes, [&](std::int64_t offset, Mask16 mask) {
        store(dx + offset, select(mask, gradient, broadcast(0.0F)), lanes);
      });
    });
  });
}

/// Overlapping windows: gradients are added in FP32 in `sums`, one image, and rounded once.
template <class T>
void max_backward_overlapping(const T* x, const T* dy, T* dx, float* sums, const Extents& e, const PoolingGeometry& g) {
  std::fill_n(sums, e.large(), 0.0F);
  for_each_window(e, g, [&](std::int64_t oy, std::int64_t ox, Range rows, Range columns) {
    for_each_vector(e.channels, [&](std::int64_t c, auto lanes) {
      const F32x16 gradient = load(dy + (oy * e.out_w + ox) * e.channels + c, lanes);
      for_each_winner(x, e, rows, columns, c, lanes, [&](std::int64_t offset, Mask16 mask) {
        store(sums + offset, load(sums + offset, lanes) + select(mask, gradient, broadcast(0.0F)), lanes);
      });
    });
  });
  for_each_vector(e.large(), [&](std::int64_t i, auto lanes) { store(dx + i, load(sums + i, lanes), lanes); });
}

template <class T>
void average_forward(const T* x, T* y, const Extents& e, const PoolingGeometry& g) {
  const F32x16 area = broadcast(static_cast<float>(g.window * g.window));
  for_each_window(e, g, [&](std::int64_t oy, std::int64_t ox, Range rows, Range columns) {
    for_each_vector(e.channels, [&](std::int64_t c, auto lanes) {
      F32x16 total = broadcast(0.0F);
      for (std::int64_t iy = rows.begin; iy < rows.end; ++iy) {
        for (std::int64_t ix = columns.begin; ix < columns.end; ++ix) {
          total = total + load(x + (iy * e.w + ix) * e.channels + c, lanes);
        }
      }
      store(y + (oy * e.out_w + ox) * e.channels + c, total / area, lanes);
    });
  });
}

template <class T>
void average_backward(const T* dy, T* dx, const Extents& e, const PoolingGeometry& g) {
  const F32x16 area = broadcast(static_cast<float>(g.window * g.window));
  for (std::int64_t iy = 0; iy < e.h; ++iy) {
    const Range rows = outputs_of(g, iy, e.out_h);
    for (std::int64_t ix = 0; ix < e.w; ++ix) {
      const Range columns = outputs_of(g, ix, e.out_w);
      for_each_vector(e.channels, [&](std::int64_t c, auto lanes) {
        F32x16 total = broadcast(0.0F);
        for (std::int64_t oy = rows.begin; oy < rows.end; ++oy) {
          for (std::int64_t ox = columns.begin; ox < columns.end; ++ox) {
            total = total + load(dy + (oy * e.out_w + ox) * e.channels + c, lanes);
          }
        }
        store(dx + (iy * e.w + ix) * e.channels + c, total / area, lanes);
      });
    }
  }
}

}  // namespace

void max_pool_forward(Stream&, const MaxPoolForward& a) {
  const Extents e(a.x, a.y);
  with_compute_type(a.x.dtype(), [&]<class T>(T) {
    for (std::int64_t n = 0; n < e.n; ++n) {
      max_forward(a.x.data<T>() + n * e.large(), a.y.data<T>() + n * e.small(), e, a.geometry);
    }
  });
}

void max_pool_backward(Stream& stream, const MaxPoolBackward& a) {
  const Extents e(a.dx, a.dy);
  const bool overlapping = a.geometry.window > a.geometry.stride;
  float* sums = nullptr;
  if (overlapping) sums = static_cast<float*>(stream.workspace(static_cast<std::size_t>(e.large()) * sizeof(float)));
  with_compute_type(a.x.dtype(), [&]<class T>(T) {
    for (std::int64_t n = 0; n < e.n; ++n) {
      const T* x = a.x.data<T>() + n * e.large();
      const T* dy = a.dy.data<T>() + n * e.small();
      T* dx = a.dx.data<T>() + n * e.large();
      if (overlapping) {
        max_backward_overlapping(x, dy, dx, sums, e, a.geometry);
      } else {
        max_backward_apart(x, dy, dx, e, a.geometry);
      }
    }
  });
}

void average_pool_forward(Stream&, const AveragePoolForward& a) {
  const Extents e(a.x, a.y);
  with_compute_type(a.x.dtype(), [&]<class T>(T) {
    for (std::int64_t n = 0; n < e.n; ++n) {
      average_forward(a.x.data<T>() + n * e.large(), a.y.data<T>() + n * e.small(), e, a.geometry);
    }
  });
}

void average_pool_backward(Stream&, const AveragePoolBackward& a) {
  const Extents e(a.dx, a.dy);
  with_compute_type(a.dx.dtype(), [&]<class T>(T) {
    for (std::int64_t n = 0; n < e.n; ++n) {
      average_backward(a.dy.data<T>() + n * e.small(), a.dx.data<T>() + n * e.large(), e, a.geometry);
    }
  });
}

}  // namespace mpdist::kernels::cpu
