// SPDX-License-Identifier: Apache-2.0
#pragma once
// The passes of a batch norm over a tile that a convolution is about to read or has just written.
#include <algorithm>
#include <limits>

#include "kernels/cpu/tile_passes.hpp"

namespace mpdist::kernels::cpu {

/// Rows of few channels seen as shorter rows of more columns, so that narrow layers fill four vectors too: [rows,
/// channels] is [rows/fold, fold*channels]. `rows` is that of one image, so that every tile folds alike.
struct Folding {
  Folding(std::int64_t rows, std::int64_t channel_count) : channels(channel_count) {
    while (2 * fold * channels <= 4 * kLanes && rows % (2 * fold) == 0) fold *= 2;
  }
  std::int64_t width() const { return fold * channels; }
  std::int64_t padded() const { return (width() + kLanes - 1) / kLanes * kLanes; }  ///< whole vectors

  /// columns[fold, channels] = per_channel, over and over.
  void repeat(const float* per_channel, float* columns) const {
    for (std::int64_t i = 0; i < width(); ++i) columns[i] = per_channel[i % channels];
  }
  /// The sum of a channel over its columns, in their order.
  double total(const double* columns, std::int64_t channel) const {
    double sum = 0;
    for (std::int64_t i = 0; i < fold; ++i) sum += columns[i * channels + channel];
    return sum;
  }

  std::int64_t channels, fold = 1;
};

/// A tile as these passes see it.
struct TileExtent {
  std::int64_t rows, width;
  TileExtent(const Folding& folding, std::int64_t elements)
      : rows(elements / folding.width()), width(folding.width()) {}
};

inline constexpr std::int64_t kBlockRows = 64;  ///< rows summed in FP32 before they join the FP64 sum

inline void add_to(double* sum, F32x16 part) {
  store(sum, load(sum) + widen(part));
}

/// Calls body.operator()<kVectors>(first column, lanes) for blocks of columns.
template <class Body>
void for_each_columns(std::int64_t width, Body&& body) {
  std::int64_t c = 0;
  for (; c + 4 * kLanes <= width; c += 4 * kLanes) body.template operator()<4>(c, AllLanes{});
  for (; c + kLanes <= width; c += kLanes) body.template operator()<1>(c, AllLanes{});
  if (c < width) body.template operator()<1>(c, FirstLanes{width - c});
}

/// How often for_each_columns calls.
inline std::int64_t blocks_of_columns(std::int64_t width) {
  return width / (4 * kLanes) + (width % (4 * kLanes) + kLanes - 1) / kLanes;
}

/// The value that a store to T and a load from it leave. Where both are wanted, store the exact value: the compiler
/// then rounds once.
template <class T>
inline F32x16 rounded(F32x16 a) {
  if constexpr (std::is_same_v<T, float>) {
    return a;
  } else if constexpr (std::is_same_v<T, bfloat16>) {
    return float_of_bits(shift_left<16>(bfloat16_bits(a)));
  } else {
    alignas(64) T buffer[kLanes];
    store(buffer, a);
    return load(buffer);
  }
}

/// y = activation(x*scale + shift + residual), see NormApply; wide = y as FP32 (null: not wanted). Channel arrays are
/// repeated over the columns; residual and its arrays are null where there is none.
template <class T>
struct ApplyPass {
  const T *x, *residual;
  const float *scale, *shift, *residual_scale, *residual_shift;
  T* y;
  float* wide;
  bool relu;

  void run(TileExtent tile) const {
    if (!residual) return with_residual<0>(tile);
    residual_scale ? with_residual<2>(tile) : with_residual<1>(tile);
  }

 private:
  template <int kResidual>
  void with_residual(TileExtent tile) const {
    for_each_columns(tile.width, [&]<int kVectors>(std::int64_t first, auto lanes) {
      columns<kResidual, kVectors>(tile, first, lanes);
    });
  }

