// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>

#include "data/writers.hpp"
#include "src/core/error.hpp"
#include "src/hdf5/file.hpp"

namespace mpdist::data {
namespace {

constexpr std::int64_t kDefaultChunk = 64;

/// HDF5 cannot be trusted with a disk that fills up (src/hdf5/README.md), so there must be room before it begins.
void require_room(const Datasets& sets, const std::string& path, std::size_t element_bytes) {
  std::uintmax_t needed = 1 << 20;
  for (const Dataset* part : {sets.train.get(), sets.test.get()}) {
    const std::int64_t elements = part->size() * part->image_shape().elements();
    needed += static_cast<std::uintmax_t>(elements) * element_bytes + static_cast<std::uintmax_t>(part->size()) * 4;
  }
  std::error_code unknown;
  const std::filesystem::space_info space = std::filesystem::space(std::filesystem::path(path).parent_path(), unknown);
  if (unknown || space.available >= needed) return;
  throw UsageError(fmt::format("{}: expected room for {} MiB (before compression), found {} MiB", path, needed >> 20,
                               space.available >> 20));
}

void write_part(const Dataset& part, hdf5::Group group, bool bytes, const WriteOptions& options) {
  const Shape image = part.image_shape();
  const std::int64_t n = part.size(), elements = image.elements();
  const std::int64_t chunk = std::min(n, options.chunk.value_or(kDefaultChunk));
  hdf5::Dataset images =
      group.create_dataset("images", {n, image[0], image[1], image[2]}, bytes ? DType::uint8 : DType::fp32,
                           {.rows = chunk, .deflate = options.deflate.value_or(0)});
  std::vector<float> values(static_cast<std::size_t>(chunk * elements));
  std::vector<std::uint8_t> rounded(bytes ? values.size() : 0);
  for (std::int64_t first = 0; first < n; first += chunk) {
    const std::int64_t rows = std::min(chunk, n - first);
    const std::span<float> found = std::span(values).first(static_cast<std::size_t>(rows * elements));
    for (std::int64_t i = 0; i < rows; ++i) {
      part.read(first + i, found.subspan(static_cast<std::size_t>(i * elements), static_cast<std::size_t>(elements)));
    }
    if (bytes) to_bytes(found, rounded);
    images.write_rows(first, rows, bytes ? static_cast<const void*>(rounded.data()) : values.data());
  }
  std::vector<std::int32_t> labels;
  for (std::int64_t i = 0; i < n; ++i) labels.push_back(part.label(i));
  group.create_dataset("labels", {n}, DType::int32).write(labels.data());
}

}  // namespace

void write_hdf5(const Datasets& sets, const std::string& path, const WriteOptions& options) {
  const bool bytes = options.type == "uint8" || (options.type == "auto" && all_bytes(sets));
  require_room(sets, path, bytes ? 1 : 4);
  hdf5::File file = hdf5::File::create(path);
  write_part(*sets.train, file.root().create_group("train"), bytes, options);
  write_part(*sets.test, file.root().create_group("test"), bytes, options);
  file.close();
}

}  // namespace mpdist::data
