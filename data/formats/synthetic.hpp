// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

#include "data/dataset.hpp"

namespace mpdist::data {

/// Own keys of [data] format = "synthetic".
struct SyntheticOptions : Options {
  std::int64_t size = 4096, test_size = 1024;
  std::int64_t height = 28, width = 28, channels = 1, classes = 10;
  double noise = 0.5;
  void describe(Schema& schema) override;
};

/// Images that are computed whenever they are read: image i shows the pattern of class i % classes (kGrid x kGrid
/// patches a channel, uniform in [0, 1), keyed by seed and class) under noise keyed by seed, part and index:
///   (1 - noise) * pattern + noise * uniform
Datasets open_synthetic(const SyntheticOptions& options, std::uint64_t seed);

inline constexpr std::int64_t kGrid = 4;

}  // namespace mpdist::data
