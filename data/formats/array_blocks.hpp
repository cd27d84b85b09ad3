// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <span>
#include <string>

#include "data/formats/data_file.hpp"
#include "src/core/tensor.hpp"
#include "src/hdf5/array.hpp"

namespace mpdist::data {

/// Reads an HDF5 array by blocks: blocks that lie in one piece with pread and zlib, without HDF5's global lock, others
/// through HDF5. Safe from several threads.
class ArrayBlocks {
 public:
  /// Reads the first block both ways; where they differ or the own one fails, all is read through HDF5.
  ArrayBlocks(const std::string& path, const std::string& name);

  const hdf5::Array& array() const { return array_; }
  std::int64_t rows_of(std::int64_t block) const;
  /// The rows of a block in the file's element type: [rows * row_bytes] uint8. Throws FormatError.
  Tensor read(std::int64_t block) const;

 private:
  bool reads_as_library() const;
  Tensor read_through_library(std::int64_t block) const;
  Tensor read_stored(const hdf5::StoredBlock& stored, std::int64_t block) const;

  std::string name_;
  hdf5::Array array_;
  DataFile file_;
  bool through_library_ = false;
};

/// The memory of a tensor.
std::span<std::byte> bytes_of(const Tensor& tensor);

/// elements[i] as FP32 (to nearest), divided by `scale`.
void to_floats(const hdf5::ElementType& type, std::span<const std::byte> elements, float scale, std::span<float> out);

/// Element `i` as a double; exact for integers below 2^53.
double element_at(const hdf5::ElementType& type, std::span<const std::byte> elements, std::size_t i);

}  // namespace mpdist::data
