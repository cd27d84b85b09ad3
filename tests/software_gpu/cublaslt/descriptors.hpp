// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cublasLt.h>

#include <cstdint>
#include <string>

#include "tests/software_gpu/numerics/element.hpp"

namespace software_gpu::cublaslt {

// What the stand-in keeps in the vendor's opaque descriptors, which programs may also place on their own stack: plain
// data, no owner. `magic` tells an initialised descriptor from anything else.

struct Layout {
  static constexpr std::uint32_t kMagic = 0x4C41594F;
  std::uint32_t magic = kMagic;
  std::uint32_t type = CUDA_R_32F;
  std::uint64_t rows = 0, columns = 0;
  std::int64_t leading_dimension = 0;
  std::int64_t batch_stride = 0;  ///< in elements
  std::int32_t batch_count = 1;
  std::int32_t order = CUBLASLT_ORDER_COL;

  bool column_major() const { return order == CUBLASLT_ORDER_COL; }
  /// Elements of one column (column-major) or row that lie side by side, and how many of those there are.
  std::uint64_t line_length() const { return column_major() ? rows : columns; }
  std::uint64_t line_count() const { return column_major() ? columns : rows; }
  bool operator==(const Layout&) const = default;
};

struct MatmulDescription {
  static constexpr std::uint32_t kMagic = 0x4D415444;
  std::uint32_t magic = kMagic;
  std::int32_t compute_type = CUBLAS_COMPUTE_32F;
  std::int32_t scale_type = CUDA_R_32F;
  std::int32_t pointer_mode = CUBLASLT_POINTER_MODE_HOST;
  std::int32_t transpose_a = CUBLAS_OP_N, transpose_b = CUBLAS_OP_N, transpose_c = CUBLAS_OP_N;
  std::int32_t fill_mode = CUBLAS_FILL_MODE_FULL;
  std::uint32_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  std::int32_t bias_type = -1;
  void* bias = nullptr;
  std::int64_t bias_batch_stride = 0;
  void* auxiliary = nullptr;
  std::int64_t auxiliary_leading_dimension = 0;  ///< in bits
  std::int64_t auxiliary_batch_stride = 0;       ///< in bits
  std::int32_t multiprocessor_target = 0;        ///< a hint for the heuristic, without effect here
};

struct Preference {
  static constexpr std::uint32_t kMagic = 0x50524546;
  std::uint32_t magic = kMagic;
  std::uint32_t search_mode = CUBLASLT_SEARCH_BEST_FIT;
  std::uint64_t workspace_limit = 0;
  std::uint32_t reduction_schemes = CUBLASLT_REDUCTION_SCHEME_MASK;
  std::uint32_t alignment_a = 256, alignment_b = 256, alignment_c = 256, alignment_d = 256;
  float wave_limit = 0;
  std::uint64_t implementations = ~std::uint64_t{0};
};

static_assert(sizeof(Layout) <= sizeof(cublasLtMatrixLayoutOpaque_t));
static_assert(sizeof(MatmulDescription) <= sizeof(cublasLtMatmulDescOpaque_t));
static_assert(sizeof(Preference) <= sizeof(cublasLtMatmulPreferenceOpaque_t));

/// The object in a descriptor; null for a null, destroyed or never initialised one.
template <class Object>
Object* inside(void* descriptor) {
  auto* object = static_cast<Object*>(descriptor);
  return object != nullptr && object->magic == Object::kMagic ? object : nullptr;
}

/// Whether the handle was created and not destroyed.
bool is_live(cublasLtHandle_t handle);

/// The element type of a matrix; ends the program for a type that the stand-in does not know.
Element element_of(std::uint32_t type);

/// Says on stderr why a call is refused (NOT_SUPPORTED: with SOFTWARE_GPU_TRACE only), and returns the status.
cublasStatus_t refuse(cublasStatus_t status, const std::string& why);

}  // namespace software_gpu::cublaslt
