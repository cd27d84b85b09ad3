// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/cpu/vector.hpp"
#include "kernels/digest.hpp"

namespace mpdist::kernels::cpu {

/// Sums mix(bits, index) over consecutive elements, sixteen at a time.
class DigestLanes {
 public:
  explicit DigestLanes(std::uint64_t first_index) {
    std::uint64_t place[kLanes];
    for (std::int64_t i = 0; i < kLanes; ++i) place[i] = kMixStride * (first_index + static_cast<std::uint64_t>(i) + 1);
    place_ = load(place);
  }

  /// The next sixteen elements.
  void add(U32x16 bits) {
    U64x16 x = zero_extend(bits) + place_;
    x = (x ^ shift_right<30>(x)) * broadcast64(kMixMultiplier1);
    x = (x ^ shift_right<27>(x)) * broadcast64(kMixMultiplier2);
    total_ = total_ + (x ^ shift_right<31>(x));
    place_ = place_ + broadcast64(kMixStride * kLanes);
  }

  std::uint64_t total() const {
    std::uint64_t lane[kLanes];
    store(lane, total_);
    return sum_tree(lane);
  }

 private:
  U64x16 place_;
  U64x16 total_ = broadcast64(std::uint64_t{0});
};

/// The bits of an element, as digests see them.
template <class T>
inline std::uint64_t bits_for_digest(T value) {
  if constexpr (sizeof(T) == 8) {
    return std::bit_cast<std::uint64_t>(value);
  } else if constexpr (sizeof(T) == 4) {
    return std::bit_cast<std::uint32_t>(value);
  } else if constexpr (sizeof(T) == 2) {
    return std::bit_cast<std::uint16_t>(value);
  } else {
    return value;
  }
}

}  // namespace mpdist::kernels::cpu
