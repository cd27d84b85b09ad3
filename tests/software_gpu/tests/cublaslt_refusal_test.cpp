// SPDX-License-Identifier: Apache-2.0
// What the manual refuses, one case each: the call says so and nothing runs.
#include "tests/software_gpu/tests/cublaslt_matmul.hpp"

namespace software_gpu {
namespace {

using namespace testing;

/// A multiplication that works is refused after one change.
void expect_refused(cublasStatus_t status, const Shape& shape, const std::function<void(Matmul&)>& change) {
  expect_ends_well([&] {
    Matmul matmul(shape);
    lt(matmul.run());
    change(matmul);
    lt(status, matmul.run());
  });
}

template <class T>
auto set(cublasLtMatmulDescAttributes_t attribute, T value) {
  return [=](Matmul& matmul) { matmul.set(attribute, value); };
}

TEST(CublasLtRefuses, DimensionsThatDoNotFit) {
  expect_refused(CUBLAS_STATUS_INVALID_VALUE, {},
                 [](Matmul& matmul) { Matmul::set(matmul.b_layout, CUBLASLT_MATRIX_LAYOUT_ROWS, std::uint64_t{8}); });
  expect_refused(CUBLAS_STATUS_INVALID_VALUE, {},
                 [](Matmul& matmul) { Matmul::set(matmul.d_layout, CUBLASLT_MATRIX_LAYOUT_COLS, std::uint64_t{6}); });
  expect_refused(CUBLAS_STATUS_INVALID_VALUE, {}, set(CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T));
}

TEST(CublasLtRefuses, ALeadingDimensionBelowTheRows) {
  expect_refused(CUBLAS_STATUS_INVALID_VALUE, {},
                 [](Matmul& matmul) { Matmul::set(matmul.a_layout, CUBLASLT_MATRIX_LAYOUT_LD, std::int64_t{4}); });
}

TEST(CublasLtRefuses, TypesThatTheTableLacks) {
  const auto type = [](cublasLtMatrixLayout_t layout, cudaDataType value) {
    Matmul::set(layout, CUBLASLT_MATRIX_LAYOUT_TYPE, std::uint32_t{value});
  };
  expect_refused(CUBLAS_STATUS_NOT_SUPPORTED, {}, [&](Matmul& matmul) { type(matmul.b_layout, CUDA_R_16BF); });
  expect_refused(CUBLAS_STATUS_NOT_SUPPORTED, {}, [&](Matmul& matmul) { type(matmul.c_layout, CUDA_R_32F); });
  expect_refused(CUBLAS_STATUS_NOT_SUPPORTED, {}, [&](Matmul& matmul) {
    type(matmul.c_layout, CUDA_R_16BF);
    type(matmul.d_layout, CUDA_R_16BF);
  });
  expect_refused(CUBLAS_STATUS_NOT_SUPPORTED, {}, set(CUBLASLT_MATMUL_DESC_SCALE_TYPE, std::int32_t{CUDA_R_16F}));
  expect_refused(CUBLAS_STATUS_NOT_SUPPORTED, {},
                 set(CUBLASLT_MATMUL_DESC_COMPUTE_TYPE, std::int32_t{CUBLAS_COMPUTE_32F_FAST_TF32}));
}

TEST(CublasLtRefuses, BatchesThatDifferOrOverlap) {
  expect_refused(CUBLAS_STATUS_INVALID_VALUE, {}, [](Matmul& matmul) {
    Matmul::set(matmul.a_layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, std::int32_t{2});
  });
  expect_refused(CUBLAS_STATUS_INVALID_VALUE, {}, [](Matmul& matmul) {
    for (const auto layout : {matmul.a_layout, matmul.b_layout, matmul.c_layout, matmul.d_layout}) {
      Matmul::set(layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, std::int32_t{2});
    }
  });
}

TEST(CublasLtRefuses, ABiasWithoutPointer) {
  expect_refused(CUBLAS_STATUS_INVALID_VALUE, {},
                 set(CUBLASLT_MATMUL_DESC_EPILOGUE, std::uint32_t{CUBLASLT_EPILOGUE_BIAS}));
}

TEST(CublasLtRefuses, ABiasOfAnotherTypeThanD) {
  expect_refused(CUBLAS_STATUS_NOT_SUPPORTED, {}, [](Matmul& matmul) {
    matmul.set(CUBLASLT_MATMUL_DESC_EPILOGUE, std::uint32_t{CUBLASLT_EPILOGUE_BIAS});
    matmul.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, matmul.c.get());
    matmul.set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, std::int32_t{CUDA_R_32F});
  });
}

