// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "data/formats/picture.hpp"

namespace mpdist::data {

/// Resizes pictures so that the shorter side has `shorter` pixels (the longer one in proportion, rounded down) and cuts
/// the middle `size` x `size` out: bilinear with antialiasing (a triangle of 2 * max(1, reduction) source pixels around
/// the centre of each target pixel, its weights normalised), horizontally and then vertically, all in FP32 without
/// rounding to bytes in between. Values end in [0, 1]. At reduction 1 every byte b is b / 255 exactly. One thread at a
/// time.
class Resampler {
 public:
  /// Throws InvalidArgument unless 1 <= size <= shorter.
  Resampler(std::int64_t shorter, std::int64_t size);
  /// `out` is [size, size, channels of the picture].
  void apply(const Picture& picture, std::span<float> out);

 private:
  /// The weights of one axis: target pixel i is the sum over j of weights[i * taps + j] * source[first[i] + j].
  struct Axis {
    std::int64_t source = 0, resized = 0;  ///< lengths
    std::int64_t taps = 0;
    std::vector<std::int64_t> first;
    std::vector<float> weights;
  };
  void prepare(Axis& axis, std::int64_t source, std::int64_t resized) const;
  void rows_across(const Picture& picture, std::int64_t begin, std::int64_t end);

  std::int64_t shorter_, size_;
  Axis across_, down_;
  std::vector<float> rows_;  ///< [source rows that are needed, size, channels]
};

}  // namespace mpdist::data
