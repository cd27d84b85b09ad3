// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "src/core/half.hpp"

namespace mpdist::kernels::cpu {

/// Where a blocked layout keeps the weights of a convolution: element (o, h, w, i) lies at
/// out_offset[o] + h*height_stride + w*width_stride + in_offset[i], in elements. Plain weights are [out, height, width,
/// in]. Blocks of 16 x 16 are moved in registers, which is several times as fast as oneDNN's own reorders (measured).
class WeightLayout {
 public:
  std::int64_t out = 0, in = 0, height = 0, width = 0;
  std::int64_t height_stride = 0, width_stride = 0;
  std::size_t element_bytes = 4;
  std::vector<std::int64_t> out_offset, in_offset;

  /// What is contiguous in a block. In the last two, neighbours of the other extent alternate, as BF16 instructions
  /// want.
  enum class Order : unsigned char { unknown, out_inner, in_inner, in_pairs, out_pairs };
  /// Set by classify(); `unknown` where pack and unpack below cannot be used.
  Order order = Order::unknown;
  void classify();
  /// Of the weights without padding.
  std::size_t bytes() const { return static_cast<std::size_t>(out * in * height * width) * element_bytes; }

  void pack(const float* plain, float* packed) const;
  void pack(const half* plain, float* packed) const;      ///< widened on the way
  void pack(const bfloat16* plain, float* packed) const;  ///< widened on the way
  void pack(const bfloat16* plain, bfloat16* packed) const;
  void unpack(const float* packed, float* plain) const;

 private:
  template <class T>
  void pack_wide(const T* plain, float* packed) const;
  std::int64_t place(std::int64_t o, std::int64_t i) const {
    return out_offset[static_cast<std::size_t>(o)] + in_offset[static_cast<std::size_t>(i)];
  }
};

}  // namespace mpdist::kernels::cpu