TEST(CublasLtRefuses, ABiasWhereDIsRowMajor) {
  expect_refused(CUBLAS_STATUS_NOT_SUPPORTED, {4, 4, 4}, [](Matmul& matmul) {
    matmul.set(CUBLASLT_MATMUL_DESC_EPILOGUE, std::uint32_t{CUBLASLT_EPILOGUE_RELU_BIAS});
    matmul.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, matmul.c.get());
    Matmul::set(matmul.c_layout, CUBLASLT_MATRIX_LAYOUT_ORDER, std::int32_t{CUBLASLT_ORDER_ROW});
    Matmul::set(matmul.d_layout, CUBLASLT_MATRIX_LAYOUT_ORDER, std::int32_t{CUBLASLT_ORDER_ROW});
  });
}

TEST(CublasLtRefuses, AMaskWithoutItsLeadingDimension) {
  for (const std::int64_t leading : {0, 5, 64, 200}) {
    expect_refused(CUBLAS_STATUS_INVALID_VALUE, {}, [leading](Matmul& matmul) {
      matmul.set(CUBLASLT_MATMUL_DESC_EPILOGUE, std::uint32_t{CUBLASLT_EPILOGUE_RELU_AUX});
      matmul.set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, matmul.c.get());
      matmul.set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, leading);
    });
  }
}

TEST(CublasLtRefuses, AWorkspaceBelowTheAlgorithmsOrMisaligned) {
  expect_ends_well([] {
    Matmul matmul({16, 16, 128});
    Memory workspace(Memory::device, 1 << 16);
    matmul.prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, std::uint64_t{1} << 16);
    matmul.prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, std::uint32_t{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
    std::vector<cublasLtMatmulHeuristicResult_t> results;
    lt(matmul.heuristic(results));
    const std::size_t need = results[0].workspaceSize;
    require(need > 0, "the first algorithm needs a workspace");
    lt(matmul.run(&results[0].algo, workspace.get(), need));
    lt(CUBLAS_STATUS_INVALID_VALUE, matmul.run(&results[0].algo, workspace.get(), need - 1));
    lt(CUBLAS_STATUS_INVALID_VALUE, matmul.run(&results[0].algo, nullptr, need));
    lt(CUBLAS_STATUS_INVALID_VALUE, matmul.run(&results[0].algo, workspace.get(128), need));
    call(cudaDeviceSynchronize());
  });
}

TEST(CublasLtRefuses, AWorkspaceSmallerThanSaid) {
  expect_reported("out-of-bounds", [] {
    Matmul matmul({});
    Memory workspace(Memory::device, 256);
    lt(matmul.run(nullptr, workspace.get(), 1 << 20));
    cudaDeviceSynchronize();
    std::exit(0);  // the context has failed: destructors would find every call failing
  });
}

TEST(CublasLtRefuses, AnAlgorithmOfNoHeuristic) {
  expect_ends_well([] {
    Matmul matmul({});
    const cublasLtMatmulAlgo_t blank{};
    lt(CUBLAS_STATUS_INVALID_VALUE, matmul.run(&blank));
  });
}

TEST(CublasLtRefuses, HandlesThatWereDestroyed) {
  expect_ends_well([] {
    Matmul matmul({});
    cublasLtHandle_t other = nullptr;
    lt(cublasLtCreate(&other));
    lt(cublasLtDestroy(other));
    std::swap(other, matmul.handle);
    std::vector<cublasLtMatmulHeuristicResult_t> results;
    lt(CUBLAS_STATUS_NOT_INITIALIZED, matmul.run());
    lt(CUBLAS_STATUS_NOT_INITIALIZED, matmul.heuristic(results));
    lt(CUBLAS_STATUS_NOT_INITIALIZED, cublasLtDestroy(matmul.handle));
    std::swap(other, matmul.handle);
  });
}

