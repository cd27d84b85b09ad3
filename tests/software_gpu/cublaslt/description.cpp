// SPDX-License-Identifier: Apache-2.0
// Descriptions of a multiplication: cublasLtMatmulDesc*.
#include <array>
#include <mutex>

#include "tests/software_gpu/core/stream.hpp"
#include "tests/software_gpu/cublaslt/attributes.hpp"

namespace software_gpu::cublaslt {
namespace {

#define FIELD(id, member)                                                           \
  {                                                                                 \
    id, #id, sizeof(MatmulDescription::member),                                     \
        [](MatmulDescription& description) -> void* { return &description.member; } \
  }
#define UNKNOWN(id) \
  { id, #id }
constexpr auto kAttributes = std::to_array<Attribute<MatmulDescription>>({
    FIELD(CUBLASLT_MATMUL_DESC_COMPUTE_TYPE, compute_type),
    FIELD(CUBLASLT_MATMUL_DESC_SCALE_TYPE, scale_type),
    FIELD(CUBLASLT_MATMUL_DESC_POINTER_MODE, pointer_mode),
    FIELD(CUBLASLT_MATMUL_DESC_TRANSA, transpose_a),
    FIELD(CUBLASLT_MATMUL_DESC_TRANSB, transpose_b),
    FIELD(CUBLASLT_MATMUL_DESC_TRANSC, transpose_c),
    FIELD(CUBLASLT_MATMUL_DESC_FILL_MODE, fill_mode),
    FIELD(CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue),
    FIELD(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias),
    FIELD(CUBLASLT_MATMUL_DESC_BIAS_BATCH_STRIDE, bias_batch_stride),
    FIELD(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, bias_type),
    FIELD(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, auxiliary),
    FIELD(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, auxiliary_leading_dimension),
    FIELD(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_BATCH_STRIDE, auxiliary_batch_stride),
    FIELD(CUBLASLT_MATMUL_DESC_SM_COUNT_TARGET, multiprocessor_target),
    UNKNOWN(CUBLASLT_MATMUL_DESC_ALPHA_VECTOR_BATCH_STRIDE),
    UNKNOWN(CUBLASLT_MATMUL_DESC_A_SCALE_POINTER),
    UNKNOWN(CUBLASLT_MATMUL_DESC_B_SCALE_POINTER),
    UNKNOWN(CUBLASLT_MATMUL_DESC_C_SCALE_POINTER),
    UNKNOWN(CUBLASLT_MATMUL_DESC_D_SCALE_POINTER),
    UNKNOWN(CUBLASLT_MATMUL_DESC_AMAX_D_POINTER),
    UNKNOWN(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_DATA_TYPE),
    UNKNOWN(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_SCALE_POINTER),
    UNKNOWN(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_AMAX_POINTER),
    UNKNOWN(CUBLASLT_MATMUL_DESC_FAST_ACCUM),
});
#undef FIELD
#undef UNKNOWN
constexpr std::span<const Attribute<MatmulDescription>> kTable(kAttributes);

constexpr std::uint32_t kEpilogues[] = {
    CUBLASLT_EPILOGUE_DEFAULT,  CUBLASLT_EPILOGUE_RELU,          CUBLASLT_EPILOGUE_BIAS,  CUBLASLT_EPILOGUE_RELU_BIAS,
    CUBLASLT_EPILOGUE_RELU_AUX, CUBLASLT_EPILOGUE_RELU_AUX_BIAS, CUBLASLT_EPILOGUE_DRELU, CUBLASLT_EPILOGUE_DRELU_BGRAD,
    CUBLASLT_EPILOGUE_BGRADA,   CUBLASLT_EPILOGUE_BGRADB,
};

template <class Values>
void must_be_known(const char* what, std::int64_t value, const Values& known) {
  for (const auto candidate : known) {
    if (value == static_cast<std::int64_t>(candidate)) return;
  }
  unsupported(std::string(what) + " " + std::to_string(value));
}

cublasStatus_t check_values(const MatmulDescription& description) {
  must_be_known("cublasComputeType_t", description.compute_type,
                std::to_array({CUBLAS_COMPUTE_32F, CUBLAS_COMPUTE_32F_PEDANTIC, CUBLAS_COMPUTE_32F_FAST_TF32}));
  must_be_known("CUBLASLT_MATMUL_DESC_POINTER_MODE", description.pointer_mode,
                std::to_array({CUBLASLT_POINTER_MODE_HOST, CUBLASLT_POINTER_MODE_DEVICE}));
  for (const std::int32_t transpose : {description.transpose_a, description.transpose_b}) {
    must_be_known("cublasOperation_t", transpose, std::to_array({CUBLAS_OP_N, CUBLAS_OP_T}));
  }
  must_be_known("CUBLASLT_MATMUL_DESC_EPILOGUE", description.epilogue, kEpilogues);
  must_be_known("CUBLASLT_MATMUL_DESC_FILL_MODE", description.fill_mode, std::to_array({CUBLAS_FILL_MODE_FULL}));
  if (description.transpose_c != CUBLAS_OP_N) {
    return refuse(CUBLAS_STATUS_INVALID_VALUE, "CUBLASLT_MATMUL_DESC_TRANSC: only CUBLAS_OP_N");
  }
  return CUBLAS_STATUS_SUCCESS;
}

}  // namespace
}  // namespace software_gpu::cublaslt

using namespace software_gpu;
using namespace software_gpu::cublaslt;

extern "C" {

cublasStatus_t cublasLtMatmulDescInit_internal(cublasLtMatmulDesc_t place, size_t size, cublasComputeType_t compute,
                                               cudaDataType_t scale) {
  std::lock_guard lock(mutex());
  if (place == nullptr) return refuse(CUBLAS_STATUS_INVALID_VALUE, "cublasLtMatmulDescInit: no place");
  if (size < sizeof(*place)) return refuse(CUBLAS_STATUS_ALLOC_FAILED, "cublasLtMatmulDescInit: too small a place");
  MatmulDescription description;
  description.compute_type = compute;
  description.scale_type = scale;
  std::memcpy(static_cast<void*>(place), &description, sizeof description);
  return check_values(description);
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* description, cublasComputeType_t compute,
                                        cudaDataType_t scale) {
  if (description == nullptr) return refuse(CUBLAS_STATUS_INVALID_VALUE, "cublasLtMatmulDescCreate: no result");
  *description = new cublasLtMatmulDescOpaque_t{};
  return cublasLtMatmulDescInit_internal(*description, sizeof(**description), compute, scale);
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t description) {
  std::lock_guard lock(mutex());
  auto* object = inside<MatmulDescription>(description);
  if (object == nullptr) return refuse(CUBLAS_STATUS_INVALID_VALUE, "cublasLtMatmulDescDestroy: no description");
  object->magic = 0;
  delete description;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t description, cublasLtMatmulDescAttributes_t attr,
                                              const void* buf, size_t sizeInBytes) {
  std::lock_guard lock(mutex());
  auto* object = inside<MatmulDescription>(description);
  const cublasStatus_t status = set_attribute(object, kTable, attr, buf, sizeInBytes, __func__);
  return status == CUBLAS_STATUS_SUCCESS ? check_values(*object) : status;
}

cublasStatus_t cublasLtMatmulDescGetAttribute(cublasLtMatmulDesc_t description, cublasLtMatmulDescAttributes_t attr,
                                              void* buf, size_t sizeInBytes, size_t* sizeWritten) {
  std::lock_guard lock(mutex());
  return get_attribute(inside<MatmulDescription>(description), kTable, attr, buf, sizeInBytes, sizeWritten, __func__);
}
}
