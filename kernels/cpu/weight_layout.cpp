// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/weight_layout.hpp"

#include <cstring>

#include "kernels/cpu/tile_passes.hpp"
#include "src/core/error.hpp"

namespace mpdist::kernels::cpu {
namespace {

/// Offsets grow by `step` within each 16.
bool steps_by(const std::vector<std::int64_t>& offsets, std::int64_t step) {
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    const std::size_t first = i / kLanes * kLanes;
    if (offsets[i] != offsets[first] + static_cast<std::int64_t>(i - first) * step) return false;
  }
  return true;
}

/// The second of each two follows the first.
bool in_pairs(const std::vector<std::int64_t>& offsets) {
  for (std::size_t i = 0; i < offsets.size(); i += 2) {
    if (offsets[i + 1] != offsets[i] + 1) return false;
  }
  return true;
}

/// Calls block(plain index of its first element, packed index without the parts of out and in, first out, first in).
template <class Block>
void for_each_block(const WeightLayout& layout, Block&& block) {
  for (std::int64_t o = 0; o < layout.out; o += kLanes) {
    for (std::int64_t h = 0; h < layout.height; ++h) {
      for (std::int64_t w = 0; w < layout.width; ++w) {
        const std::int64_t plain = ((o * layout.height + h) * layout.width + w) * layout.in;
        const std::int64_t packed = h * layout.height_stride + w * layout.width_stride;
        for (std::int64_t i = 0; i < layout.in; i += kLanes) block(plain + i, packed, o, i);
      }
    }
  }
}

const std::uint32_t* words(const float* p) {
  return reinterpret_cast<const std::uint32_t*>(p);
}

void store_words(std::uint32_t* p, U32x16 a) {
  store(reinterpret_cast<float*>(p), float_of_bits(a));
}

}  // namespace

void WeightLayout::classify() {
  order = Order::unknown;
  if (out % kLanes != 0 || in % kLanes != 0) return;
  if (steps_by(out_offset, 1)) {
    order = Order::out_inner;
  } else if (steps_by(in_offset, 1)) {
    order = Order::in_inner;
  } else if (steps_by(out_offset, 2) && in_pairs(in_offset)) {
    order = Order::in_pairs;
  } else if (steps_by(in_offset, 2) && in_pairs(out_offset)) {
    order = Order::out_pairs;
  }
}

template <class T>
void WeightLayout::pack_wide(const T* plain, float* packed) const {
  require(order == Order::out_inner || order == Order::in_inner, "weight layout: not one of FP32");
  const std::int64_t row = height * width * in;
  const bool turned = order == Order::out_inner;
  for_each_block(*this, [&](std::int64_t from, std::int64_t to, std::int64_t o, std::int64_t i) {
    U32x16 block[kLanes];
    for (std::int64_t k = 0; k < kLanes; ++k) block[k] = bits_of(load(plain + from + k * row));
    if (turned) transpose(block);
    for (std::int64_t k = 0; k < kLanes; ++k) {
      store(packed + to + (turned ? place(o, i + k) : place(o + k, i)), float_of_bits(block[k]));
    }
  });
}

void WeightLayout::pack(const float* plain, float* packed) const {
  pack_wide(plain, packed);
}
void WeightLayout::pack(const half* plain, float* packed) const {
  pack_wide(plain, packed);
}
void WeightLayout::pack(const bfloat16* plain, float* packed) const {
  pack_wide(plain, packed);
}

void WeightLayout::unpack(const float* packed, float* plain) const {
  require(order == Order::out_inner || order == Order::in_inner, "weight layout: not one of FP32");
  const std::int64_t row = height * width * in;
  const bool turned = order == Order::out_inner;
  for_each_block(*this, [&](std::int64_t to, std::int64_t from, std::int64_t o, std::int64_t i) {
    U32x16 block[kLanes];
    for (std::int64_t k = 0; k < kLanes; ++k) {
      block[k] = load(words(packed + from + (turned ? place(o, i + k) : place(o + k, i))));
    }
    if (turned) transpose(block);
    for (std::int64_t k = 0; k < kLanes; ++k) store(plain + to + k * row, float_of_bits(block[k]));
  });
}

void WeightLayout::pack(const bfloat16* plain, bfloat16* packed) const {
  require(order == Order::in_pairs || order == Order::out_pairs, "weight layout: not one of BF16");
  const std::int64_t row = height * width * in;
  const auto* bits = reinterpret_cast<const std::uint16_t*>(plain);
  for_each_block(*this, [&](std::int64_t from, std::int64_t to, std::int64_t o, std::int64_t i) {
    const auto target = [&](std::int64_t out_index, std::int64_t in_index) {
      return reinterpret_cast<std::uint32_t*>(packed + to + place(out_index, in_index));
    };
    if (order == Order::out_pairs) {
      for (std::int64_t k = 0; k < kLanes; k += 2) {
        const U32x16 first = load(bits + from + k * row), second = load(bits + from + (k + 1) * row);
        store_words(target(o + k, i), first | shift_left<16>(second));
      }
      return;
    }
    U32x16 block[kLanes];  // two neighbours of a row are a word: 8 words of each of 16 rows
    for (std::int64_t k = 0; k < kLanes; ++k) {
      alignas(64) std::uint32_t word[kLanes] = {};
      std::memcpy(word, bits + from + k * row, kLanes * sizeof(std::uint16_t));
      block[k] = load(word);
    }
    transpose(block);
    for (std::int64_t k = 0; k < kLanes / 2; ++k) store_words(target(o, i + 2 * k), block[k]);
  });
}

}  // namespace mpdist::kernels::cpu
