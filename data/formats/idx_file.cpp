// SPDX-License-Identifier: Apache-2.0
#include "data/formats/idx_file.hpp"

#include <array>

#include "data/formats/byte_source.hpp"

namespace mpdist::data {
namespace {

/// Reads a big-endian 32-bit field of the header.
std::uint32_t read_field(ByteSource& source, const std::string& path, const std::string& field) {
  std::array<std::uint8_t, 4> bytes{};
  const std::size_t count = source.read(bytes);
  if (count != bytes.size()) {
    throw FormatError(path, field, fmt::format("expected 4 bytes, found {}: the file is cut short", count));
  }
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 | bytes[3];
}

Shape read_extents(ByteSource& source, const std::string& path, int rank) {
  Shape extents;
  std::uint64_t product = 1;
  for (int i = 0; i < rank; ++i) {
    const std::string field = i == 0 ? "number of items" : i == 1 ? "height" : "width";
    const std::uint32_t extent = read_field(source, path, field);
    if (extent == 0 || extent > 0x7fffffffu) {
      throw FormatError(path, field, fmt::format("expected 1 to 2147483647, found {}", extent));
    }
    if (product > source.most_bytes() / extent) {
      throw FormatError(path, field,
                        fmt::format("expected extents that fit a file that holds at most {} bytes, found {}",
                                    source.most_bytes(), extent));
    }
    product *= extent;
    extents.append(extent);
  }
  return extents;
}

}  // namespace

Tensor read_idx_file(const std::string& path, int rank) {
  const auto source = ByteSource::open(path);
  const std::uint32_t expected = 0x800u + static_cast<std::uint32_t>(rank);  // unsigned bytes, `rank` extents
  const std::uint32_t magic = read_field(*source, path, "magic number");
  if (magic != expected) {
    throw FormatError(path, "magic number", fmt::format("expected {:#010x}, found {:#010x}", expected, magic));
  }
  Tensor values(read_extents(*source, path, rank), DType::uint8, MemoryKind::data);
  const std::size_t count = source->read(values.span<std::uint8_t>());
  if (count != values.bytes()) {
    throw FormatError(path, "values",
                      fmt::format("expected {} bytes for extents {}, found {}: the file is cut short", values.bytes(),
                                  values.shape().to_string(), count));
  }
  std::uint8_t extra = 0;
  if (source->read({&extra, 1}) != 0) {  // this call also verifies the checksum of compressed data
    throw FormatError(
        path, "values",
        fmt::format("expected {} bytes for extents {}, found more", values.bytes(), values.shape().to_string()));
  }
  return values;
}

}  // namespace mpdist::data
