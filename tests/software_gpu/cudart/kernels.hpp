// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <string>

#include "tests/software_gpu/ptx/module.hpp"

namespace software_gpu {

/// A kernel that the program's host code has registered.
struct RegisteredKernel {
  std::string mangled_name;
  std::string name;                             ///< for reports: without namespaces and arguments
  const Kernel* kernel = nullptr;               ///< found in the PTX at first use
  std::size_t dynamic_shared_limit = 48 << 10;  ///< cudaFuncAttributeMaxDynamicSharedMemorySize
};

/// The kernel of a host function, with its PTX loaded; null when the host function was never registered. A kernel that
/// no file of SOFTWARE_GPU_PTX has ends the process (Status::unsupported).
RegisteredKernel* find_registered(const void* host_function);

}  // namespace software_gpu
