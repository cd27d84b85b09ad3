// SPDX-License-Identifier: Apache-2.0
#pragma once
// Passes over a tile that a matrix product is about to read or has just written, so that it is still in cache.
#include <algorithm>
#include <cstdint>

#include "kernels/cpu/vector.hpp"

namespace mpdist::kernels::cpu {

/// wide[rows, columns] = narrow as FP32; the rows of `narrow` are `leading` elements apart.
template <class T>
void widen(const T* narrow, std::int64_t leading, std::int64_t rows, std::int64_t columns, float* wide) {
  for (std::int64_t r = 0; r < rows; ++r, narrow += leading, wide += columns) {
    for_each_vector(columns, [&](std::int64_t i, auto lanes) { store(wide + i, load(narrow + i, lanes), lanes); });
  }
}

template <class T>
void widen(const T* narrow, std::int64_t elements, float* wide) {
  widen(narrow, elements, 1, elements, wide);
}

/// max(x, 0) that keeps NaN, which oneDNN's own ReLU turns into 0.
inline F32x16 rectify(F32x16 x) {
  return max(broadcast(0.0F), x);
}

/// narrow = wide rounded once, after ReLU where asked; the rows of `narrow` are `leading` elements apart.
template <class T>
void narrow(const float* wide, std::int64_t rows, std::int64_t columns, T* narrow, std::int64_t leading, bool relu) {
  for (std::int64_t r = 0; r < rows; ++r, wide += columns, narrow += leading) {
    for_each_vector(columns, [&](std::int64_t i, auto lanes) {
      const F32x16 x = load(wide + i, lanes);
      store(narrow + i, relu ? rectify(x) : x, lanes);
    });
  }
}

/// to = max(from, 0), NaN kept.
template <class T>
void rectify(const T* from, T* to, std::int64_t elements) {
  for_each_vector(elements, [&](std::int64_t i, auto lanes) { store(to + i, rectify(load(from + i, lanes)), lanes); });
}

/// The transpose of 16 vectors, in registers.
inline void transpose(U32x16 (&a)[kLanes]) {
  U32x16 column[4][4];  // column[j][g]: in its quarter q, elements 4g to 4g+3 of column 4q+j
  for (int g = 0; g < 4; ++g) {
    U32x16 fours[4] = {a[4 * g], a[4 * g + 1], a[4 * g + 2], a[4 * g + 3]};
    transpose_fours(fours);
    for (int j = 0; j < 4; ++j) column[j][g] = fours[j];
  }
  for (int j = 0; j < 4; ++j) {
    transpose_quarters(column[j]);
    for (int q = 0; q < 4; ++q) a[4 * q + j] = column[j][q];
  }
}

/// wide[columns, rows] = narrow[rows, columns]^T as FP32. `wide` is written in whole blocks of 16 x 16: wide_leading
/// and its number of rows are multiples of 16.
template <class T>
void widen_transposed(const T* narrow, std::int64_t rows, std::int64_t columns, float* wide,
                      std::int64_t wide_leading) {
  for_each_vector(columns, [&](std::int64_t c, auto lanes) {
    for (std::int64_t r = 0; r < rows; r += kLanes) {
      U32x16 block[kLanes];
      const std::int64_t count = std::min(kLanes, rows - r);
      for (std::int64_t i = 0; i < count; ++i) block[i] = bits_of(load(narrow + (r + i) * columns + c, lanes));
      for (std::int64_t i = count; i < kLanes; ++i) block[i] = broadcast(0U);
      transpose(block);
      for (std::int64_t i = 0; i < kLanes; ++i) store(wide + (c + i) * wide_leading + r, float_of_bits(block[i]));
    }
  });
}

/// to[rows, columns] = from[columns, rows]^T + bias[columns], after ReLU where asked, rounded once. `from` is read in
/// whole blocks of 16 x 16: from_leading and its number of rows are multiples of 16.
template <class T>
struct TransposedStore {
  const float* from;
  std::int64_t from_leading;
  const float* bias;
  T* to;
  std::int64_t to_leading, rows, columns;
  bool relu;

  void run() const {
    for_each_vector(columns, [&](std::int64_t c, auto lanes) {
      const F32x16 offset = load(bias + c, lanes);
      for (std::int64_t r = 0; r < rows; r += kLanes) {
        U32x16 block[kLanes];
        for (int i = 0; i < kLanes; ++i) block[i] = bits_of(load(from + (c + i) * from_leading + r));
        transpose(block);
        const std::int64_t count = std::min(kLanes, rows - r);
        for (std::int64_t i = 0; i < count; ++i) {
          const F32x16 x = float_of_bits(block[i]) + offset;
          store(to + (r + i) * to_leading + c, relu ? rectify(x) : x, lanes);
        }
      }
    });
  }
};

/// sum += part, element by element.
inline void add_to(float* sum, const float* part, std::int64_t elements) {
  for_each_vector(elements, [&](std::int64_t i, auto lanes) {
    store(sum + i, load(sum + i, lanes) + load(part + i, lanes), lanes);
  });
}

/// The start of a backward pass on g [rows, channels]: g = 0 where not y > 0 (`y` null: as it is); wide = g as FP32
/// (null: not wanted); dbias[channel] += sum over the tile's rows, top to bottom in FP32 (null: not wanted).
template <class T>
struct GradientTile {
  T* g;
  const T* y;
  float* wide;
  float* dbias;
  std::int64_t rows, channels;

  void run() const {
    if (!y && !wide && !dbias) return;
    std::int64_t c = 0;
    for (; c + 4 * kLanes <= channels; c += 4 * kLanes) columns<4>(c, AllLanes{});
    for (; c + kLanes <= channels; c += kLanes) columns<1>(c, AllLanes{});
    if (c < channels) columns<1>(c, FirstLanes{channels - c});
  }

 private:
  template <int kVectors, class Lanes>
  void columns(std::int64_t first, Lanes lanes) const {
    F32x16 sums[kVectors];
    for (F32x16& sum : sums) sum = broadcast(0.0F);
    for (std::int64_t r = 0; r < rows; ++r) {
      for (int k = 0; k < kVectors; ++k) {
        const std::int64_t i = r * channels + first + k * kLanes;
        F32x16 x = load(g + i, lanes);
        if (y) {
          x = select(greater(load(y + i, lanes), broadcast(0.0F)), x, broadcast(0.0F));
          store(g + i, x, lanes);
        }
        if (wide) store(wide + i, x, lanes);
        sums[k] = sums[k] + x;
      }
    }
    if (!dbias) return;
    for (int k = 0; k < kVectors; ++k) {
      float* to = dbias + first + k * kLanes;
      store(to, load(to, lanes) + sums[k], lanes);
    }
  }
};

}  // namespace mpdist::kernels::cpu
