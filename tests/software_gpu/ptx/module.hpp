// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <vector_types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/software_gpu/core/operation.hpp"

namespace software_gpu {

struct Kernel;

struct LaunchLimits {
  std::size_t max_threads = 1024;  ///< a block, by __launch_bounds__
  std::size_t static_shared = 0;   ///< bytes
  std::size_t parameter_bytes = 0;
  std::size_t local_bytes = 0;  ///< a thread
  std::size_t registers = 0;    ///< an estimate, from the values that live together
};

/// Adds the kernels of a PTX text. `file` is for messages. A kernel that is already there stays as it is. Ends the
/// process with Status::unsupported, naming file and line, when the text cannot be read.
void load_module(const std::string& text, const std::string& file);

/// Null when absent. Its code is decoded on first use: unsupported instructions end the process then.
const Kernel* find_kernel(const std::string& mangled_name);

std::vector<std::size_t> parameter_sizes(const Kernel& kernel);
LaunchLimits limits(const Kernel& kernel);
/// "adamw_step_kernel" of a mangled name, for reports.
std::string readable_name(const std::string& mangled_name);

/// Runs all blocks, in random order, one after the other; warps of a block take turns at random. Defects are reported.
/// `arguments` are the values of the parameters, each as long as parameter_sizes says.
void run_kernel(Operation& operation, const Kernel& kernel, dim3 grid, dim3 block, std::size_t dynamic_shared,
                const std::vector<std::vector<std::byte>>& arguments);

/// By all launches of this process so far.
std::uint64_t executed_warp_instructions();

}  // namespace software_gpu
