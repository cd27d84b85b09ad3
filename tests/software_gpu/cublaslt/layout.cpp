// SPDX-License-Identifier: Apache-2.0
// Matrix layouts: cublasLtMatrixLayout*.
#include <array>
#include <mutex>

#include "tests/software_gpu/core/stream.hpp"
#include "tests/software_gpu/cublaslt/attributes.hpp"

namespace software_gpu::cublaslt {
namespace {

#define FIELD(id, member)                                                                   \
  {                                                                                         \
    id, #id, sizeof(Layout::member), [](Layout& layout) -> void* { return &layout.member; } \
  }
constexpr auto kAttributes = std::to_array<Attribute<Layout>>({
    FIELD(CUBLASLT_MATRIX_LAYOUT_TYPE, type),
    FIELD(CUBLASLT_MATRIX_LAYOUT_ORDER, order),
    FIELD(CUBLASLT_MATRIX_LAYOUT_ROWS, rows),
    FIELD(CUBLASLT_MATRIX_LAYOUT_COLS, columns),
    FIELD(CUBLASLT_MATRIX_LAYOUT_LD, leading_dimension),
    FIELD(CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, batch_count),
    FIELD(CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, batch_stride),
    {CUBLASLT_MATRIX_LAYOUT_PLANE_OFFSET, "CUBLASLT_MATRIX_LAYOUT_PLANE_OFFSET"},
});
#undef FIELD
constexpr std::span<const Attribute<Layout>> kTable(kAttributes);

cublasStatus_t check_values(const Layout& layout) {
  element_of(layout.type);
  if (layout.order != CUBLASLT_ORDER_COL && layout.order != CUBLASLT_ORDER_ROW) {
    unsupported("CUBLASLT_MATRIX_LAYOUT_ORDER " + std::to_string(layout.order));
  }
  if (layout.batch_count < 1) return refuse(CUBLAS_STATUS_INVALID_VALUE, "a matrix layout with batch count below 1");
  return CUBLAS_STATUS_SUCCESS;
}

}  // namespace
}  // namespace software_gpu::cublaslt

using namespace software_gpu;
using namespace software_gpu::cublaslt;

extern "C" {

cublasStatus_t cublasLtMatrixLayoutInit_internal(cublasLtMatrixLayout_t place, size_t size, cudaDataType type,
                                                 uint64_t rows, uint64_t cols, int64_t ld) {
  std::lock_guard lock(mutex());
  if (place == nullptr) return refuse(CUBLAS_STATUS_INVALID_VALUE, "cublasLtMatrixLayoutInit: no place");
  if (size < sizeof(*place)) return refuse(CUBLAS_STATUS_ALLOC_FAILED, "cublasLtMatrixLayoutInit: too small a place");
  Layout layout;
  layout.type = type;
  layout.rows = rows;
  layout.columns = cols;
  layout.leading_dimension = ld;
  std::memcpy(static_cast<void*>(place), &layout, sizeof layout);
  return check_values(layout);
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType type, uint64_t rows,
                                          uint64_t cols, int64_t ld) {
  if (layout == nullptr) return refuse(CUBLAS_STATUS_INVALID_VALUE, "cublasLtMatrixLayoutCreate: no result");
  *layout = new cublasLtMatrixLayoutOpaque_t{};
  return cublasLtMatrixLayoutInit_internal(*layout, sizeof(**layout), type, rows, cols, ld);
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  std::lock_guard lock(mutex());
  auto* object = inside<Layout>(layout);
  if (object == nullptr) return refuse(CUBLAS_STATUS_INVALID_VALUE, "cublasLtMatrixLayoutDestroy: no layout");
  object->magic = 0;
  delete layout;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout, cublasLtMatrixLayoutAttribute_t attr,
                                                const void* buf, size_t sizeInBytes) {
  std::lock_guard lock(mutex());
  auto* object = inside<Layout>(layout);
  const cublasStatus_t status = set_attribute(object, kTable, attr, buf, sizeInBytes, __func__);
  return status == CUBLAS_STATUS_SUCCESS ? check_values(*object) : status;
}

cublasStatus_t cublasLtMatrixLayoutGetAttribute(cublasLtMatrixLayout_t layout, cublasLtMatrixLayoutAttribute_t attr,
                                                void* buf, size_t sizeInBytes, size_t* sizeWritten) {
  std::lock_guard lock(mutex());
  return get_attribute(inside<Layout>(layout), kTable, attr, buf, sizeInBytes, sizeWritten, __func__);
}
}
