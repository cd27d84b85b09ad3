// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "tests/software_gpu/cudart/api.hpp"
#include "tests/software_gpu/cudart/kernels.hpp"
#include "tests/software_gpu/cudart/limits.hpp"

namespace software_gpu {
namespace {

struct LaunchConfiguration {
  dim3 grid, block;
  std::size_t dynamic_shared;
  cudaStream_t stream;
};
thread_local std::vector<LaunchConfiguration> pushed;

std::string text(dim3 d) {
  return "(" + std::to_string(d.x) + ", " + std::to_string(d.y) + ", " + std::to_string(d.z) + ")";
}

bool within(dim3 d, const int (&limit)[3]) {
  const auto fits = [](unsigned value, int most) { return value >= 1 && value <= static_cast<unsigned>(most); };
  return fits(d.x, limit[0]) && fits(d.y, limit[1]) && fits(d.z, limit[2]);
}

/// What is wrong with a launch, empty when nothing is.
std::string refusal(const RegisteredKernel& k, const LaunchConfiguration& c) {
  if (!within(c.grid, kGridLimit)) return "grid " + text(c.grid);
  const std::uint64_t threads = std::uint64_t{c.block.x} * c.block.y * c.block.z;
  if (!within(c.block, kBlockLimit) || threads > kThreadsPerBlock) return "block " + text(c.block);
  const LaunchLimits limit = limits(*k.kernel);
  if (threads > limit.max_threads)
    return "block " + text(c.block) + ", where the kernel's launch bounds allow " + std::to_string(limit.max_threads);
  if (c.dynamic_shared > k.dynamic_shared_limit)
    return std::to_string(c.dynamic_shared) + " bytes of dynamic shared memory, where the kernel's attribute allows " +
           std::to_string(k.dynamic_shared_limit);
  const std::size_t most = std::max(kSharedPerBlock, k.dynamic_shared_limit);
  if (c.dynamic_shared + limit.static_shared > most)
    return std::to_string(c.dynamic_shared + limit.static_shared) + " bytes of shared memory";
  return "";
}

cudaError_t launch(const void* function, const LaunchConfiguration& c, void** arguments) {
  const RegisteredKernel* const k = find_registered(function);
  if (k == nullptr)
    return misuse("invalid-handle", "launch of a function that is no kernel", cudaErrorInvalidDeviceFunction);
  CUstream_st* const stream = Scheduler::instance().resolve(c.stream, k->name);
  if (stream == nullptr) return cudaErrorInvalidResourceHandle;
  if (stream->device != current_device())
    return misuse("wrong-device",
                  k->name + " is launched on " + stream->describe() + " of device " + std::to_string(stream->device) +
                      " while device " + std::to_string(current_device()) + " is current",
                  cudaErrorInvalidResourceHandle);
  if (const std::string why = refusal(*k, c); !why.empty())
    return misuse("launch-configuration", k->name + ": " + why, cudaErrorInvalidConfiguration);
  std::vector<std::vector<std::byte>> values;
  for (const std::size_t bytes : parameter_sizes(*k->kernel)) {
    const auto* const value = static_cast<const std::byte*>(arguments[values.size()]);
    values.emplace_back(value, value + bytes);
  }
  enqueue(*stream, k->name, [kernel = k->kernel, c, values = std::move(values)](Operation& operation) {
    run_kernel(operation, *kernel, c.grid, c.block, c.dynamic_shared, values);
  });
  return cudaSuccess;
}

/// Resident blocks by threads and shared memory. Registers are known only once ptxas has allotted them.
int resident_blocks(const RegisteredKernel& k, int block, std::size_t dynamic_shared) {
  const LaunchLimits limit = limits(*k.kernel);
  if (static_cast<std::size_t>(block) > limit.max_threads) return 0;
  const int threads = (block + 31) / 32 * 32;
  const std::size_t shared = limit.static_shared + dynamic_shared + kSharedReservedPerBlock;
  return std::min({kBlocksPerMultiprocessor, kThreadsPerMultiprocessor / threads,
                   static_cast<int>(kSharedPerMultiprocessor / shared)});
}

}  // namespace
}  // namespace software_gpu

