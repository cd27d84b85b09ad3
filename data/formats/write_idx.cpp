// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

#include "data/writers.hpp"
#include "src/core/error.hpp"

namespace mpdist::data {
namespace {

/// A file of the format: big-endian magic and extents, then bytes.
class IdxFile {
 public:
  IdxFile(std::string path, std::initializer_list<std::int64_t> extents)
      : path_(std::move(path)), file_(path_, std::ios::binary) {
    write_field(0x800 + static_cast<std::int64_t>(extents.size()));
    for (std::int64_t extent : extents) write_field(extent);
  }
  void write(std::span<const std::uint8_t> bytes) {
    file_.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  void close() {
    file_.close();
    if (!file_) throw LibraryError("libstdc++", "write " + path_, "the disk is full or cannot be written");
  }

 private:
  void write_field(std::int64_t value) {
    const std::array<std::uint8_t, 4> bytes = {static_cast<std::uint8_t>(value >> 24),
                                               static_cast<std::uint8_t>(value >> 16),
                                               static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)};
    write(bytes);
  }
  std::string path_;
  std::ofstream file_;
};

void write_part(const Dataset& part, const std::string& prefix) {
  const Shape shape = part.image_shape();
  IdxFile images(prefix + "-images-idx3-ubyte", {part.size(), shape[0], shape[1]});
  IdxFile labels(prefix + "-labels-idx1-ubyte", {part.size()});
  std::vector<float> image(static_cast<std::size_t>(shape.elements()));
  std::vector<std::uint8_t> bytes(image.size());
  for (std::int64_t i = 0; i < part.size(); ++i) {
    part.read(i, image);
    to_bytes(image, bytes);
    images.write(bytes);
    const auto label = static_cast<std::uint8_t>(part.label(i));
    labels.write({&label, 1});
  }
  images.close();
  labels.close();
}

}  // namespace

void write_idx(const Datasets& sets, const std::string& folder, const WriteOptions& options) {
  if (sets.train->image_shape()[2] != 1) {
    throw UsageError(fmt::format("idx files hold images of 1 channel, found {}; convert to hdf5 or images",
                                 sets.train->image_shape()[2]));
  }
  if (sets.train->classes() > 256) {
    throw UsageError(
        fmt::format("idx files hold labels up to 255, found {} classes; convert to hdf5", sets.train->classes()));
  }
  require_byte_options(sets, options, "idx files");
  write_part(*sets.train, (std::filesystem::path(folder) / "train").string());
  write_part(*sets.test, (std::filesystem::path(folder) / "t10k").string());
}

}  // namespace mpdist::data
