// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/core/settings.hpp"
#include "tests/software_gpu/cudart/api.hpp"

namespace software_gpu {
namespace {

thread_local cudaError_t last_error = cudaSuccess;

struct ErrorText {
  cudaError_t error;
  const char* name;
  const char* text;
};
#define SOFTWARE_GPU_ERROR(name, text) \
  ErrorText {                          \
    name, #name, text                  \
  }
/// The errors that the software GPU returns.
constexpr ErrorText kErrors[] = {
    SOFTWARE_GPU_ERROR(cudaSuccess, "no error"),
    SOFTWARE_GPU_ERROR(cudaErrorInvalidValue, "invalid argument"),
    SOFTWARE_GPU_ERROR(cudaErrorMemoryAllocation, "out of memory"),
    SOFTWARE_GPU_ERROR(cudaErrorInvalidConfiguration, "invalid configuration argument"),
    SOFTWARE_GPU_ERROR(cudaErrorInvalidMemcpyDirection, "invalid copy direction for memcpy"),
    SOFTWARE_GPU_ERROR(cudaErrorInsufficientDriver, "CUDA driver version is insufficient for CUDA runtime version"),
    SOFTWARE_GPU_ERROR(cudaErrorInvalidDeviceFunction, "invalid device function"),
    SOFTWARE_GPU_ERROR(cudaErrorNoDevice, "no CUDA-capable device is detected"),
    SOFTWARE_GPU_ERROR(cudaErrorInvalidDevice, "invalid device ordinal"),
    SOFTWARE_GPU_ERROR(cudaErrorInvalidResourceHandle, "invalid resource handle"),
    SOFTWARE_GPU_ERROR(cudaErrorNotReady, "device not ready"),
    SOFTWARE_GPU_ERROR(cudaErrorIllegalAddress, "an illegal memory access was encountered"),
    SOFTWARE_GPU_ERROR(cudaErrorMisalignedAddress, "misaligned address"),
    SOFTWARE_GPU_ERROR(cudaErrorLaunchFailure, "unspecified launch failure"),
    SOFTWARE_GPU_ERROR(cudaErrorNotPermitted, "operation not permitted"),
};
#undef SOFTWARE_GPU_ERROR

const ErrorText& text_of(cudaError_t error) {
  for (const ErrorText& entry : kErrors) {
    if (entry.error == error) return entry;
  }
  unsupported("the name of cudaError_t " + std::to_string(error));
}

}  // namespace

cudaError_t device_error() {
  if (!settings().driver) return cudaErrorInsufficientDriver;
  return settings().devices.empty() ? cudaErrorNoDevice : cudaSuccess;
}

cudaError_t remember(cudaError_t error) {
  if (error != cudaSuccess && error != cudaErrorNotReady) last_error = error;
  return error;
}

}  // namespace software_gpu

using namespace software_gpu;

extern "C" {

cudaError_t cudaGetLastError() {
  const cudaError_t error = cudaPeekAtLastError();
  last_error = cudaSuccess;
  return error;
}

cudaError_t cudaPeekAtLastError() {
  return context_error() != cudaSuccess ? context_error() : last_error;
}

const char* cudaGetErrorName(cudaError_t error) {
  return text_of(error).name;
}

const char* cudaGetErrorString(cudaError_t error) {
  return text_of(error).text;
}

}  // extern "C"
