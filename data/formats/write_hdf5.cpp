// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>

#include "data/writers.hpp"
#include "src/core/error.hpp"
#include "src/hdf5/file.hpp"

namespace mpdist::data {
namespace {

constexpr std::int64_t kDefaultChunk = 64;

constexpr std::uint64_t kLargestChunk = 0xFFFFFFFF;  ///< in bytes, of HDF5
constexpr std::uint64_t kIndexEntry = 128;           ///< of a chunk, in a tree whose nodes are at least half full

std::int64_t chunk_rows(const Dataset& part, const WriteOptions& options) {
  return std::min(part.size(), options.chunk.value_or(kDefaultChunk));
}

/// Bytes of an image as it is written. Throws UsageError where HDF5 takes no chunk of that length.
std::uint64_t image_bytes(const Dataset& part, std::size_t element_bytes, const WriteOptions& options) {
  const std::uint64_t bytes = static_cast<std::uint64_t>(part.image_shape().elements()) * element_bytes;
  const std::uint64_t most = kLargestChunk / bytes;
  if (most == 0) throw UsageError(fmt::format("hdf5 holds chunks below 4 GiB, found images of {} bytes", bytes));
  if (static_cast<std::uint64_t>(chunk_rows(part, options)) > most) {
    throw UsageError(fmt::format("--chunk {}: expected chunks below 4 GiB: at most --chunk {} for images of {} bytes",
                                 chunk_rows(part, options), most, bytes));
  }
  return bytes;
}

/// HDF5 cannot be trusted with a disk that fills up (src/hdf5/README.md), so there must be room before it begins. The
/// last chunk is stored at its full length.
void require_room(const Datasets& sets, const std::string& path, std::size_t element_bytes,
                  const WriteOptions& options) {
  std::uint64_t needed = 1 << 20;
  for (const Dataset* part : {sets.train.get(), sets.test.get()}) {
    const auto rows = static_cast<std::uint64_t>(chunk_rows(*part, options));
    const auto size = static_cast<std::uint64_t>(part->size()), chunks = (size + rows - 1) / rows;
    needed += chunks * (rows * image_bytes(*part, element_bytes, options) + kIndexEntry) + size * sizeof(std::int32_t);
  }
  std::error_code unknown;
  const std::filesystem::path folder = std::filesystem::absolute(path, unknown).parent_path();
  const std::filesystem::space_info space = std::filesystem::space(folder, unknown);
  if (unknown || space.available >= needed) return;
  throw UsageError(fmt::format("{}: expected room for {} MiB (before compression), found {} MiB", path, needed >> 20,
                               space.available >> 20));
}

void write_part(const Dataset& part, hdf5::Group group, bool bytes, const WriteOptions& options) {
  const Shape image = part.image_shape();
  const std::int64_t n = part.size(), elements = image.elements();
  const std::int64_t chunk = chunk_rows(part, options);
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
  require_room(sets, path, bytes ? 1 : 4, options);
  hdf5::File file = hdf5::File::create(path);
  write_part(*sets.train, file.root().create_group("train"), bytes, options);
  write_part(*sets.test, file.root().create_group("test"), bytes, options);
  file.close();
}

}  // namespace mpdist::data
