// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tests/software_gpu/ptx/kernel.hpp"

namespace software_gpu::ptx {

class Block;

/// Lanes of a warp that are at the same instruction.
struct Group {
  std::uint32_t pc = 0;
  Mask lanes = 0;
  bool patient = false;  ///< waits until other lanes get here, or cannot
};

/// 32 threads, or the fewer that the last warp of a block has, with their registers.
class Warp {
 public:
  Warp(Block& owner, int number, std::byte* register_file) : block(owner), index(number), registers(register_file) {}

  template <class T>
  T* lanes(std::uint32_t offset) const {
    return reinterpret_cast<T*>(__builtin_assume_aligned(registers + offset, 64));
  }
  Mask& predicate(std::uint32_t offset) const { return *reinterpret_cast<Mask*>(registers + offset); }
  void set_predicate(std::uint32_t offset, Mask value, Mask lanes_written) const {
    Mask& old = predicate(offset);
    old = (old & ~lanes_written) | (value & lanes_written);
  }

  Block& block;
  int index;
  Mask started = 0;  ///< lanes that have a thread
  Mask alive = 0;
  Mask parked = 0;                     ///< at a barrier
  std::vector<Group> groups;           ///< neither parked nor gone; lowest pc first
  std::uint32_t pc = 0;                ///< of the instruction in execution
  std::uint32_t synchronisations = 0;  ///< of the warp since the last barrier of the block
  std::uint32_t interval = 0;          ///< see races.hpp
  bool interval_stale = false;

 private:
  std::byte* registers;
};

}  // namespace software_gpu::ptx
