// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>

#include "src/core/stream.hpp"

namespace mpdist::kernels {

inline std::size_t float_bytes(std::int64_t elements) {
  return static_cast<std::size_t>(elements) * sizeof(float);
}

/// Divides a stream's workspace: reserve() everything, then open(), then at(). Parts are aligned to 64 bytes, or what
/// is asked for beyond that.
class Scratch {
 public:
  std::size_t reserve(std::size_t bytes, std::size_t alignment = 64) {
    const std::size_t offset = (bytes_ + alignment - 1) / alignment * alignment;
    bytes_ = offset + (bytes + 63) / 64 * 64;
    return offset;
  }
  void open(Stream& stream) { base_ = static_cast<std::byte*>(stream.workspace(bytes_)); }
  float* floats(std::size_t offset) const { return reinterpret_cast<float*>(base_ + offset); }
  void* at(std::size_t offset) const { return base_ + offset; }

 private:
  std::size_t bytes_ = 0;
  std::byte* base_ = nullptr;
};

}  // namespace mpdist::kernels
