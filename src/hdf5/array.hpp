// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "src/core/shape.hpp"

namespace mpdist::hdf5 {

/// What the elements of an array are: integers or IEEE floats of any width that HDF5 knows natively.
struct ElementType {
  enum class Kind : unsigned char { unsigned_integer, signed_integer, floating };
  Kind kind = Kind::unsigned_integer;
  std::size_t bytes = 1;  ///< 1, 2, 4, 8; floats 2, 4, 8
  bool big_endian = false;
  std::string name() const;  ///< "uint8", "float32", "int16 (big endian)"
  bool operator==(const ElementType&) const = default;
};

/// A block of an array as it lies in the file, to be read and decoded without HDF5 (and its global lock).
struct StoredBlock {
  std::uint64_t offset = 0;  ///< from the start of the file, in bytes
  std::uint64_t bytes = 0;
  bool shuffled = false;  ///< HDF5's byte shuffle was applied
  bool deflated = false;  ///< then zlib's deflate
};

/// Shape, type and layout of an array [n, ...] for reading, by blocks of rows. Safe from several threads.
class Array {
 public:
  /// Opens a dataset ("train/images") of an HDF5 file. Throws FormatError where the file is none, is cut short, or the
  /// dataset's type or rank cannot be read; UsageError where file or dataset are missing, naming those that are there.
  static Array open(const std::string& path, const std::string& name);
  Array(Array&&) noexcept;
  Array& operator=(Array&&) noexcept;
  ~Array();

  const Shape& shape() const;
  const ElementType& type() const;
  /// Rows of a block: those of a chunk, else 1.
  std::int64_t block_rows() const;
  /// Where the rows [block*block_rows, ...) lie in one piece (the last block of a chunked array is stored at its full
  /// length). Null where they do not: several chunks a block, other filters, no storage yet; or are not
  /// known: chunks of a file with a user block, more than 2000 of them. Then `read` reads them.
  const StoredBlock* stored(std::int64_t block) const;
  /// Reads rows [first, first+rows) through HDF5, in the file's element type; `out` holds rows*row_bytes() bytes.
  /// Throws FormatError.
  void read(std::int64_t first, std::int64_t rows, std::span<std::byte> out) const;
  /// Bytes of one row.
  std::size_t row_bytes() const;

 private:
  struct Impl;
  explicit Array(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace mpdist::hdf5
