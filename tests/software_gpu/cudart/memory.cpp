// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/core/memory.hpp"

#include <cstring>
#include <utility>
#include <vector>

#include "tests/software_gpu/core/host_access.hpp"
#include "tests/software_gpu/core/races.hpp"
#include "tests/software_gpu/core/settings.hpp"
#include "tests/software_gpu/core/statistics.hpp"
#include "tests/software_gpu/cudart/api.hpp"

using namespace software_gpu;

namespace {

cudaError_t allocate_for(const char* name, MemoryKind kind, void** p, std::size_t bytes) {
  return api(name, [&] {
    if (p == nullptr) return cudaErrorInvalidValue;
    use_device(current_device());
    const Allocation* const a = allocate(kind, bytes, current_device());
    *p = a != nullptr ? reinterpret_cast<void*>(a->base) : nullptr;
    return a != nullptr || bytes == 0 ? cudaSuccess : cudaErrorMemoryAllocation;
  });
}

/// cudaFree "may perform implicit synchronization": nobody may rely on it. What is still pending finds its memory gone;
/// what has run, unknown to the host, is found in the history.
cudaError_t release_for(const char* name, MemoryKind kind, void* p) {
  return api(name, [&] {
    if (p == nullptr) return cudaSuccess;
    Allocation* const a = find_allocation(p);
    const bool valid = a != nullptr && a->live && a->kind == kind && a->base == reinterpret_cast<std::uintptr_t>(p);
    if (!valid) {
      const std::string why = a == nullptr ? "" : a->live ? " lies in " + a->describe() : " is freed already";
      return misuse("invalid-free", std::string(name) + ": " + hexadecimal(p) + why, cudaErrorInvalidValue);
    }
    const auto& scheduler = Scheduler::instance();
    if (const EpochPtr user = a->history->unordered_with(scheduler.host_clock()))
      report("early-free", std::string(name) + " of " + a->describe() + " without waiting for " + user->who);
    a->freed_after = scheduler.last_operation();
    release(*a);
    return cudaSuccess;
  });
}

/// One end of a copy.
struct End {
  void* p;
  Allocation* allocation;  ///< null: pageable host memory
  bool device() const { return allocation != nullptr ? allocation->kind != MemoryKind::pinned : is_device_address(p); }
  bool pageable() const { return allocation == nullptr && !is_device_address(p); }
  std::size_t offset() const { return reinterpret_cast<std::uintptr_t>(p) - allocation->base; }
  bool holds(std::size_t bytes) const {
    return allocation != nullptr && allocation->live && bytes <= allocation->size - offset();
  }
};
End end_at(const void* p) {
  return {const_cast<void*>(p), find_allocation(p)};
}

bool direction_fits(const End& to, const End& from, cudaMemcpyKind kind) {
  switch (kind) {
    case cudaMemcpyHostToHost:
      return !to.device() && !from.device();
    case cudaMemcpyHostToDevice:
      return to.device() && !from.device();
    case cudaMemcpyDeviceToHost:
      return !to.device() && from.device();
    case cudaMemcpyDeviceToDevice:
      return to.device() && from.device();
    case cudaMemcpyDefault:
      return true;
  }
  return false;
}

const char* copy_name(const End& to, const End& from) {
  if (to.device()) return from.device() ? "copy device to device" : "copy host to device";
  return from.device() ? "copy device to host" : "copy host to host";
}

/// The program's view of pinned memory is closed to what the host must not do until it has waited for the copy.
void close_pinned(const End& to, const End& from, std::size_t bytes, const OperationPtr& copy) {
  const auto close = [&](const End& end, InFlight use) {
    if (end.device() || !end.holds(bytes)) return;
    begin_in_flight(*end.allocation, end.offset(), bytes, use, copy->epoch());
  };
  close(to, InFlight::written_by_device);
  close(from, InFlight::read_by_device);
}

/// Pageable sources are staged before the call returns.
OperationPtr enqueue_copy(CUstream_st& stream, const End& to, const End& from, std::size_t bytes) {
  const char* const name = copy_name(to, from);
  count(std::string("bytes ") + name, bytes);
  std::vector<std::byte> staged;
  if (from.pageable()) {
    const auto* const p = static_cast<const std::byte*>(from.p);
    staged.assign(p, p + bytes);
  }
  return enqueue(stream, name, [=, staged = std::move(staged)](Operation& operation) {
    if (from.pageable()) {
      std::memcpy(to.pageable() ? to.p : operation.write(to.p, bytes), staged.data(), bytes);
    } else if (to.pageable()) {
      std::memcpy(to.p, operation.read(from.p, bytes), bytes);
    } else {
      operation.copy(to.p, from.p, bytes);
    }
  });
}

cudaError_t check_copy(const char* name, const End& to, const End& from, cudaMemcpyKind kind) {
  if (to.p == nullptr || from.p == nullptr) return cudaErrorInvalidValue;
  if (kind < cudaMemcpyHostToHost || kind > cudaMemcpyDefault) return cudaErrorInvalidMemcpyDirection;
  if (direction_fits(to, from, kind)) return cudaSuccess;
  return misuse("wrong-direction",
                std::string(name) + ": to " + hexadecimal(to.p) + " from " + hexadecimal(from.p) + " is a " +
                    copy_name(to, from) + ", and kind says " + std::to_string(kind),
                cudaErrorInvalidValue);
}

cudaError_t fill(const char* name, void* p, int value, std::size_t bytes, CUstream_st* stream, bool asynchronous) {
  if (stream == nullptr) return cudaErrorInvalidResourceHandle;
  if (bytes == 0) return cudaSuccess;
  const End end = end_at(p);
  if (end.pageable())
    return misuse("illegal-address", std::string(name) + ": " + hexadecimal(p) + " is neither device nor pinned memory",
                  cudaErrorInvalidValue);
  const OperationPtr operation =
      enqueue(*stream, "memset", [=](Operation& o) { std::memset(o.write(p, bytes), value, bytes); });
  if (!asynchronous && !end.device()) wait(operation);  // only for pinned memory does cudaMemset wait
  return cudaSuccess;
}

}  // namespace

