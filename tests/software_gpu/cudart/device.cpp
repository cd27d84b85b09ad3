// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <optional>
#include <utility>

#include "tests/software_gpu/core/memory.hpp"
#include "tests/software_gpu/core/settings.hpp"
#include "tests/software_gpu/cudart/api.hpp"
#include "tests/software_gpu/cudart/limits.hpp"

namespace software_gpu {
namespace {

bool exists(int device) {
  return device >= 0 && device < static_cast<int>(settings().devices.size());
}

int physical(int device) {
  return settings().devices[static_cast<std::size_t>(device)];
}

/// Buses start at 1, as bus 0 belongs to the host.
int pci_bus(int device) {
  return physical(device) + 1;
}

/// What is said of a device; everything else is 0.
cudaDeviceProp properties(int device) {
  cudaDeviceProp p{};
  std::snprintf(p.name, sizeof p.name, "software GPU");
  std::memcpy(p.uuid.bytes, "software GPU", 12);
  p.uuid.bytes[15] = static_cast<char>(physical(device));
  p.totalGlobalMem = settings().memory_bytes;
  p.sharedMemPerBlock = kSharedPerBlock;
  p.sharedMemPerBlockOptin = kSharedPerBlockOptIn;
  p.sharedMemPerMultiprocessor = kSharedPerMultiprocessor;
  p.reservedSharedMemPerBlock = kSharedReservedPerBlock;
  p.regsPerBlock = p.regsPerMultiprocessor = kRegisters;
  p.warpSize = 32;
  p.maxThreadsPerBlock = kThreadsPerBlock;
  std::copy(std::begin(kBlockLimit), std::end(kBlockLimit), p.maxThreadsDim);
  std::copy(std::begin(kGridLimit), std::end(kGridLimit), p.maxGridSize);
  p.totalConstMem = 64 << 10;
  p.major = kComputeMajor;
  p.minor = kComputeMinor;
  p.multiProcessorCount = kMultiprocessors;
  p.maxThreadsPerMultiProcessor = kThreadsPerMultiprocessor;
  p.maxBlocksPerMultiProcessor = kBlocksPerMultiprocessor;
  p.canMapHostMemory = p.unifiedAddressing = p.concurrentKernels = p.streamPrioritiesSupported = 1;
  p.canUseHostPointerForRegisteredMem = 1;
  p.asyncEngineCount = 2;
  p.l2CacheSize = kL2Bytes;
  p.memoryBusWidth = kMemoryBusBits;
  p.pciBusID = pci_bus(device);
  return p;
}

/// The value of an attribute; none for what the software GPU has no answer to.
std::optional<int> attribute(const cudaDeviceProp& p, cudaDeviceAttr asked) {
  const auto bytes = [](std::size_t n) { return static_cast<int>(n); };
  const std::pair<cudaDeviceAttr, int> values[] = {
      {cudaDevAttrMaxThreadsPerBlock, p.maxThreadsPerBlock},
      {cudaDevAttrMaxBlockDimX, p.maxThreadsDim[0]},
      {cudaDevAttrMaxBlockDimY, p.maxThreadsDim[1]},
      {cudaDevAttrMaxBlockDimZ, p.maxThreadsDim[2]},
      {cudaDevAttrMaxGridDimX, p.maxGridSize[0]},
      {cudaDevAttrMaxGridDimY, p.maxGridSize[1]},
      {cudaDevAttrMaxGridDimZ, p.maxGridSize[2]},
      {cudaDevAttrMaxSharedMemoryPerBlock, bytes(p.sharedMemPerBlock)},
      {cudaDevAttrMaxSharedMemoryPerBlockOptin, bytes(p.sharedMemPerBlockOptin)},
      {cudaDevAttrMaxSharedMemoryPerMultiprocessor, bytes(p.sharedMemPerMultiprocessor)},
      {cudaDevAttrReservedSharedMemoryPerBlock, bytes(p.reservedSharedMemPerBlock)},
      {cudaDevAttrTotalConstantMemory, bytes(p.totalConstMem)},
      {cudaDevAttrWarpSize, p.warpSize},
      {cudaDevAttrMaxRegistersPerBlock, p.regsPerBlock},
      {cudaDevAttrMaxRegistersPerMultiprocessor, p.regsPerMultiprocessor},
      {cudaDevAttrMultiProcessorCount, p.multiProcessorCount},
      {cudaDevAttrMaxThreadsPerMultiProcessor, p.maxThreadsPerMultiProcessor},
      {cudaDevAttrMaxBlocksPerMultiprocessor, p.maxBlocksPerMultiProcessor},
      {cudaDevAttrComputeCapabilityMajor, p.major},
      {cudaDevAttrComputeCapabilityMinor, p.minor},
      {cudaDevAttrL2CacheSize, p.l2CacheSize},
      {cudaDevAttrGlobalMemoryBusWidth, p.memoryBusWidth},
      {cudaDevAttrClockRate, kClockKiloHertz},
      {cudaDevAttrMemoryClockRate, kMemoryClockKiloHertz},
      {cudaDevAttrAsyncEngineCount, p.asyncEngineCount},
      {cudaDevAttrConcurrentKernels, p.concurrentKernels},
      {cudaDevAttrUnifiedAddressing, p.unifiedAddressing},
      {cudaDevAttrCanMapHostMemory, p.canMapHostMemory},
      {cudaDevAttrStreamPrioritiesSupported, p.streamPrioritiesSupported},
      {cudaDevAttrPciBusId, p.pciBusID},
      {cudaDevAttrPciDeviceId, p.pciDeviceID},
      {cudaDevAttrPciDomainId, p.pciDomainID},
      {cudaDevAttrMemoryPoolsSupported, 0},
      {cudaDevAttrManagedMemory, 0},
      {cudaDevAttrCooperativeLaunch, 0},
      {cudaDevAttrPageableMemoryAccess, 0},
      {cudaDevAttrEccEnabled, 0},
      {cudaDevAttrIntegrated, 0},
  };
  for (const auto& [attribute, value] : values) {
    if (attribute == asked) return value;
  }
  return std::nullopt;
}

}  // namespace
}  // namespace software_gpu

