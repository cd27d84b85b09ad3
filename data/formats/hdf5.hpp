// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>

#include "data/dataset.hpp"

namespace mpdist::data {

/// Own keys of [data] format = "hdf5".
struct Hdf5Options : Options {
  std::string test_path;  ///< file of the test part; empty: the same file
  std::string train_images = "train/images", train_labels = "train/labels";
  std::string test_images = "test/images", test_labels = "test/labels";
  double scale = 0;          ///< raw values are divided by it; 0: by what is 1 in the type (uint8 255, uint16 65535)
  std::int64_t classes = 0;  ///< 0: one more than the largest training label
  std::int64_t mixed_chunks = 16;
  void describe(Schema& schema) override;
};

/// Images [n, h, w, c] or [n, h, w] and labels [n] of an HDF5 file, integers or floats of any width. Labels are read at
/// the start, images when they are wanted: an array in one piece image by image, a chunked one chunk by chunk, of which
/// the sampler mixes `mixed_chunks` at a time (Dataset::blocks), so that each is read once an epoch. Kept in memory are
/// 4 * mixed_chunks decoded chunks. Throws UsageError where file, dataset or key are missing or do not fit, FormatError
/// where the file is not what it should be.
Datasets open_hdf5(const Hdf5Options& options, const std::string& path);

}  // namespace mpdist::data
