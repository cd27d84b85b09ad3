// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>

#include "tests/software_gpu/ptx/builder.hpp"

namespace software_gpu::ptx {

// Instruction::option of sums with carry.
inline constexpr std::uint32_t kCarryIn = 1, kCarryOut = 2, kSubtract = 4, kHigh = 8;

/// Binds a sum, difference, or product and sum (four operands) of 32 or 64 bits that reads or writes CC.CF, which is
/// one flag a lane, kept as the predicate at kCarry.
void bind_carry(Builder& builder, std::uint32_t option, std::size_t operand_count);

}  // namespace software_gpu::ptx
