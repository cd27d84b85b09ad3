// SPDX-License-Identifier: Apache-2.0
#include "src/hdf5/sparse_memory.hpp"

#include <algorithm>
#include <cstring>

namespace mpdist::hdf5 {

void SparseMemory::write(std::uint64_t offset, const void* data, std::size_t bytes) {
  const auto* next = static_cast<const std::byte*>(data);
  size_ = std::max(size_, offset + bytes);
  while (bytes > 0) {
    const std::size_t within = offset % kBlockBytes, part = std::min(bytes, kBlockBytes - within);
    std::memcpy(blocks_[offset / kBlockBytes].data() + within, next, part);
    next += part;
    offset += part;
    bytes -= part;
  }
}

void SparseMemory::read(std::uint64_t offset, void* data, std::size_t bytes) const {
  auto* next = static_cast<std::byte*>(data);
  while (bytes > 0) {
    const std::size_t within = offset % kBlockBytes, part = std::min(bytes, kBlockBytes - within);
    if (const auto block = blocks_.find(offset / kBlockBytes); block != blocks_.end()) {
      std::memcpy(next, block->second.data() + within, part);
    } else {
      std::memset(next, 0, part);
    }
    next += part;
    offset += part;
    bytes -= part;
  }
}

}  // namespace mpdist::hdf5
