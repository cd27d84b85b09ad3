// SPDX-License-Identifier: Apache-2.0
// One multiplication with all its descriptors, which a test changes before it calls.
#pragma once
#include <cublasLt.h>

#include "tests/software_gpu/tests/matrix_data.hpp"

namespace software_gpu::testing {

inline void lt(cublasStatus_t expected, cublasStatus_t found, int line = __builtin_LINE()) {
  require(expected == found, std::string(cublasLtGetStatusName(expected)) + " == " + cublasLtGetStatusName(found),
          line);
}
inline void lt(cublasStatus_t found, int line = __builtin_LINE()) {
  lt(CUBLAS_STATUS_SUCCESS, found, line);
}

inline cudaDataType cuda_type(Element type) {
  return type == Element::fp32 ? CUDA_R_32F : type == Element::fp16 ? CUDA_R_16F : CUDA_R_16BF;
}

struct Shape {
  std::uint64_t m = 5, n = 7, k = 9;
  Element in = Element::fp16, out = Element::fp16;
  bool transpose_a = false, transpose_b = false;
  cublasComputeType_t compute = CUBLAS_COMPUTE_32F;
};

/// D = alpha * op(A) * op(B) + beta * C, column-major and packed unless a test changes the layouts.
class Matmul {
 public:
  explicit Matmul(const Shape& given)
      : shape(given),
        a_values(random_values(given.in, given.m * given.k, 1)),
        b_values(random_values(given.in, given.k * given.n, 2)),
        c_values(random_values(given.out, given.m * given.n, 3)),
        a(given.in, a_values),
        b(given.in, b_values),
        c(given.out, c_values),
        d(given.out, given.m * given.n) {
    lt(cublasLtCreate(&handle));
    lt(cublasLtMatmulDescCreate(&description, shape.compute, CUDA_R_32F));
    set(CUBLASLT_MATMUL_DESC_TRANSA, shape.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(CUBLASLT_MATMUL_DESC_TRANSB, shape.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N);
    layout(a_layout, shape.in, shape.transpose_a ? shape.k : shape.m, shape.transpose_a ? shape.m : shape.k);
    layout(b_layout, shape.in, shape.transpose_b ? shape.n : shape.k, shape.transpose_b ? shape.k : shape.n);
    layout(c_layout, shape.out, shape.m, shape.n);
    layout(d_layout, shape.out, shape.m, shape.n);
    lt(cublasLtMatmulPreferenceCreate(&preference));
  }
  ~Matmul() {
    lt(cublasLtMatmulPreferenceDestroy(preference));
    for (const cublasLtMatrixLayout_t matrix : {a_layout, b_layout, c_layout, d_layout}) {
      lt(cublasLtMatrixLayoutDestroy(matrix));
    }
    lt(cublasLtMatmulDescDestroy(description));
    lt(cublasLtDestroy(handle));
  }
  Matmul(const Matmul&) = delete;
  Matmul& operator=(const Matmul&) = delete;

  template <class T>
  void set(cublasLtMatmulDescAttributes_t attribute, T value) {
    lt(cublasLtMatmulDescSetAttribute(description, attribute, &value, sizeof value));
  }
  template <class T>
  static void set(cublasLtMatrixLayout_t matrix, cublasLtMatrixLayoutAttribute_t attribute, T value) {
    lt(cublasLtMatrixLayoutSetAttribute(matrix, attribute, &value, sizeof value));
  }
  template <class T>
  void prefer(cublasLtMatmulPreferenceAttributes_t attribute, T value) {
    lt(cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof value));
  }

  cublasStatus_t heuristic(std::vector<cublasLtMatmulHeuristicResult_t>& results, int room = 8) {
    int count = 0;
    results.resize(static_cast<std::size_t>(room));
    const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(handle, description, a_layout, b_layout, c_layout,
                                                                 d_layout, preference, room, results.data(), &count);
    results.resize(static_cast<std::size_t>(count));
    return status;
  }

  cublasStatus_t run(const cublasLtMatmulAlgo_t* algo = nullptr, void* workspace = nullptr, std::size_t bytes = 0,
                     cudaStream_t stream = nullptr) {
    return cublasLtMatmul(handle, description, &alpha, a.get(), a_layout, b.get(), b_layout, &beta, c.get(), c_layout,
                          d.get(), d_layout, algo, workspace, bytes, stream);
  }

  /// Compares D with alpha * op(A) * op(B) + beta * C in double precision, plus bias [m] (may be empty).
  void check(const Floats& bias = {}, int line = __builtin_LINE()) const {
    std::vector<double> expected, bounds;
    for (std::uint64_t j = 0; j < shape.n; ++j) {
      for (std::uint64_t i = 0; i < shape.m; ++i) {
        double sum = 0, magnitude = 1;
        for (std::uint64_t t = 0; t < shape.k; ++t) {
          const double product = double{a_at(i, t)} * double{b_at(t, j)};
          sum += product;
          magnitude += std::abs(product);
        }
        const double more = double{beta} * double{c_values[i + j * shape.m]} + (bias.empty() ? 0 : double{bias[i]});
        expected.push_back(double{alpha} * sum + more);
        bounds.push_back(bound(shape.out, shape.k + 2, std::abs(double{alpha}) * magnitude + std::abs(more)));
      }
    }
    expect_near(d.values(), expected, bounds, line);
  }
  float a_at(std::uint64_t i, std::uint64_t t) const {
    return shape.transpose_a ? a_values[t + i * shape.k] : a_values[i + t * shape.m];
  }
  float b_at(std::uint64_t t, std::uint64_t j) const {
    return shape.transpose_b ? b_values[j + t * shape.n] : b_values[t + j * shape.k];
  }

  Shape shape;
  float alpha = 1, beta = 0;
  Floats a_values, b_values, c_values;
  Array a, b, c, d;
  cublasLtHandle_t handle = nullptr;
  cublasLtMatmulDesc_t description = nullptr;
  cublasLtMatrixLayout_t a_layout = nullptr, b_layout = nullptr, c_layout = nullptr, d_layout = nullptr;
  cublasLtMatmulPreference_t preference = nullptr;

 private:
  static void layout(cublasLtMatrixLayout_t& matrix, Element type, std::uint64_t rows, std::uint64_t columns) {
    lt(cublasLtMatrixLayoutCreate(&matrix, cuda_type(type), rows, columns, static_cast<std::int64_t>(rows)));
  }
};

}  // namespace software_gpu::testing
