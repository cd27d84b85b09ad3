// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>

namespace software_gpu {

/// The device that is imitated: compute capability 8.0 as the CUDA C++ Programming Guide has it (table "Technical
/// Specifications per Compute Capability"), with few multiprocessors, so that grids sized by their number stay small.
/// Clocks and bus are those of no device; nothing here says anything of speed.
inline constexpr int kComputeMajor = 8, kComputeMinor = 0;
inline constexpr int kMultiprocessors = 4;
inline constexpr int kThreadsPerBlock = 1024;
inline constexpr int kBlockLimit[3] = {1024, 1024, 64};
inline constexpr int kGridLimit[3] = {2147483647, 65535, 65535};
inline constexpr int kThreadsPerMultiprocessor = 2048;
inline constexpr int kBlocksPerMultiprocessor = 32;
inline constexpr int kRegisters = 65536;
inline constexpr std::size_t kSharedPerBlock = 48 << 10;
inline constexpr std::size_t kSharedPerBlockOptIn = 163 << 10;
inline constexpr std::size_t kSharedPerMultiprocessor = 164 << 10;
inline constexpr std::size_t kSharedReservedPerBlock = 1 << 10;
inline constexpr int kL2Bytes = 4 << 20;
inline constexpr int kMemoryBusBits = 256;
inline constexpr int kClockKiloHertz = 1'000'000, kMemoryClockKiloHertz = 1'000'000;
inline constexpr int kGreatestPriority = -5;

}  // namespace software_gpu
