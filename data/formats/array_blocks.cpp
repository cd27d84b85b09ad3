// SPDX-License-Identifier: Apache-2.0
#include "data/formats/array_blocks.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "src/core/error.hpp"
#include "src/core/half.hpp"

namespace mpdist::data {
namespace {

using hdf5::ElementType;

/// Calls f(load, size) where load(pointer) is the element there as its C++ type.
template <class T, class F>
void with_order(bool big_endian, F&& f) {
  if (!big_endian) {
    f([](const std::byte* at) {
      T value;
      std::memcpy(&value, at, sizeof value);
      return value;
    });
  } else {
    f([](const std::byte* at) {
      std::array<std::byte, sizeof(T)> bytes;
      std::reverse_copy(at, at + sizeof(T), bytes.begin());
      T value;
      std::memcpy(&value, bytes.data(), sizeof value);
      return value;
    });
  }
}

template <class F>
void with_loader(const ElementType& type, F&& f) {
  const bool big = type.big_endian;
  if (type.kind == ElementType::Kind::floating) {
    if (type.bytes == 2) {
      with_order<half>(big, [&](auto load) { f([load](const std::byte* at) { return to_float(load(at)); }); });
    } else {
      type.bytes == 4 ? with_order<float>(big, f) : with_order<double>(big, f);
    }
  } else if (type.kind == ElementType::Kind::signed_integer) {
    type.bytes == 1   ? with_order<std::int8_t>(big, f)
    : type.bytes == 2 ? with_order<std::int16_t>(big, f)
    : type.bytes == 4 ? with_order<std::int32_t>(big, f)
                      : with_order<std::int64_t>(big, f);
  } else {
    type.bytes == 1   ? with_order<std::uint8_t>(big, f)
    : type.bytes == 2 ? with_order<std::uint16_t>(big, f)
    : type.bytes == 4 ? with_order<std::uint32_t>(big, f)
                      : with_order<std::uint64_t>(big, f);
  }
}

/// HDF5's byte shuffle put the first bytes of all elements together, then the second ones, ...
void unshuffle(std::span<const std::byte> in, std::size_t element, std::span<std::byte> out) {
  const std::size_t count = in.size() / element;
  for (std::size_t byte = 0; byte < element; ++byte) {
    for (std::size_t i = 0; i < count; ++i) out[i * element + byte] = in[byte * count + i];
  }
}

Tensor byte_tensor(std::size_t bytes) {
  return {Shape{static_cast<std::int64_t>(bytes)}, DType::uint8, MemoryKind::data};
}

}  // namespace

std::span<std::byte> bytes_of(const Tensor& tensor) {
  return {static_cast<std::byte*>(tensor.raw()), tensor.bytes()};
}

ArrayBlocks::ArrayBlocks(const std::string& path, const std::string& name)
    : name_(name), array_(hdf5::Array::open(path, name)), file_(path) {
  through_library_ = array_.stored(0) == nullptr || !reads_as_library();
}

bool ArrayBlocks::reads_as_library() const {
  const Tensor library = read_through_library(0);  // throws where the block itself is damaged
  try {
    return std::ranges::equal(bytes_of(read_stored(*array_.stored(0), 0)), bytes_of(library));
  } catch (const FormatError&) {
    return false;
  }
}

std::int64_t ArrayBlocks::rows_of(std::int64_t block) const {
  return std::min(array_.block_rows(), array_.shape()[0] - block * array_.block_rows());
}

Tensor ArrayBlocks::read(std::int64_t block) const {
  return through_library_ ? read_through_library(block) : read_stored(*array_.stored(block), block);
}

Tensor ArrayBlocks::read_through_library(std::int64_t block) const {
  Tensor rows = byte_tensor(static_cast<std::size_t>(rows_of(block)) * array_.row_bytes());
  array_.read(block * array_.block_rows(), rows_of(block), bytes_of(rows));
  return rows;
}

Tensor ArrayBlocks::read_stored(const hdf5::StoredBlock& stored, std::int64_t block) const {
  const auto fail = [&](const std::string& problem) -> void {
    throw FormatError(file_.path(), fmt::format("{}, rows from {}", name_, block * array_.block_rows()), problem);
  };
  const std::size_t bytes = static_cast<std::size_t>(array_.block_rows()) * array_.row_bytes();
  Tensor current = byte_tensor(stored.bytes);
  file_.read(stored.offset, bytes_of(current));
  if (stored.deflated) {
    Tensor inflated = byte_tensor(bytes);
    uLongf found = bytes;
    const int code = uncompress(inflated.data<Bytef>(), &found, current.data<Bytef>(), stored.bytes);
    if (code != Z_OK) fail(fmt::format("expected deflated data of {} bytes, found damage", bytes));
    current = inflated.rows(0, static_cast<std::int64_t>(found));
  }
  if (current.bytes() != bytes) fail(fmt::format("expected {} bytes, found {}", bytes, current.bytes()));
  if (stored.shuffled && array_.type().bytes > 1) {
    const Tensor ordered = byte_tensor(bytes);
    unshuffle(bytes_of(current), array_.type().bytes, bytes_of(ordered));
    current = ordered;
  }
  return current.rows(0, rows_of(block) * static_cast<std::int64_t>(array_.row_bytes()));
}

void to_floats(const ElementType& type, std::span<const std::byte> elements, float scale, std::span<float> out) {
  require(elements.size() == out.size() * type.bytes, "{} bytes of {} into {} values", elements.size(), type.name(),
          out.size());
  with_loader(type, [&](auto load) {
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = static_cast<float>(load(elements.data() + i * type.bytes)) / scale;
    }
  });
}

double element_at(const ElementType& type, std::span<const std::byte> elements, std::size_t i) {
  double value = 0;
  with_loader(type, [&](auto load) { value = static_cast<double>(load(elements.data() + i * type.bytes)); });
  return value;
}

}  // namespace mpdist::data
