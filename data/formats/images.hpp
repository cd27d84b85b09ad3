// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>

#include "data/dataset.hpp"

namespace mpdist::data {

/// Own keys of [data] format = "images".
struct ImagesOptions : Options {
  std::int64_t size = 32;     ///< height and width of what the network sees
  std::int64_t resize = 0;    ///< shorter side after resizing, before the middle is cut out; 0: size
  std::int64_t channels = 3;  ///< or 1: grey
  std::string train = "train";
  std::string test;  ///< empty: "test" where there is such a folder, else "val"
  void describe(Schema& schema) override;
};

/// A folder per class: <folder>/train/<class>/*.jpg and *.png, <folder>/test/<class>/... Classes are numbered in the
/// order of their names (as bytes), images stand by class and name; files with other endings and hidden ones are left
/// out. At the start every file is looked at (size, first and last bytes; decoded where it does not end as it should);
/// pixels are decoded and resampled (`Resampler`) when they are read. Throws UsageError where folders are missing,
/// FormatError where classes differ or a file is no whole image.
Datasets open_images(const ImagesOptions& options, const std::string& folder);

}  // namespace mpdist::data
