// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>

namespace software_gpu {

/// Adds to a count that SOFTWARE_GPU_STATISTICS=1 prints at exit: `software GPU: statistics: <what>: <count>`.
void count(const std::string& what, std::uint64_t amount = 1);

/// Prints all counts, by name.
void print_statistics();

}  // namespace software_gpu
