// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>

namespace mpdist::hdf5 {

/// The bytes of a file that is written by HDF5 in memory; what was never written takes no memory and reads as zeros. So
/// the structure of a large file can be made with its datasets' space allocated and left empty, and no disk can refuse
/// it: HDF5 1.10 crashes when a disk refuses what it has cached.
class SparseMemory {
 public:
  std::uint64_t size() const { return size_; }
  void resize(std::uint64_t size) { size_ = size; }  ///< never below what was written
  void write(std::uint64_t offset, const void* data, std::size_t bytes);
  void read(std::uint64_t offset, void* data, std::size_t bytes) const;

 private:
  static constexpr std::size_t kBlockBytes = 4096;
  std::map<std::uint64_t, std::array<std::byte, kBlockBytes>> blocks_;  ///< by offset / kBlockBytes
  std::uint64_t size_ = 0;
};

}  // namespace mpdist::hdf5
