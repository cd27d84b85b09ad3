// SPDX-License-Identifier: Apache-2.0
#include <cuda_runtime_api.h>
#include <nvtx3/nvToolsExt.h>

#include <algorithm>
#include <atomic>

#include "src/core/cuda.hpp"
#include "src/core/error.hpp"
#include "src/core/log.hpp"

/// cuda.hpp on the CUDA runtime.
namespace mpdist::cuda {
namespace {

std::string text_of(cudaError_t error) {
  return fmt::format("{} ({})", cudaGetErrorName(error), cudaGetErrorString(error));
}

void check(cudaError_t error, const char* call) {
  if (error != cudaSuccess) throw LibraryError("CUDA", call, text_of(error));
}

/// For destructors.
void check_quietly(cudaError_t error, const char* call) {
  if (error != cudaSuccess) log::warn("CUDA: {} failed: {}", call, text_of(error));
}

cudaStream_t stream_of(void* handle) {
  return static_cast<cudaStream_t>(handle);
}

cudaEvent_t event_of(void* handle) {
  return static_cast<cudaEvent_t>(handle);
}

std::atomic<int> chosen_device = -1;  // of use()

/// A new thread starts on device 0: before its first call that needs a device it moves to the chosen one.
cudaError_t set_device_here() {
  thread_local int device_here = -1;
  const int device = chosen_device;
  if (device == device_here) return cudaSuccess;
  const cudaError_t error = cudaSetDevice(device);
  if (error == cudaSuccess) device_here = device;
  return error;
}

void enter_thread() {
  check(set_device_here(), "cudaSetDevice");
}

/// Waits for all work of the device, for destructors: a kernel may still use what goes.
void finish_device_quietly() {
  check_quietly(set_device_here(), "cudaSetDevice");
  check_quietly(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
}

std::string version_text(int version) {
  return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

}  // namespace

Status status() {
  Status result{.built = true};
  const cudaError_t error = cudaGetDeviceCount(&result.devices);
  if (error == cudaSuccess && result.devices > 0) return result;
  result.devices = 0;
  if (error != cudaSuccess) static_cast<void>(cudaGetLastError());  // asked and answered: later calls start clean
  if (error == cudaErrorInsufficientDriver) {
    result.reason = "no NVIDIA driver, or one that is too old for this CUDA runtime";
  } else if (error == cudaSuccess || error == cudaErrorNoDevice) {
    result.reason = "no CUDA device is visible";
  } else {
    result.reason = text_of(error);
  }
  return result;
}

void use(int device) {
  chosen_device = device;
  enter_thread();
}

int device_in_use() {
  return std::max(0, chosen_device.load());
}

std::string device_name(int device) {
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties");
  return properties.name;
}

std::string bus_id(int device) {
  char text[32] = {};
  check(cudaDeviceGetPCIBusId(text, sizeof text, device), "cudaDeviceGetPCIBusId");
  return text;
}

std::string versions() {
  int runtime = 0, driver = 0;
  check(cudaRuntimeGetVersion(&runtime), "cudaRuntimeGetVersion");
  check(cudaDriverGetVersion(&driver), "cudaDriverGetVersion");
  return fmt::format("runtime {}, driver {}", version_text(runtime), driver == 0 ? "none" : version_text(driver));
}

void* allocate(std::size_t bytes) {
  enter_thread();
  void* data = nullptr;
  const cudaError_t error = cudaMalloc(&data, bytes);
  if (error == cudaErrorMemoryAllocation) {
    static_cast<void>(cudaGetLastError());
    return nullptr;
  }
  check(error, "cudaMalloc");
  return data;
}

void* allocate_pinned(std::size_t bytes) {
  enter_thread();
  void* data = nullptr;
  const cudaError_t error = cudaHostAlloc(&data, bytes, cudaHostAllocPortable | cudaHostAllocMapped);
  if (error == cudaErrorMemoryAllocation) {
    static_cast<void>(cudaGetLastError());
    return nullptr;
  }
  check(error, "cudaHostAlloc");
  return data;
}

void free(void* data) {
  finish_device_quietly();
  check_quietly(cudaFree(data), "cudaFree");
}

void free_pinned(void* data) {
  finish_device_quietly();
  check_quietly(cudaFreeHost(data), "cudaFreeHost");
}

void* create_stream() {
  enter_thread();
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
  return stream;
}

void destroy_stream(void* stream) {
  check_quietly(cudaStreamDestroy(stream_of(stream)), "cudaStreamDestroy");
}

void synchronize_stream(void* stream) {
  enter_thread();
  check(cudaStreamSynchronize(stream_of(stream)), "cudaStreamSynchronize");
}

void* create_event(bool timed) {
  enter_thread();
  cudaEvent_t event = nullptr;
  check(cudaEventCreateWithFlags(&event, timed ? cudaEventDefault : cudaEventDisableTiming),
        "cudaEventCreateWithFlags");
  return event;
}

void destroy_event(void* event) {
  check_quietly(cudaEventDestroy(event_of(event)), "cudaEventDestroy");
}

void record(void* event, void* stream) {
  enter_thread();
  check(cudaEventRecord(event_of(event), stream_of(stream)), "cudaEventRecord");
}

void synchronize_event(void* event) {
  enter_thread();
  check(cudaEventSynchronize(event_of(event)), "cudaEventSynchronize");
}

bool happened(void* event) {
  const cudaError_t error = cudaEventQuery(event_of(event));
  if (error == cudaErrorNotReady) return false;
  check(error, "cudaEventQuery");
  return true;
}

float elapsed_ms(void* begin, void* end) {
  float result = 0;
  check(cudaEventElapsedTime(&result, event_of(begin), event_of(end)), "cudaEventElapsedTime");
  return result;
}

void wait(void* stream, void* event) {
  enter_thread();
  check(cudaStreamWaitEvent(stream_of(stream), event_of(event), 0), "cudaStreamWaitEvent");
}

void copy(void* to, const void* from, std::size_t bytes, void* stream) {
  enter_thread();
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream_of(stream)), "cudaMemcpyAsync");
}

void fill_zero(void* data, std::size_t bytes, void* stream) {
  enter_thread();
  check(cudaMemsetAsync(data, 0, bytes, stream_of(stream)), "cudaMemsetAsync");
}

void open_range(const char* name) {
  nvtxRangePushA(name);
}

void close_range() {
  nvtxRangePop();
}

}  // namespace mpdist::cuda