using namespace software_gpu;

extern "C" {

unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, std::size_t dynamic_shared, CUstream_st* stream) {
  pushed.push_back({grid, block, dynamic_shared, stream});
  return 0;
}

cudaError_t __cudaPopCallConfiguration(dim3* grid, dim3* block, std::size_t* dynamic_shared, void* stream) {
  if (pushed.empty()) return cudaErrorInvalidConfiguration;
  const LaunchConfiguration c = pushed.back();
  pushed.pop_back();
  *grid = c.grid;
  *block = c.block;
  *dynamic_shared = c.dynamic_shared;
  std::memcpy(stream, &c.stream, sizeof c.stream);
  return cudaSuccess;
}

cudaError_t cudaLaunchKernel(const void* function, dim3 grid, dim3 block, void** arguments, std::size_t dynamic_shared,
                             cudaStream_t stream) {
  return api("cudaLaunchKernel", [&] { return launch(function, {grid, block, dynamic_shared, stream}, arguments); });
}

/// The handle of a kernel is its host function.
cudaError_t __cudaGetKernel(cudaKernel_t* kernel, const void* function) {
  *kernel = reinterpret_cast<cudaKernel_t>(const_cast<void*>(function));
  return cudaSuccess;
}

cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments, std::size_t dynamic_shared,
                               cudaStream_t stream) {
  return cudaLaunchKernel(reinterpret_cast<const void*>(kernel), grid, block, arguments, dynamic_shared, stream);
}

cudaError_t cudaFuncSetAttribute(const void* function, cudaFuncAttribute attribute, int value) {
  return api("cudaFuncSetAttribute", [&] {
    RegisteredKernel* const k = find_registered(function);
    if (k == nullptr) return cudaErrorInvalidDeviceFunction;
    if (attribute == cudaFuncAttributePreferredSharedMemoryCarveout) return cudaSuccess;  // a hint
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize)
      unsupported("cudaFuncAttribute " + std::to_string(attribute));
    const std::size_t most = kSharedPerBlockOptIn - limits(*k->kernel).static_shared;
    if (value < 0 || static_cast<std::size_t>(value) > most) return cudaErrorInvalidValue;
    k->dynamic_shared_limit = static_cast<std::size_t>(value);
    return cudaSuccess;
  });
}

/// The number of registers is what ptxas decides; it is given as 0.
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* function) {
  return api("cudaFuncGetAttributes", [&] {
    const RegisteredKernel* const k = find_registered(function);
    if (attributes == nullptr) return cudaErrorInvalidValue;
    if (k == nullptr) return cudaErrorInvalidDeviceFunction;
    const LaunchLimits limit = limits(*k->kernel);
    *attributes = {};
    attributes->sharedSizeBytes = limit.static_shared;
    attributes->localSizeBytes = limit.local_bytes;
    attributes->maxThreadsPerBlock = static_cast<int>(limit.max_threads);
    attributes->maxDynamicSharedSizeBytes = static_cast<int>(k->dynamic_shared_limit);
    attributes->ptxVersion = attributes->binaryVersion = 10 * kComputeMajor + kComputeMinor;
    attributes->preferredShmemCarveout = -1;
    return cudaSuccess;
  });
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void* function, int block,
                                                          std::size_t dynamic_shared) {
  return api("cudaOccupancyMaxActiveBlocksPerMultiprocessor", [&] {
    const RegisteredKernel* const k = find_registered(function);
    if (blocks == nullptr || block <= 0) return cudaErrorInvalidValue;
    if (k == nullptr) return cudaErrorInvalidDeviceFunction;
    *blocks = resident_blocks(*k, block, dynamic_shared);
    return cudaSuccess;
  });
}

}  // extern "C"
