// SPDX-License-Identifier: Apache-2.0
#include <filesystem>

#include "data/formats/picture.hpp"
#include "data/writers.hpp"
#include "src/core/error.hpp"

namespace mpdist::data {
namespace {

/// With zeros in front, so that names sort as the numbers up to `count`.
std::string numbered(std::int64_t number, std::int64_t count) {
  return fmt::format("{:0{}}", number, fmt::format("{}", count - 1).size());
}

void write_part(const Dataset& part, const std::filesystem::path& folder) {
  const Shape shape = part.image_shape();
  for (std::int64_t label = 0; label < part.classes(); ++label) {
    std::filesystem::create_directories(folder / numbered(label, part.classes()));
  }
  std::vector<float> image(static_cast<std::size_t>(shape.elements()));
  std::vector<std::uint8_t> bytes(image.size());
  for (std::int64_t i = 0; i < part.size(); ++i) {
    part.read(i, image);
    to_bytes(image, bytes);
    const std::filesystem::path of_class = folder / numbered(part.label(i), part.classes());
    write_png((of_class / (numbered(i, part.size()) + ".png")).string(), shape[0], shape[1], shape[2], bytes);
  }
}

}  // namespace

void write_images(const Datasets& sets, const std::string& folder, const WriteOptions& options) {
  const Shape shape = sets.train->image_shape();
  if (shape[2] != 1 && shape[2] != 3) {
    throw UsageError(fmt::format("PNG files hold 1 or 3 channels, found {}; convert to hdf5", shape[2]));
  }
  require_byte_options(sets, options, "PNG files");
  write_part(*sets.train, std::filesystem::path(folder) / "train");
  write_part(*sets.test, std::filesystem::path(folder) / "test");
}

}  // namespace mpdist::data
