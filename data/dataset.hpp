// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "src/core/schema.hpp"
#include "src/core/shape.hpp"

namespace mpdist::data {

/// How images lie in a file that is read by blocks (chunks of HDF5): block i is images [i*rows, (i+1)*rows), the last
/// may be shorter. `mixed` blocks at a time are shuffled together, so that each is read once an epoch.
struct Blocks {
  std::int64_t rows = 1;  ///< 1: every image can be read alone, and all are shuffled
  std::int64_t mixed = 1;
};

/// Labelled images of one size. Reading is safe from several threads at once. All ranks see the same data set.
class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual std::int64_t size() const = 0;
  virtual Shape image_shape() const = 0;  ///< [height, width, channels]
  virtual std::int64_t classes() const = 0;
  virtual Blocks blocks() const { return {}; }
  /// Writes image `index` as height*width*channels raw values; bytes are scaled to [0, 1].
  virtual void read(std::int64_t index, std::span<float> image) const = 0;
  virtual std::int32_t label(std::int64_t index) const = 0;
  /// Names, shapes, types, sizes, all labels and 64 keyed sample blocks: equal digests mean equal data for the start-up
  /// check.
  virtual std::uint64_t digest() const = 0;
  /// At most so many bytes of the pool (MemoryKind::data) may be held between reads, beside what is held after opening.
  virtual std::int64_t cache_bytes() const { return 0; }
};

/// The training and the test part of one [data] table.
struct Datasets {
  std::unique_ptr<Dataset> train, test;
};

}  // namespace mpdist::data