TEST(CublasLtRefuses, DescriptorsThatAreNullOrDestroyed) {
  expect_ends_well([] {
    Matmul matmul({});
    const float one = 1;
    lt(CUBLAS_STATUS_INVALID_VALUE,
       cublasLtMatmul(matmul.handle, nullptr, &one, matmul.a.get(), matmul.a_layout, matmul.b.get(), matmul.b_layout,
                      &one, matmul.c.get(), matmul.c_layout, matmul.d.get(), matmul.d_layout, nullptr, nullptr, 0,
                      nullptr));
    lt(CUBLAS_STATUS_NOT_INITIALIZED,
       cublasLtMatmul(nullptr, matmul.description, &one, matmul.a.get(), matmul.a_layout, matmul.b.get(),
                      matmul.b_layout, &one, matmul.c.get(), matmul.c_layout, matmul.d.get(), matmul.d_layout, nullptr,
                      nullptr, 0, nullptr));
    cublasLtMatrixLayoutOpaque_t blank{};
    lt(CUBLAS_STATUS_INVALID_VALUE,
       cublasLtMatmul(matmul.handle, matmul.description, &one, matmul.a.get(), &blank, matmul.b.get(), matmul.b_layout,
                      &one, matmul.c.get(), matmul.c_layout, matmul.d.get(), matmul.d_layout, nullptr, nullptr, 0,
                      nullptr));
  });
}

TEST(CublasLtRefuses, NullMatricesAndOddInPlaceLayouts) {
  expect_ends_well([] {
    Matmul matmul({});
    const float one = 1;
    const auto run = [&](void* a, void* c, cublasLtMatrixLayout_t c_layout) {
      return cublasLtMatmul(matmul.handle, matmul.description, &one, a, matmul.a_layout, matmul.b.get(),
                            matmul.b_layout, &one, c, c_layout, matmul.d.get(), matmul.d_layout, nullptr, nullptr, 0,
                            nullptr);
    };
    lt(CUBLAS_STATUS_INVALID_VALUE, run(nullptr, matmul.c.get(), matmul.c_layout));
    lt(CUBLAS_STATUS_INVALID_VALUE, run(matmul.a.get(), nullptr, matmul.c_layout));
    Matmul::set(matmul.c_layout, CUBLASLT_MATRIX_LAYOUT_LD, std::int64_t{6});
    lt(CUBLAS_STATUS_INVALID_VALUE, run(matmul.a.get(), matmul.d.get(), matmul.c_layout));
  });
}

TEST(CublasLtRefuses, AttributesOfAnotherSize) {
  expect_ends_well([] {
    Matmul matmul({});
    const std::int64_t wide = CUBLAS_OP_T;
    lt(CUBLAS_STATUS_INVALID_VALUE,
       cublasLtMatmulDescSetAttribute(matmul.description, CUBLASLT_MATMUL_DESC_TRANSA, &wide, sizeof wide));
    lt(CUBLAS_STATUS_INVALID_VALUE,
       cublasLtMatrixLayoutSetAttribute(matmul.a_layout, CUBLASLT_MATRIX_LAYOUT_LD, nullptr, sizeof wide));
  });
}

TEST(CublasLtRefuses, RequestsForNoAlgorithm) {
  expect_ends_well([] {
    Matmul matmul({});
    std::vector<cublasLtMatmulHeuristicResult_t> results;
    lt(CUBLAS_STATUS_INVALID_VALUE, matmul.heuristic(results, 0));
    matmul.prefer(CUBLASLT_MATMUL_PREF_IMPL_MASK, std::uint64_t{CUBLASLT_NUMERICAL_IMPL_FLAGS_FMA});
    lt(CUBLAS_STATUS_NOT_SUPPORTED, matmul.heuristic(results));
  });
}

TEST(CublasLtRefuses, WhatItDoesNotKnowByName) {
  expect_reported(
      "unsupported", schedule("eager"), [] { cublasLtLoggerSetLevel(5); }, 89);
  expect_reported(
      "unsupported", schedule("eager"),
      [] {
        Matmul matmul({});
        matmul.set(CUBLASLT_MATMUL_DESC_EPILOGUE, std::uint32_t{CUBLASLT_EPILOGUE_GELU});
      },
      89);
  expect_reported(
      "unsupported", schedule("eager"),
      [] {
        Matmul matmul({});
        matmul.set(CUBLASLT_MATMUL_DESC_D_SCALE_POINTER, matmul.c.get());
      },
      89);
}

}  // namespace
}  // namespace software_gpu
