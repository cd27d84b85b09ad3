// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>

#include "data/dataset.hpp"

namespace mpdist::data {

/// Own keys of [data] format = "idx".
struct IdxOptions : Options {
  std::int64_t classes = 0;  ///< 0: one more than the largest training label
  void describe(Schema& schema) override;
};

/// The IDX format of MNIST (LeCun, "The MNIST database"): big-endian magic (0x803 images, 0x801 labels), extents,
/// bytes. `folder` holds train-images-idx3-ubyte, train-labels-idx1-ubyte and the same with t10k, plain or with .gz;
/// all is kept in memory as bytes. Throws UsageError where folder or files are missing, FormatError where a file is not
/// what it should be.
Datasets open_idx(const IdxOptions& options, const std::string& folder);

}  // namespace mpdist::data