  template <int kResidual, int kVectors, class Lanes>
  void columns(TileExtent tile, std::int64_t first, Lanes lanes) const {
    const F32x16 least = broadcast(relu ? 0.0F : -std::numeric_limits<float>::infinity());
    F32x16 a[kVectors], b[kVectors], c[kVectors], d[kVectors];
    for (int k = 0; k < kVectors; ++k) {
      const std::int64_t column = first + k * kLanes;
      a[k] = load(scale + column, lanes), b[k] = load(shift + column, lanes);
      if constexpr (kResidual == 2) {
        c[k] = load(residual_scale + column, lanes), d[k] = load(residual_shift + column, lanes);
      }
    }
    for (std::int64_t r = 0; r < tile.rows; ++r) {
      for (int k = 0; k < kVectors; ++k) {
        const std::int64_t i = r * tile.width + first + k * kLanes;
        F32x16 value = fma(load(x + i, lanes), a[k], b[k]);
        if constexpr (kResidual == 1) value = value + load(residual + i, lanes);
        if constexpr (kResidual == 2) value = value + rounded<T>(fma(load(residual + i, lanes), c[k], d[k]));
        value = max(least, value);  // the second operand, a NaN too, where they do not compare
        store(y + i, value, lanes);
        if constexpr (!std::is_same_v<T, float>) {
          if (wide) store(wide + i, rounded<T>(value), lanes);
        }
      }
    }
  }
};

/// z = from rounded; sums[0][column] += sum(z - centre), sums[1][column] += sum((z - centre)^2).
template <class T, class From>
struct StatisticsPass {
  const From* from;
  T* z;
  const float* centre;
  double* sums[2];

  void run(TileExtent tile) const {
    for_each_columns(tile.width, [&]<int kVectors>(std::int64_t first, auto lanes) {
      for (std::int64_t begin = 0; begin < tile.rows; begin += kBlockRows) {
        block<kVectors>(tile, begin, first, lanes);
      }
    });
  }

 private:
  template <int kVectors, class Lanes>
  void block(TileExtent tile, std::int64_t begin, std::int64_t first, Lanes lanes) const {
    F32x16 middle[kVectors], sum[kVectors], squares[kVectors];
    for (int k = 0; k < kVectors; ++k) {
      middle[k] = load(centre + first + k * kLanes, lanes);
      sum[k] = squares[k] = broadcast(0.0F);
    }
    const std::int64_t end = std::min(begin + kBlockRows, tile.rows);
    for (std::int64_t r = begin; r < end; ++r) {
      for (int k = 0; k < kVectors; ++k) {
        const std::int64_t i = r * tile.width + first + k * kLanes;
        F32x16 value = load(from + i, lanes);
        store(z + i, value, lanes);
        if constexpr (!std::is_same_v<T, From>) value = rounded<T>(value);
        const F32x16 distance = value - middle[k];
        sum[k] = sum[k] + distance;
        squares[k] = fma(distance, distance, squares[k]);
      }
    }
    for (int k = 0; k < kVectors; ++k) {
      add_to(sums[0] + first + k * kLanes, sum[k]);
      add_to(sums[1] + first + k * kLanes, squares[k]);
    }
  }
};

/// Asks the memory for `bytes` from `next` on, spread evenly over `steps` calls: what a convolution is about to read
/// arrives while a pass before it computes.
struct Prefetch {
  const char* next = nullptr;
  std::int64_t bytes = 0, steps = 1, due = 0;
  void step() {
    for (due += bytes; due >= kLine * steps; due -= kLine * steps, next += kLine) __builtin_prefetch(next, 0, 2);
  }
  static constexpr std::int64_t kLine = 64;
};

/// dz = a*g + (b*(z - mean) + c), rounded to T: as T in `dz` (null: not wanted), as the plans read it in `operand`.
template <class T, class Operand>
struct NormBackwardPass {
  const T *g, *z;
  const float *mean, *a, *b, *c;
  T* dz;
  Operand* operand;
  const T* next;  ///< what is read next, so many elements
  std::int64_t next_elements;

  void run(TileExtent tile) const {
    Prefetch prefetch{reinterpret_cast<const char*>(next), next_elements * static_cast<std::int64_t>(sizeof(T)),
                      tile.rows * blocks_of_columns(tile.width)};
    for_each_columns(tile.width, [&]<int kVectors>(std::int64_t first, auto lanes) {
      columns<kVectors>(tile, first, lanes, prefetch);
    });
  }

