// SPDX-License-Identifier: Apache-2.0
#include "data/writers.hpp"

#include <algorithm>
#include <cmath>

#include "src/core/error.hpp"

namespace mpdist::data {

const std::vector<Writer>& writers() {
  static const std::vector<Writer> table = {
      {.name = "hdf5", .folder = false, .write = write_hdf5},
      {.name = "idx", .folder = true, .write = write_idx},
      {.name = "images", .folder = true, .write = write_images},
  };
  return table;
}

bool to_bytes(std::span<const float> values, std::span<std::uint8_t> out) {
  bool exact = true;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float nearest = std::round(255.0f * std::clamp(values[i], 0.0f, 1.0f));
    out[i] = static_cast<std::uint8_t>(std::isnan(nearest) ? 0.0f : nearest);
    exact = exact && values[i] == static_cast<float>(out[i]) / 255.0f;
  }
  return exact;
}

bool all_bytes(const Datasets& sets) {
  for (const Dataset* part : {sets.train.get(), sets.test.get()}) {
    std::vector<float> image(static_cast<std::size_t>(part->image_shape().elements()));
    std::vector<std::uint8_t> bytes(image.size());
    for (std::int64_t i = 0; i < part->size(); ++i) {
      part->read(i, image);
      if (!to_bytes(image, bytes)) return false;
    }
  }
  return true;
}

void require_byte_options(const Datasets& sets, const WriteOptions& options, const std::string& what) {
  if (options.chunk || options.deflate) throw UsageError("--chunk and --deflate belong to --to hdf5 alone");
  if (options.type == "fp32") throw UsageError(fmt::format("--type fp32: {} hold bytes; convert to hdf5", what));
  if (options.type == "auto" && !all_bytes(sets)) {
    throw UsageError(
        fmt::format("{} hold bytes, and some values of these images are none: round them with --type uint8, "
                    "or convert to hdf5",
                    what));
  }
}

}  // namespace mpdist::data