using namespace software_gpu;

extern "C" {

cudaError_t cudaGetDeviceCount(int* count) {
  if (count == nullptr) return remember(cudaErrorInvalidValue);
  *count = static_cast<int>(settings().devices.size());
  return remember(device_error());
}

cudaError_t cudaSetDevice(int device) {
  return api("cudaSetDevice", [&] {
    if (!exists(device)) return cudaErrorInvalidDevice;
    current_device() = device;
    return cudaSuccess;
  });
}

cudaError_t cudaGetDevice(int* device) {
  return api("cudaGetDevice", [&] {
    if (device == nullptr) return cudaErrorInvalidValue;
    *device = current_device();
    return cudaSuccess;
  });
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* prop, int device) {
  return api("cudaGetDeviceProperties", [&] {
    if (prop == nullptr) return cudaErrorInvalidValue;
    if (!exists(device)) return cudaErrorInvalidDevice;
    *prop = properties(device);
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attr, int device) {
  return api("cudaDeviceGetAttribute", [&] {
    if (value == nullptr) return cudaErrorInvalidValue;
    if (!exists(device)) return cudaErrorInvalidDevice;
    const std::optional<int> known = attribute(properties(device), attr);
    if (!known) unsupported("cudaDeviceAttr " + std::to_string(attr));
    *value = *known;
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetPCIBusId(char* id, int length, int device) {
  return api("cudaDeviceGetPCIBusId", [&] {
    constexpr int kLength = 13;  // with its end, as the manual says
    if (id == nullptr || length < kLength) return cudaErrorInvalidValue;
    if (!exists(device)) return cudaErrorInvalidDevice;
    std::snprintf(id, static_cast<std::size_t>(length), "0000:%02X:00.0", pci_bus(device) & 0xFF);
    return cudaSuccess;
  });
}

cudaError_t cudaDriverGetVersion(int* version) {
  if (version == nullptr) return remember(cudaErrorInvalidValue);
  *version = settings().driver ? CUDART_VERSION : 0;
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  if (version == nullptr) return remember(cudaErrorInvalidValue);
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize() {
  return api("cudaDeviceSynchronize", [&] {
    wait_device(current_device());
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  return api("cudaDeviceGetStreamPriorityRange", [&] {
    if (least != nullptr) *least = 0;
    if (greatest != nullptr) *greatest = kGreatestPriority;
    return cudaSuccess;
  });
}

}  // extern "C"
