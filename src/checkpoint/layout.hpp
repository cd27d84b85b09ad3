// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "src/checkpoint/checkpoint.hpp"
#include "src/hdf5/sparse_memory.hpp"

namespace mpdist::checkpoint {

/// A checkpoint file from its first byte on:
///   [0, 512)    user block, text padded with zeros (`head -3` shows it):
///                 "mpdist checkpoint 1\nlength <bytes from 512 on>\ncrc32c <8 hex digits over them>\n"
///   [512, end)  an HDF5 file: each NamedTensor is the contiguous little-endian FP32 dataset of its path, with the
///   integer
///               attribute "crc32c" over its elements; each scalar "group/name" is the attribute `name` of the group.
inline constexpr std::uint64_t kUserBlockBytes = 512;
inline constexpr std::size_t kSlabBytes = std::size_t{8} << 20;
inline constexpr char kCrcAttribute[] = "crc32c";

/// The user block of a file whose rest has this length and CRC32C.
std::array<char, kUserBlockBytes> user_block(std::uint64_t length, std::uint32_t crc);

/// Where the elements of a tensor lie in the file.
struct TensorExtent {
  std::uint64_t offset = 0;
  const NamedTensor* tensor = nullptr;
};

/// A file but for user block and elements, whose places are empty; in memory, of which it takes little.
struct Layout {
  hdf5::SparseMemory file;
  std::vector<TensorExtent> extents;  ///< in file order; tensors without elements have none
};
Layout make_layout(const Checkpoint& checkpoint);

}  // namespace mpdist::checkpoint