 private:
  template <int kVectors, class Lanes>
  void columns(TileExtent tile, std::int64_t first, Lanes lanes, Prefetch& prefetch) const {
    F32x16 centre[kVectors], va[kVectors], vb[kVectors], vc[kVectors];
    for (int k = 0; k < kVectors; ++k) {
      const std::int64_t column = first + k * kLanes;
      centre[k] = load(mean + column, lanes), va[k] = load(a + column, lanes);
      vb[k] = load(b + column, lanes), vc[k] = load(c + column, lanes);
    }
    for (std::int64_t r = 0; r < tile.rows; ++r) {
      prefetch.step();
      for (int k = 0; k < kVectors; ++k) {
        const std::int64_t i = r * tile.width + first + k * kLanes;
        const F32x16 inner = fma(vb[k], load(z + i, lanes) - centre[k], vc[k]);
        const F32x16 value = fma(va[k], load(g + i, lanes), inner);
        if constexpr (std::is_same_v<T, Operand>) {
          store(operand + i, value, lanes);
        } else {
          store(operand + i, rounded<T>(value), lanes);
        }
        if (dz) store(dz + i, value, lanes);
      }
    }
  }
};

/// g = from + more where y > 0, rounded to T; sums[0] += sum(g), sums[1+j] += sum(g * (z[j] - mean[j])). `more`, `y`,
/// and the arrays of norms are null where there is none; sums are left alone without a norm.
template <class T, class From>
struct GradientPass {
  const From* from;
  const T *more, *y;
  const T* z[2];
  const float* mean[2];
  double* sums[3];
  T* g;

  void run(TileExtent tile) const { more ? with_more<true>(tile) : with_more<false>(tile); }

 private:
  template <bool kMore>
  void with_more(TileExtent tile) const {
    y ? with_mask<kMore, true>(tile) : with_mask<kMore, false>(tile);
  }
  template <bool kMore, bool kMask>
  void with_mask(TileExtent tile) const {
    if (!z[0]) return with_norms<kMore, kMask, 0>(tile);
    z[1] ? with_norms<kMore, kMask, 2>(tile) : with_norms<kMore, kMask, 1>(tile);
  }
  template <bool kMore, bool kMask, int kNorms>
  void with_norms(TileExtent tile) const {
    for_each_columns(tile.width, [&]<int kVectors>(std::int64_t first, auto lanes) {
      for (std::int64_t begin = 0; begin < tile.rows; begin += kBlockRows) {
        block<kMore, kMask, kNorms, kVectors>(tile, begin, first, lanes);
      }
    });
  }

  template <bool kMore, bool kMask, int kNorms, int kVectors, class Lanes>
  void block(TileExtent tile, std::int64_t begin, std::int64_t first, Lanes lanes) const {
    F32x16 sum[1 + kNorms][kVectors], centre[2][kVectors];
    for (int k = 0; k < kVectors; ++k) {
      for (auto& s : sum) s[k] = broadcast(0.0F);
      for (int j = 0; j < kNorms; ++j) centre[j][k] = load(mean[j] + first + k * kLanes, lanes);
    }
    const std::int64_t end = std::min(begin + kBlockRows, tile.rows);
    for (std::int64_t r = begin; r < end; ++r) {
      for (int k = 0; k < kVectors; ++k) {
        const std::int64_t i = r * tile.width + first + k * kLanes;
        F32x16 value = load(from + i, lanes);
        if constexpr (kMore) value = value + load(more + i, lanes);
        if constexpr (kMask) value = select(greater(load(y + i, lanes), broadcast(0.0F)), value, broadcast(0.0F));
        store(g + i, value, lanes);
        value = rounded<T>(value);
        if constexpr (kNorms > 0) sum[0][k] = sum[0][k] + value;
        for (int j = 0; j < kNorms; ++j) {
          sum[1 + j][k] = fma(value, load(z[j] + i, lanes) - centre[j][k], sum[1 + j][k]);
        }
      }
    }
    if constexpr (kNorms == 0) return;
    for (int k = 0; k < kVectors; ++k) {
      for (int j = 0; j < 1 + kNorms; ++j) add_to(sums[j] + first + k * kLanes, sum[j][k]);
    }
  }
};

}  // namespace mpdist::kernels::cpu
