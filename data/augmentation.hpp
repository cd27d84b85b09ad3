// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "src/core/shape.hpp"

namespace mpdist::data {

/// Keys of [data] that say how a raw image becomes network input: (x - mean) / std per channel; in training, with
/// augment =
/// ["crop", "flip"], a crop at a random offset in the image padded by crop_padding zeros (after normalisation: the mean
/// colour), then a horizontal flip with probability 1/2. Draws are keyed by (seed, epoch, data index).
struct AugmentationOptions {
  std::vector<double> mean = {0.0};  ///< one value for all channels, or one each
  std::vector<double> std = {1.0};
  std::vector<std::string> augment = {};
  std::int64_t crop_padding = 2;
};

/// Immutable, so one object serves every thread.
class Augmentation {
 public:
  /// `image` is [height, width, channels]. Throws UsageError, naming the key, where the options do not fit it.
  Augmentation(const AugmentationOptions& options, Shape image, std::uint64_t seed);

  /// raw [h, w, c] -> out [h, w, c], not overlapping; `training` applies the random part.
  void apply(std::span<const float> raw, std::span<float> out, std::int64_t epoch, std::int64_t index,
             bool training) const;

  const Shape& image() const { return image_; }

 private:
  /// Where the window over the padded image lies, relative to the image, and whether it is mirrored.
  struct Draw {
    std::int64_t down = 0, right = 0;
    bool flip = false;
  };
  Draw draw(std::int64_t epoch, std::int64_t index) const;
  void write_row(const float* raw, float* out, const Draw& draw) const;

  Shape image_;
  std::uint64_t seed_;
  bool crop_ = false, flip_ = false;
  std::int64_t crop_padding_;
  std::vector<float> mean_, std_;  ///< [w*c]: the channels' values repeated over a row, so that rows need no inner loop
};

}  // namespace mpdist::data
