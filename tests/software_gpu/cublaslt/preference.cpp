// SPDX-License-Identifier: Apache-2.0
// What a program wants of an algorithm: cublasLtMatmulPreference*.
#include <array>
#include <mutex>

#include "tests/software_gpu/core/stream.hpp"
#include "tests/software_gpu/cublaslt/attributes.hpp"

namespace software_gpu::cublaslt {
namespace {

#define FIELD(id, member)                                                                                   \
  {                                                                                                         \
    id, #id, sizeof(Preference::member), [](Preference& preference) -> void* { return &preference.member; } \
  }
constexpr auto kAttributes = std::to_array<Attribute<Preference>>({
    FIELD(CUBLASLT_MATMUL_PREF_SEARCH_MODE, search_mode),
    FIELD(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace_limit),
    FIELD(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, reduction_schemes),
    FIELD(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment_a),
    FIELD(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment_b),
    FIELD(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment_c),
    FIELD(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment_d),
    FIELD(CUBLASLT_MATMUL_PREF_MAX_WAVES_COUNT, wave_limit),
    FIELD(CUBLASLT_MATMUL_PREF_IMPL_MASK, implementations),
});
#undef FIELD
constexpr std::span<const Attribute<Preference>> kTable(kAttributes);

}  // namespace
}  // namespace software_gpu::cublaslt

using namespace software_gpu;
using namespace software_gpu::cublaslt;

extern "C" {

cublasStatus_t cublasLtMatmulPreferenceInit_internal(cublasLtMatmulPreference_t place, size_t size) {
  if (place == nullptr) return refuse(CUBLAS_STATUS_INVALID_VALUE, "cublasLtMatmulPreferenceInit: no place");
  if (size < sizeof(*place)) {
    return refuse(CUBLAS_STATUS_ALLOC_FAILED, "cublasLtMatmulPreferenceInit: too small a place");
  }
  const Preference preference;
  std::memcpy(static_cast<void*>(place), &preference, sizeof preference);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  if (preference == nullptr) return refuse(CUBLAS_STATUS_INVALID_VALUE, "cublasLtMatmulPreferenceCreate: no result");
  *preference = new cublasLtMatmulPreferenceOpaque_t{};
  return cublasLtMatmulPreferenceInit_internal(*preference, sizeof(**preference));
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  std::lock_guard lock(mutex());
  auto* object = inside<Preference>(preference);
  if (object == nullptr) return refuse(CUBLAS_STATUS_INVALID_VALUE, "cublasLtMatmulPreferenceDestroy: no preference");
  object->magic = 0;
  delete preference;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attr, const void* buf,
                                                    size_t sizeInBytes) {
  std::lock_guard lock(mutex());
  return set_attribute(inside<Preference>(preference), kTable, attr, buf, sizeInBytes, __func__);
}

cublasStatus_t cublasLtMatmulPreferenceGetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attr, void* buf,
                                                    size_t sizeInBytes, size_t* sizeWritten) {
  std::lock_guard lock(mutex());
  return get_attribute(inside<Preference>(preference), kTable, attr, buf, sizeInBytes, sizeWritten, __func__);
}
}