extern "C" {

cudaError_t cudaMalloc(void** p, std::size_t bytes) {
  return allocate_for("cudaMalloc", MemoryKind::device, p, bytes);
}

cudaError_t cudaFree(void* p) {
  return release_for("cudaFree", MemoryKind::device, p);
}

cudaError_t cudaMallocHost(void** p, std::size_t bytes) {
  return allocate_for("cudaMallocHost", MemoryKind::pinned, p, bytes);
}

cudaError_t cudaHostAlloc(void** p, std::size_t bytes, unsigned flags) {
  constexpr unsigned kKnown = cudaHostAllocPortable | cudaHostAllocMapped | cudaHostAllocWriteCombined;
  if ((flags & ~kKnown) != 0) return remember(cudaErrorInvalidValue);
  return allocate_for("cudaHostAlloc", MemoryKind::pinned, p, bytes);
}

cudaError_t cudaFreeHost(void* p) {
  return release_for("cudaFreeHost", MemoryKind::pinned, p);
}

cudaError_t cudaHostGetDevicePointer(void** device, void* host, unsigned flags) {
  return api("cudaHostGetDevicePointer", [&] {
    const End end = end_at(host);
    if (device == nullptr || flags != 0 || end.device() || end.pageable()) return cudaErrorInvalidValue;
    *device = host;
    return cudaSuccess;
  });
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* p) {
  return api("cudaPointerGetAttributes", [&] {
    if (attributes == nullptr) return cudaErrorInvalidValue;
    const End end = end_at(p);
    *attributes = {};
    attributes->type = end.pageable() ? cudaMemoryTypeUnregistered
                       : end.device() ? cudaMemoryTypeDevice
                                      : cudaMemoryTypeHost;
    attributes->device = end.allocation != nullptr ? end.allocation->device : -1;
    attributes->devicePointer = end.pageable() ? nullptr : end.p;
    attributes->hostPointer = end.device() ? nullptr : end.p;
    return cudaSuccess;
  });
}

cudaError_t cudaMemGetInfo(std::size_t* available, std::size_t* total) {
  return api("cudaMemGetInfo", [&] {
    if (available == nullptr || total == nullptr) return cudaErrorInvalidValue;
    use_device(current_device());
    const MemoryUse use = memory_use(current_device());
    *available = use.limit - use.used;
    *total = use.limit;
    return cudaSuccess;
  });
}

cudaError_t cudaMemcpyAsync(void* to_p, const void* from_p, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  return api("cudaMemcpyAsync", [&] {
    CUstream_st* const s = Scheduler::instance().resolve(stream, "cudaMemcpyAsync");
    if (s == nullptr) return cudaErrorInvalidResourceHandle;
    if (bytes == 0) return cudaSuccess;
    const End to = end_at(to_p), from = end_at(from_p);
    if (const cudaError_t error = check_copy("cudaMemcpyAsync", to, from, kind)) return error;
    if (!settings().pageable && (to.pageable() || from.pageable()))
      report("pageable-copy", std::string("cudaMemcpyAsync: ") + copy_name(to, from) + " of " + std::to_string(bytes) +
                                  " bytes with pageable memory is not asynchronous");
    const OperationPtr copy = enqueue_copy(*s, to, from, bytes);
    if (to.pageable() || (!to.device() && !from.device())) {
      wait(copy);  // to pageable memory, and between host memories, the call returns after completion
    } else {
      close_pinned(to, from, bytes, copy);
    }
    return cudaSuccess;
  });
}

cudaError_t cudaMemcpy(void* to_p, const void* from_p, std::size_t bytes, cudaMemcpyKind kind) {
  return api("cudaMemcpy", [&] {
    if (bytes == 0) return cudaSuccess;
    const End to = end_at(to_p), from = end_at(from_p);
    if (const cudaError_t error = check_copy("cudaMemcpy", to, from, kind)) return error;
    CUstream_st& legacy = Scheduler::instance().legacy_stream(current_device());
    const bool staged = from.pageable() && to.device();
    if (staged) wait(enqueue(legacy, "synchronise", [](Operation&) {}));
    const OperationPtr copy = enqueue_copy(legacy, to, from, bytes);
    // From pageable memory the call returns once it is staged; between device memories it does not wait at all.
    if (!staged && !(to.device() && from.device())) wait(copy);
    return cudaSuccess;
  });
}

cudaError_t cudaMemsetAsync(void* p, int value, std::size_t bytes, cudaStream_t stream) {
  return api("cudaMemsetAsync", [&] {
    return fill("cudaMemsetAsync", p, value, bytes, Scheduler::instance().resolve(stream, "cudaMemsetAsync"), true);
  });
}

cudaError_t cudaMemset(void* p, int value, std::size_t bytes) {
  return api("cudaMemset", [&] {
    return fill("cudaMemset", p, value, bytes, &Scheduler::instance().legacy_stream(current_device()), false);
  });
}

}  // extern "C"
