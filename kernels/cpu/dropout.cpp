// SPDX-License-Identifier: Apache-2.0
#include "kernels/dropout.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/cpu/vector.hpp"

namespace mpdist::kernels::cpu {
namespace {

constexpr std::int64_t kBatch = 4 * kLanes;  // elements drawn at a time: sixteen counters of four words

/// The words of elements 4*first_group .. 4*first_group+63 of one item, in the order of the elements:
/// RandomKey::words() for sixteen groups at once.
void draw(const RandomKey& key, std::uint64_t item, std::uint64_t first_group, U32x16 (&words)[4]) {
  // Lane 4L+k carries group 4k+L, so that transposing fours leaves elements 16k.. in words[k].
  static constexpr std::uint32_t kGroups[kLanes] = {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
  const auto [key0, key1] = key.key();
  const std::uint32_t high =
      static_cast<std::uint32_t>(item >> 32) ^ static_cast<std::uint32_t>((first_group >> 32) << 16);
  U32x16 c0 = load(kGroups) + broadcast(static_cast<std::uint32_t>(first_group));
  U32x16 c1 = broadcast(static_cast<std::uint32_t>(item));
  U32x16 c2 = broadcast(high);
  U32x16 c3 = broadcast(key.time);
  U32x16 k0 = broadcast(key0), k1 = broadcast(key1);
  for (int round = 0; round < 10; ++round) {
    U32x16 high0, low0, high1, low1;
    multiply_wide(c0, broadcast(0xD2511F53u), high0, low0);
    multiply_wide(c2, broadcast(0xCD9E8D57u), high1, low1);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 = k0 + broadcast(0x9E3779B9u);
    k1 = k1 + broadcast(0xBB67AE85u);
  }
  words[0] = c0;
  words[1] = c1;
  words[2] = c2;
  words[3] = c3;
  transpose_fours(words);
}

template <class T>
void drop_row(const T* x, T* y, std::int64_t elements, const Dropout& a, std::uint64_t item) {
  // uniform(word) >= p  <=>  (word >> 8) >= p * 2^24, whose right side is exact in FP32.
  const auto threshold = static_cast<std::uint32_t>(std::ceil(a.probability * 0x1p24F));
  const U32x16 below = broadcast(threshold - 1);
  const F32x16 scale = broadcast(1.0F / (1.0F - a.probability));
  for (std::int64_t base = 0; base < elements; base += kBatch) {
    U32x16 words[4];
    draw(a.key, item, static_cast<std::uint64_t>(base / 4), words);
    const std::int64_t here = std::min(kBatch, elements - base);
    for_each_vector(here, [&](std::int64_t i, auto lanes) {
      const Mask16 keep = greater_signed(shift_right<8>(words[i / kLanes]), below);
      store(y + base + i, select(keep, load(x + base + i, lanes) * scale, broadcast(0.0F)), lanes);
    });
  }
}

}  // namespace

void dropout(Stream&, const Dropout& a) {
  with_compute_type(a.x.dtype(), [&]<class T>(T) {
    const std::int64_t rows = a.x.shape()[0];
    const std::int64_t elements = rows ? a.x.elements() / rows : 0;
    for (std::int64_t row = 0; row < rows; ++row) {
      drop_row(a.x.data<T>() + row * elements, a.y.data<T>() + row * elements, elements, a,
               a.first_item + static_cast<std::uint64_t>(row));
    }
  });
}

}  // namespace mpdist::kernels::cpu
