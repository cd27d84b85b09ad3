// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cuda_runtime_api.h>

#include <mutex>
#include <string>
#include <string_view>

#include "tests/software_gpu/core/context.hpp"
#include "tests/software_gpu/core/mutex.hpp"
#include "tests/software_gpu/core/report.hpp"
#include "tests/software_gpu/core/scheduler.hpp"
#include "tests/software_gpu/core/stream.hpp"

namespace software_gpu {

/// cudaErrorInsufficientDriver or cudaErrorNoDevice where the environment says so, otherwise cudaSuccess.
cudaError_t device_error();

/// Remembers an error for cudaGetLastError of this thread, and returns it.
cudaError_t remember(cudaError_t error);

/// Every entry point that needs a device: one lock, what makes all calls fail, and one place that remembers the error.
template <class Body>
cudaError_t api(std::string_view name, Body&& body) {
  std::lock_guard lock(mutex());
  if (in_host_function()) {
    report("cuda-in-host-function", std::string(name) + " called by a function of cudaLaunchHostFunc");
    return remember(cudaErrorNotPermitted);
  }
  cudaError_t error = device_error();
  if (error == cudaSuccess) error = context_error();
  if (error == cudaSuccess) error = body();
  if (error == cudaSuccess || error == cudaErrorNotReady) {
    if (context_error() != cudaSuccess) error = context_error();
  }
  return remember(error);
}

/// A misuse that no correct program makes: reported, and the error that CUDA returns.
inline cudaError_t misuse(std::string_view kind, const std::string& what, cudaError_t error) {
  report(kind, what);
  return error;
}

}  // namespace software_gpu
