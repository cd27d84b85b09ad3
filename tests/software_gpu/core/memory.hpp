// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace software_gpu {

class AccessHistory;

enum class MemoryKind {
  device,  ///< cudaMalloc: an address that the host cannot touch
  pinned,  ///< cudaMallocHost: read and written by host and kernels
  module,  ///< variables of a loaded module: device memory that the program neither frees nor pays for
};

/// What the shadow byte of each byte of an allocation says.
inline constexpr std::uint8_t kRead = 1;         ///< read by the running operation
inline constexpr std::uint8_t kWritten = 2;      ///< written by the running operation
inline constexpr std::uint8_t kInitialised = 4;  ///< ever written (pinned memory: always set)

/// Marks are looked for only in blocks whose `dirty` byte is set.
inline constexpr std::size_t kDirtyShift = 12;

/// One allocation; lives for ever, since addresses are never handed out again. Kept under mutex() of stream.hpp.
struct Allocation {
  std::uint64_t id = 0;
  std::uintptr_t base = 0;  ///< as the program knows it; device memory is 256-byte aligned and no better
  std::size_t size = 0;
  MemoryKind kind = MemoryKind::device;
  int device = 0;  ///< owner; any device may access pinned and module memory
  bool live = true;
  std::uint64_t freed_after = 0;  ///< the last operation submitted before it was freed

  std::byte* bytes = nullptr;      ///< [size] where the bytes really are; null once freed
  std::uint8_t* shadow = nullptr;  ///< [size] marks; null once freed
  std::uint8_t* dirty = nullptr;   ///< [size >> kDirtyShift, rounded up] 1: the shadow there holds marks
  std::unique_ptr<AccessHistory> history;

  Allocation();
  ~Allocation();
  Allocation(const Allocation&) = delete;
  Allocation& operator=(const Allocation&) = delete;
  /// "allocation 7 (1024 bytes of device 0)"
  std::string describe() const;
};

/// The allocation, live or freed, in whose bytes `p` lies; null when there is none.
Allocation* find_allocation(const void* p);

/// Whether `p` lies in the address range of some device, allocated or not.
bool is_device_address(const void* p);

/// New memory; null when the device's SOFTWARE_GPU_MEMORY_MIB are exhausted (MemoryKind::device only) or `bytes` is 0.
/// Device bytes are uninitialised; those of the other kinds are zero and count as initialised.
Allocation* allocate(MemoryKind kind, std::size_t bytes, int device);

/// Ends the life of an allocation. Its address faults from now on.
void release(Allocation& allocation);

/// Sets all bytes of [offset, offset + bytes) that were never written to 0xFF, a NaN in FP16, BF16 and FP32.
void poison(Allocation& allocation, std::size_t offset, std::size_t bytes);

struct MemoryUse {
  std::size_t used, peak, limit;  ///< bytes
};
MemoryUse memory_use(int device);

/// Describes each allocation that the program never freed, for the leak report.
std::vector<std::string> leaked_memory();

std::string hexadecimal(const void* p);

}  // namespace software_gpu
