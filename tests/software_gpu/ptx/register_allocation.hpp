// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <vector>

#include "tests/software_gpu/ptx/syntax.hpp"

namespace software_gpu::ptx {

/// Bytes of a register for 32 lanes; a predicate is one mask.
std::uint32_t register_bytes(Type type);

/// Gives each register of a function a byte offset from `first` on, such that registers which are never needed at the
/// same time may share one (linear scan, Poletto & Sarkar 1999). nvcc's code has a
/// register for every value, so this is what keeps a warp's registers in the cache. Raises `end` to what is used.
std::vector<std::uint32_t> allocate_registers(const Function& function, std::uint32_t first, std::uint32_t& end);

}  // namespace software_gpu::ptx
