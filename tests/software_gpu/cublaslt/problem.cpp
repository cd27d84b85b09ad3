// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/cublaslt/problem.hpp"

#include "tests/software_gpu/core/report.hpp"

namespace software_gpu::cublaslt {
namespace {

cublasStatus_t invalid(const std::string& why) {
  return refuse(CUBLAS_STATUS_INVALID_VALUE, why);
}
cublasStatus_t not_supported(const std::string& why) {
  return refuse(CUBLAS_STATUS_NOT_SUPPORTED, why);
}

std::string size_text(std::uint64_t rows, std::uint64_t columns) {
  return std::to_string(rows) + " x " + std::to_string(columns);
}

cublasStatus_t check_layout(const Layout& layout, char name, bool output) {
  const std::string matrix(1, name);
  if (layout.rows == 0 || layout.columns == 0) return invalid("matrix " + matrix + " is empty");
  const bool broadcast = name == 'C' && layout.leading_dimension == 0;
  if (!broadcast && layout.leading_dimension < static_cast<std::int64_t>(layout.line_length())) {
    return invalid("leading dimension " + std::to_string(layout.leading_dimension) + " of matrix " + matrix +
                   " is below " + std::to_string(layout.line_length()));
  }
  const auto extent =
      static_cast<std::int64_t>((layout.line_count() - 1) * layout.leading_dimension + layout.line_length());
  if (output && layout.batch_count > 1 && layout.batch_stride < extent) {
    return invalid("batches of matrix " + matrix + " overlap");
  }
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t check_shapes(Problem& p) {
  const bool transpose_a = p.description.transpose_a != CUBLAS_OP_N;
  const bool transpose_b = p.description.transpose_b != CUBLAS_OP_N;
  p.m = transpose_a ? p.a.columns : p.a.rows;
  p.k = transpose_a ? p.a.rows : p.a.columns;
  p.n = transpose_b ? p.b.rows : p.b.columns;
  const std::uint64_t k_of_b = transpose_b ? p.b.columns : p.b.rows;
  if (p.k != k_of_b) {
    return invalid("op(A) is " + size_text(p.m, p.k) + " but op(B) is " + size_text(k_of_b, p.n));
  }
  if (p.d.rows != p.m || p.d.columns != p.n) {
    return invalid("D is " + size_text(p.d.rows, p.d.columns) + ", the product " + size_text(p.m, p.n));
  }
  if (p.c.rows != p.m || p.c.columns != p.n || p.c.order != p.d.order) return invalid("C has not the shape of D");
  for (const Layout* layout : {&p.a, &p.b, &p.c}) {
    if (layout->batch_count != p.d.batch_count) return invalid("batch counts differ");
  }
  return CUBLAS_STATUS_SUCCESS;
}

/// The rows of the manual's table that have FP32 compute and real FP16, BF16 and FP32 matrices.
cublasStatus_t check_types(const Problem& p) {
  const MatmulDescription& description = p.description;
  if (description.scale_type != CUDA_R_32F) return not_supported("scale type other than CUDA_R_32F with FP32 compute");
  if (p.a.type != p.b.type) return not_supported("A and B differ in type");
  if (p.c.type != p.d.type) return not_supported("C and D differ in type");
  if (p.out() != p.in() && p.out() != Element::fp32) {
    return not_supported(std::string("D in ") + name_of(p.out()) + " of operands in " + name_of(p.in()));
  }
  if (description.compute_type == CUBLAS_COMPUTE_32F_FAST_TF32 && p.in() != Element::fp32) {
    return not_supported("CUBLAS_COMPUTE_32F_FAST_TF32 is for FP32 operands");
  }
  const bool uses_bias = p.adds_bias() || p.bias_gradient();
  if (uses_bias && description.bias_type != -1 && description.bias_type != static_cast<std::int32_t>(p.d.type)) {
    return not_supported("a bias of another type than D");
  }
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t check_epilogue(const Problem& p) {
  const MatmulDescription& description = p.description;
  if (!p.d.column_major() && (p.relu() || p.masks() || p.adds_bias())) {
    return not_supported("ReLU, dReLU and bias epilogues where D is CUBLASLT_ORDER_ROW");
  }
  if (p.masks() || p.writes_mask()) {
    const std::int64_t leading = description.auxiliary_leading_dimension;
    if (leading % 128 != 0 || leading < static_cast<std::int64_t>(p.m)) {
      return invalid("CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD " + std::to_string(leading) +
                     " is not a multiple of 128 that is at least " + std::to_string(p.m));
    }
    if (p.d.batch_count > 1 &&
        (description.auxiliary_batch_stride % 128 != 0 || description.auxiliary_batch_stride <= 0)) {
      return invalid("CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_BATCH_STRIDE is not a positive multiple of 128");
    }
  }
  if (p.bias_gradient() && p.d.batch_count > 1 &&
      description.bias_batch_stride < static_cast<std::int64_t>(p.bias_length())) {
    return invalid("bias gradients of a batch overlap");
  }
  return CUBLAS_STATUS_SUCCESS;
}

}  // namespace

bool Problem::relu() const {
  return has(CUBLASLT_EPILOGUE_RELU) || has(CUBLASLT_EPILOGUE_RELU_BIAS) || writes_mask();
}
bool Problem::adds_bias() const {
  return has(CUBLASLT_EPILOGUE_BIAS) || has(CUBLASLT_EPILOGUE_RELU_BIAS) || has(CUBLASLT_EPILOGUE_RELU_AUX_BIAS);
}
bool Problem::masks() const {
  return has(CUBLASLT_EPILOGUE_DRELU) || has(CUBLASLT_EPILOGUE_DRELU_BGRAD);
}
bool Problem::writes_mask() const {
  return has(CUBLASLT_EPILOGUE_RELU_AUX) || has(CUBLASLT_EPILOGUE_RELU_AUX_BIAS);
}
bool Problem::bias_gradient() const {
  return has(CUBLASLT_EPILOGUE_DRELU_BGRAD) || has(CUBLASLT_EPILOGUE_BGRADA) || has(CUBLASLT_EPILOGUE_BGRADB);
}

std::uint64_t Problem::identity() const {
  std::uint64_t hash = 0xCBF29CE484222325U;  // FNV-1a (Fowler, Noll, Vo)
  const auto mix = [&hash](std::uint64_t value) { hash = (hash ^ value) * 0x100000001B3U; };
  for (const Layout* layout : {&a, &b, &c, &d}) {
    for (const std::uint64_t value : {std::uint64_t{layout->type}, layout->rows, layout->columns}) mix(value);
    for (const std::int64_t value : {layout->leading_dimension, layout->batch_stride}) {
      mix(static_cast<std::uint64_t>(value));
    }
    mix(static_cast<std::uint64_t>(layout->batch_count) * 2 + static_cast<std::uint64_t>(layout->order));
  }
  for (const std::int32_t value : {description.compute_type, description.pointer_mode, description.transpose_a,
                                   description.transpose_b, static_cast<std::int32_t>(description.epilogue)}) {
    mix(static_cast<std::uint64_t>(value));
  }
  return hash;
}

cublasStatus_t make_problem(cublasLtMatmulDesc_t description, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                            cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d, Problem& problem) {
  const auto* matmul = inside<MatmulDescription>(description);
  if (matmul == nullptr) return invalid("no matmul description");
  problem.description = *matmul;
  const cublasLtMatrixLayout_t layouts[] = {a, b, c == nullptr ? d : c, d};
  Layout* const targets[] = {&problem.a, &problem.b, &problem.c, &problem.d};
  for (int i = 0; i < 4; ++i) {
    const auto* layout = inside<Layout>(layouts[i]);
    if (layout == nullptr) return invalid(std::string("no layout of matrix ") + "ABCD"[i]);
    *targets[i] = *layout;
    const cublasStatus_t status = check_layout(*layout, "ABCD"[i], i == 3);
    if (status != CUBLAS_STATUS_SUCCESS) return status;
  }
  for (const auto check : {+[](Problem& p) { return check_shapes(p); }, +[](Problem& p) { return check_types(p); },
                           +[](Problem& p) { return check_epilogue(p); }}) {
    const cublasStatus_t status = check(problem);
    if (status != CUBLAS_STATUS_SUCCESS) return status;
  }
  return CUBLAS_STATUS_SUCCESS;
}

std::uint32_t Algorithm::reduction_scheme() const {
  return method == Method::single_pass          ? CUBLASLT_REDUCTION_SCHEME_NONE
         : method == Method::split_in_workspace ? CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE
                                                : CUBLASLT_REDUCTION_SCHEME_INPLACE;
}

}  // namespace software_gpu::cublaslt
