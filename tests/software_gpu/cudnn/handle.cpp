// SPDX-License-Identifier: Apache-2.0
// Handles, versions and errors.
#include <algorithm>
#include <array>
#include <mutex>
#include <set>

#include "tests/software_gpu/core/report.hpp"
#include "tests/software_gpu/core/settings.hpp"
#include "tests/software_gpu/core/stream.hpp"
#include "tests/software_gpu/cudnn/status.hpp"

struct cudnnContext {
  cudaStream_t stream = nullptr;
};

namespace software_gpu::cudnn {
namespace {

std::set<cudnnHandle_t>& live_handles() {
  static auto* const handles = new std::set<cudnnHandle_t>;
  return *handles;
}

thread_local std::array<char, 512> last_error{};

}  // namespace

cudnnStatus_t fail(cudnnStatus_t status, const std::string& why) {
  why.copy(last_error.data(), last_error.size() - 1);
  last_error[std::min(why.size(), last_error.size() - 1)] = '\0';
  if (CUDNN_STATUS_CATEGORY(status) == CUDNN_STATUS_NOT_SUPPORTED && !settings().trace) return status;  // an answer
  note(std::string("cudnn refuses (") + cudnnGetErrorString(status) + "): " + why);
  return status;
}

bool is_live(cudnnHandle_t handle) {
  return live_handles().contains(handle);
}
cudaStream_t stream_of(cudnnHandle_t handle) {
  return handle->stream;
}

}  // namespace software_gpu::cudnn

using namespace software_gpu;
using software_gpu::cudnn::fail;
using software_gpu::cudnn::is_live;

extern "C" {

cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  std::lock_guard lock(mutex());
  if (handle == nullptr) return fail(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "cudnnCreate: no result");
  *handle = new cudnnContext;
  software_gpu::cudnn::live_handles().insert(*handle);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
  std::lock_guard lock(mutex());
  if (software_gpu::cudnn::live_handles().erase(handle) == 0) {
    return fail(CUDNN_STATUS_BAD_PARAM, "cudnnDestroy: no valid handle");
  }
  delete handle;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  std::lock_guard lock(mutex());
  if (!is_live(handle)) return fail(CUDNN_STATUS_BAD_PARAM, "cudnnSetStream: no valid handle");
  handle->stream = stream;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetStream(cudnnHandle_t handle, cudaStream_t* stream) {
  std::lock_guard lock(mutex());
  if (!is_live(handle) || stream == nullptr) return fail(CUDNN_STATUS_BAD_PARAM, "cudnnGetStream: no valid handle");
  *stream = handle->stream;
  return CUDNN_STATUS_SUCCESS;
}

size_t cudnnGetVersion() {
  return CUDNN_VERSION;
}
size_t cudnnGetCudartVersion() {
  return CUDART_VERSION;
}
cudnnStatus_t cudnnGraphVersionCheck() {
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetProperty(libraryPropertyType type, int* value) {
  if (value == nullptr) return fail(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "cudnnGetProperty: no result");
  switch (type) {
    case MAJOR_VERSION:
      *value = CUDNN_MAJOR;
      return CUDNN_STATUS_SUCCESS;
    case MINOR_VERSION:
      *value = CUDNN_MINOR;
      return CUDNN_STATUS_SUCCESS;
    case PATCH_LEVEL:
      *value = CUDNN_PATCHLEVEL;
      return CUDNN_STATUS_SUCCESS;
  }
  return fail(CUDNN_STATUS_BAD_PARAM, "cudnnGetProperty: property " + std::to_string(type));
}

const char* cudnnGetErrorString(cudnnStatus_t status) {
  switch (status) {
#define NAME(value) \
  case value:       \
    return #value;
    NAME(CUDNN_STATUS_SUCCESS)
    NAME(CUDNN_STATUS_NOT_INITIALIZED)
    NAME(CUDNN_STATUS_BAD_PARAM)
    NAME(CUDNN_STATUS_BAD_PARAM_NULL_POINTER)
    NAME(CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER)
    NAME(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED)
    NAME(CUDNN_STATUS_BAD_PARAM_OUT_OF_BOUND)
    NAME(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH)
    NAME(CUDNN_STATUS_BAD_PARAM_DUPLICATED_ENTRIES)
    NAME(CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE)
    NAME(CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE)
    NAME(CUDNN_STATUS_NOT_SUPPORTED)
    NAME(CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN)
    NAME(CUDNN_STATUS_INTERNAL_ERROR)
    NAME(CUDNN_STATUS_EXECUTION_FAILED)
#undef NAME
    default:
      return "CUDNN_UNKNOWN_STATUS";
  }
}

void cudnnGetLastErrorString(char* message, size_t max_size) {
  if (message == nullptr || max_size == 0) return;
  const std::string text = software_gpu::cudnn::last_error.data();
  message[text.copy(message, max_size - 1)] = '\0';
}
}
