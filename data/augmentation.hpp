// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "src/core/philox.hpp"
#include "src/core/schema.hpp"
#include "src/core/shape.hpp"

namespace mpdist::data {

/// Keys of [data] that say how a raw image becomes network input: (x - mean) / std per channel; in training, with augment =
/// ["crop", "flip"], a crop at a random offset in the image padded by crop_padding zeros (after normalisation: the mean
/// colour), and a horizontal flip with probability 1/2. Draws are keyed by (seed, epoch, data index).
struct AugmentationOptions {
  std::vector<double> mean = {0.0};
  std::vector<double> std = {1.0};
  std::vector<std::string> augment = {};
  std::int64_t crop_padding = 2;
};

class Augmentation {
 public:
  Augmentation(const AugmentationOptions& options, Shape image, std::uint64_t seed);
  /// raw [h, w, c] -> out [h, w, c]; `training` applies the random part.
  void apply(std::span<const float> raw, std::span<float> out, std::int64_t epoch, std::int64_t index, bool training) const;

 private:
  AugmentationOptions options_;
  Shape image_;
  std::uint64_t seed_;
  bool crop_ = false, flip_ = false;
};

}  // namespace mpdist::data
