// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

namespace software_gpu::ptx {

// Instruction::option of barriers; source 0: number, 1: threads or kNone, 2: predicate of a reduction or kNone.
inline constexpr std::uint32_t kBarrierArrive = 1;   ///< does not wait
inline constexpr std::uint32_t kBarrierNegated = 2;  ///< the predicate counts negated
inline constexpr std::uint32_t kBarrierAligned = 8;  ///< all threads of the warp must execute it together
inline constexpr std::uint32_t kBarrierCount = 16;   ///< bar.red.popc
inline constexpr std::uint32_t kBarrierAnd = 32;
inline constexpr std::uint32_t kBarrierOr = 64;

}  // namespace software_gpu::ptx
