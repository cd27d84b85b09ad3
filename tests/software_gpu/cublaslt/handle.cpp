// SPDX-License-Identifier: Apache-2.0
// Handle, versions and names of statuses.
#include <mutex>
#include <set>

#include "tests/software_gpu/core/report.hpp"
#include "tests/software_gpu/core/settings.hpp"
#include "tests/software_gpu/core/stream.hpp"
#include "tests/software_gpu/cublaslt/descriptors.hpp"

struct cublasLtContext {};

namespace software_gpu::cublaslt {
namespace {

std::set<cublasLtHandle_t>& live_handles() {
  static auto* const handles = new std::set<cublasLtHandle_t>;
  return *handles;
}

}  // namespace

bool is_live(cublasLtHandle_t handle) {
  return live_handles().contains(handle);
}

Element element_of(std::uint32_t type) {
  switch (type) {
    case CUDA_R_16F:
      return Element::fp16;
    case CUDA_R_16BF:
      return Element::bf16;
    case CUDA_R_32F:
      return Element::fp32;
    default:
      unsupported("cublasLt: cudaDataType " + std::to_string(type));
  }
}

cublasStatus_t refuse(cublasStatus_t status, const std::string& why) {
  if (status == CUBLAS_STATUS_NOT_SUPPORTED && !settings().trace) return status;  // an answer, not a mistake
  note(std::string("cublasLt refuses (") + cublasLtGetStatusName(status) + "): " + why);
  return status;
}

}  // namespace software_gpu::cublaslt

using namespace software_gpu;
using namespace software_gpu::cublaslt;

extern "C" {

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  std::lock_guard lock(mutex());
  if (handle == nullptr) return refuse(CUBLAS_STATUS_INVALID_VALUE, "cublasLtCreate: no result");
  *handle = new cublasLtContext;
  live_handles().insert(*handle);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  std::lock_guard lock(mutex());
  if (live_handles().erase(handle) == 0) {
    return refuse(CUBLAS_STATUS_NOT_INITIALIZED, "cublasLtDestroy: no valid handle");
  }
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}

size_t cublasLtGetVersion() {
  return CUBLAS_VERSION;
}
size_t cublasLtGetCudartVersion() {
  return CUDART_VERSION;
}

cublasStatus_t cublasLtGetProperty(libraryPropertyType type, int* value) {
  if (value == nullptr) return refuse(CUBLAS_STATUS_INVALID_VALUE, "cublasLtGetProperty: no result");
  switch (type) {
    case MAJOR_VERSION:
      *value = CUBLAS_VER_MAJOR;
      return CUBLAS_STATUS_SUCCESS;
    case MINOR_VERSION:
      *value = CUBLAS_VER_MINOR;
      return CUBLAS_STATUS_SUCCESS;
    case PATCH_LEVEL:
      *value = CUBLAS_VER_PATCH;
      return CUBLAS_STATUS_SUCCESS;
  }
  return refuse(CUBLAS_STATUS_INVALID_VALUE, "cublasLtGetProperty: property " + std::to_string(type));
}

const char* cublasLtGetStatusName(cublasStatus_t status) {
  switch (status) {
#define NAME(value) \
  case value:       \
    return #value;
    NAME(CUBLAS_STATUS_SUCCESS)
    NAME(CUBLAS_STATUS_NOT_INITIALIZED)
    NAME(CUBLAS_STATUS_ALLOC_FAILED)
    NAME(CUBLAS_STATUS_INVALID_VALUE)
    NAME(CUBLAS_STATUS_ARCH_MISMATCH)
    NAME(CUBLAS_STATUS_MAPPING_ERROR)
    NAME(CUBLAS_STATUS_EXECUTION_FAILED)
    NAME(CUBLAS_STATUS_INTERNAL_ERROR)
    NAME(CUBLAS_STATUS_NOT_SUPPORTED)
    NAME(CUBLAS_STATUS_LICENSE_ERROR)
#undef NAME
  }
  return "CUBLAS_STATUS_UNKNOWN";
}

const char* cublasLtGetStatusString(cublasStatus_t status) {
  return cublasLtGetStatusName(status);
}
}
