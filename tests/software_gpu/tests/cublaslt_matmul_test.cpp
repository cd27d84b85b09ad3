// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "tests/software_gpu/tests/cublaslt_matmul.hpp"

namespace software_gpu {
namespace {

using namespace testing;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

TEST(CublasLtMatmul, AllTypesAndTransposes) {
  const std::pair<Element, Element> types[] = {{Element::fp16, Element::fp16},
                                               {Element::fp16, Element::fp32},
                                               {Element::bf16, Element::bf16},
                                               {Element::bf16, Element::fp32},
                                               {Element::fp32, Element::fp32}};
  for (const auto& [in, out] : types) {
    expect_clean(schedule("random"), [in = in, out = out] {
      for (const bool transpose_a : {false, true}) {
        for (const bool transpose_b : {false, true}) {
          for (const auto& [m, n, k] : {std::array{1, 1, 1}, {5, 7, 9}, {33, 2, 100}}) {
            Matmul matmul({std::uint64_t(m), std::uint64_t(n), std::uint64_t(k), in, out, transpose_a, transpose_b});
            matmul.alpha = 0.5F;
            matmul.beta = 2;
            lt(matmul.run());
            matmul.check();
          }
        }
      }
    });
  }
}

TEST(CublasLtMatmul, RowMajorMatricesAreTransposedOnes) {
  expect_clean(schedule("random"), [] {
    Matmul matmul({6, 4, 10});
    lt(matmul.run());
    const Floats expected = matmul.d.values();
    // D^T = B^T A^T: the same memory, read as row-major matrices
    for (const auto& [layout, rows, columns] : {std::tuple{matmul.a_layout, 10, 6},
                                                {matmul.b_layout, 4, 10},
                                                {matmul.c_layout, 4, 6},
                                                {matmul.d_layout, 4, 6}}) {
      Matmul::set(layout, CUBLASLT_MATRIX_LAYOUT_ORDER, std::int32_t{CUBLASLT_ORDER_ROW});
      Matmul::set(layout, CUBLASLT_MATRIX_LAYOUT_ROWS, std::uint64_t(rows));
      Matmul::set(layout, CUBLASLT_MATRIX_LAYOUT_COLS, std::uint64_t(columns));
    }
    const float one = 1, zero = 0;
    Array d(Element::fp16, 24);
    lt(cublasLtMatmul(matmul.handle, matmul.description, &one, matmul.b.get(), matmul.b_layout, matmul.a.get(),
                      matmul.a_layout, &zero, nullptr, matmul.c_layout, d.get(), matmul.d_layout, nullptr, nullptr, 0,
                      nullptr));
    require(d.values() == expected, "the same bits");
  });
}

TEST(CublasLtMatmul, GapsOfLeadingDimensionsAreNeitherReadNorWritten) {
  expect_clean([] {
    Matmul matmul({3, 2, 4});
    lt(matmul.run());
    const Floats packed = matmul.d.values();
    Array a(Element::fp16, 5 * 4), d(Element::fp16, Floats(4 * 2, 9));
    Matmul::set(matmul.a_layout, CUBLASLT_MATRIX_LAYOUT_LD, std::int64_t{5});
    Matmul::set(matmul.d_layout, CUBLASLT_MATRIX_LAYOUT_LD, std::int64_t{4});
    for (std::size_t t = 0; t < 4; ++t) {
      call(cudaMemcpy(a.get(5 * t), matmul.a.get(3 * t), 6, cudaMemcpyDeviceToDevice));
    }
    const float one = 1, zero = 0;
    lt(cublasLtMatmul(matmul.handle, matmul.description, &one, a.get(), matmul.a_layout, matmul.b.get(),
                      matmul.b_layout, &zero, nullptr, matmul.c_layout, d.get(), matmul.d_layout, nullptr, nullptr, 0,
                      nullptr));
    const Floats expected = {packed[0], packed[1], packed[2], 9, packed[3], packed[4], packed[5], 9};
    require(d.values() == expected, "the product, and the gaps of D as they were");
  });
}

TEST(CublasLtMatmul, StridedBatches) {
  expect_clean([] {
    Matmul matmul({2, 2, 2, Element::fp32, Element::fp32});
    const Floats a = {1, 2, 3, 4, 5, 6, 7, 8}, identity = {1, 0, 0, 1};
    Array batched(Element::fp32, a), one_for_all(Element::fp32, identity), d(Element::fp32, 8);
    for (const cublasLtMatrixLayout_t layout : {matmul.a_layout, matmul.b_layout, matmul.c_layout, matmul.d_layout}) {
      Matmul::set(layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, std::int32_t{2});
      const std::int64_t stride = layout == matmul.b_layout ? 0 : 4;
      Matmul::set(layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, stride);
    }
    const float two = 2, zero = 0;
    lt(cublasLtMatmul(matmul.handle, matmul.description, &two, batched.get(), matmul.a_layout, one_for_all.get(),
                      matmul.b_layout, &zero, nullptr, nullptr, d.get(), matmul.d_layout, nullptr, nullptr, 0,
                      nullptr));
    require(d.values() == Floats{2, 4, 6, 8, 10, 12, 14, 16}, "twice the input, both batches");
  });
}

TEST(CublasLtMatmul, BiasBelongsToRows) {
  expect_clean(schedule("random"), [] {
    Matmul matmul({});
    const Floats bias = random_values(Element::fp16, matmul.shape.m, 4);
    Array on_device(Element::fp16, bias);
    matmul.set(CUBLASLT_MATMUL_DESC_EPILOGUE, std::uint32_t{CUBLASLT_EPILOGUE_BIAS});
    matmul.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, on_device.get());
    matmul.set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, std::int32_t{CUDA_R_16F});
    lt(matmul.run());
    matmul.check(bias);
  });
}

TEST(CublasLtMatmul, ReluTakesNaNForZeroOrKeepsIt) {
  const auto run = [](bool keeps_nan) {
    Matmul matmul({2, 1, 1, Element::fp32, Element::fp32});
    Array a(Element::fp32, Floats{kNaN, -3}), b(Element::fp32, Floats{1}), bias(Element::fp32, Floats{0, 5});
    matmul.set(CUBLASLT_MATMUL_DESC_EPILOGUE, std::uint32_t{CUBLASLT_EPILOGUE_RELU_BIAS});
    matmul.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias.get());
    const float one = 1, zero = 0;
    lt(cublasLtMatmul(matmul.handle, matmul.description, &one, a.get(), matmul.a_layout, b.get(), matmul.b_layout,
                      &zero, nullptr, nullptr, matmul.d.get(), matmul.d_layout, nullptr, nullptr, 0, nullptr));
    const Floats found = matmul.d.values();
    require(keeps_nan ? std::isnan(found[0]) : found[0] == 0, "max(NaN, 0)");
    require(found[1] == 2, "max(5 - 3, 0)");
  };
  expect_clean(schedule("random"), [&] { run(false); });
  Environment keeping = schedule("random");
  keeping["SOFTWARE_GPU_RELU_KEEPS_NAN"] = "1";
  expect_clean(keeping, [&] { run(true); });
}

TEST(CublasLtMatmul, TheMaskOfTheForwardPassServesTheBackwardPass) {
  expect_clean([] {
    Matmul forward({2, 2, 1, Element::fp32, Element::fp32}), backward({2, 2, 1, Element::fp32, Element::fp32});
    Array a(Element::fp32, Floats{1, -1}), b(Element::fp32, Floats{3, -4}), bias(Element::fp32, Floats{0, 0});
    Array gradient(Element::fp32, Floats{10, 20}), ones(Element::fp32, Floats{1, 1}), bias_gradient(Element::fp32, 2);
    Memory mask(Memory::device, 2 * 128 / 8);
    for (Matmul* matmul : {&forward, &backward}) {
      matmul->set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, static_cast<void*>(mask.get()));
      matmul->set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, std::int64_t{128});
    }
    forward.set(CUBLASLT_MATMUL_DESC_EPILOGUE, std::uint32_t{CUBLASLT_EPILOGUE_RELU_AUX_BIAS});
    forward.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias.get());
    backward.set(CUBLASLT_MATMUL_DESC_EPILOGUE, std::uint32_t{CUBLASLT_EPILOGUE_DRELU_BGRAD});
    backward.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias_gradient.get());
    const float one = 1, zero = 0;
    lt(cublasLtMatmul(forward.handle, forward.description, &one, a.get(), forward.a_layout, b.get(), forward.b_layout,
                      &zero, nullptr, nullptr, forward.d.get(), forward.d_layout, nullptr, nullptr, 0, nullptr));
    require(forward.d.values() == Floats{3, 0, 0, 4}, "[[3, -4], [-3, 4]] without the negative ones");
    lt(cublasLtMatmul(backward.handle, backward.description, &one, gradient.get(), backward.a_layout, ones.get(),
                      backward.b_layout, &zero, nullptr, nullptr, backward.d.get(), backward.d_layout, nullptr, nullptr,
                      0, nullptr));
    require(backward.d.values() == Floats{10, 0, 0, 20}, "the gradient where the forward pass was positive");
    require(bias_gradient.values() == Floats{10, 20}, "its sum over columns");
  });
}

TEST(CublasLtMatmul, BiasGradientsOfOperands) {
  for (const auto epilogue : {CUBLASLT_EPILOGUE_BGRADA, CUBLASLT_EPILOGUE_BGRADB}) {
    expect_clean(schedule("random"), [epilogue] {
      Matmul matmul({3, 4, 20, Element::bf16, Element::fp32, true, false});
      const bool of_a = epilogue == CUBLASLT_EPILOGUE_BGRADA;
      Array sums(Element::fp32, of_a ? 3 : 4);
      matmul.set(CUBLASLT_MATMUL_DESC_EPILOGUE, std::uint32_t{epilogue});
      matmul.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, sums.get());
      lt(matmul.run());
      matmul.check();
      std::vector<double> expected;
      for (std::uint64_t i = 0; i < (of_a ? 3U : 4U); ++i) {
        double sum = 0;
        for (std::uint64_t t = 0; t < 20; ++t) sum += double{of_a ? matmul.a_at(i, t) : matmul.b_at(t, i)};
        expected.push_back(sum);
      }
      expect_near(sums.values(), expected, std::vector<double>(expected.size(), bound(Element::fp32, 20, 20)));
    });
  }
}

TEST(CublasLtMatmul, ScalarsMayLieOnTheDevice) {
  expect_clean([] {
    Matmul matmul({});
    matmul.alpha = 3;
    matmul.beta = -1;
    Array scalars(Element::fp32, Floats{3, -1});
    matmul.set(CUBLASLT_MATMUL_DESC_POINTER_MODE, std::int32_t{CUBLASLT_POINTER_MODE_DEVICE});
    lt(cublasLtMatmul(matmul.handle, matmul.description, scalars.get(0), matmul.a.get(), matmul.a_layout,
                      matmul.b.get(), matmul.b_layout, scalars.get(1), matmul.c.get(), matmul.c_layout, matmul.d.get(),
                      matmul.d_layout, nullptr, nullptr, 0, nullptr));
    matmul.check();
  });
}

TEST(CublasLtMatmul, CIsNotReadWhereBetaIsZero) {
  expect_clean([] {
    Matmul matmul({});
    Array uninitialised(Element::fp16, 35);
    const float one = 1, zero = 0;
    lt(cublasLtMatmul(matmul.handle, matmul.description, &one, matmul.a.get(), matmul.a_layout, matmul.b.get(),
                      matmul.b_layout, &zero, uninitialised.get(), matmul.c_layout, matmul.d.get(), matmul.d_layout,
                      nullptr, nullptr, 0, nullptr));
    matmul.check();
  });
}

TEST(CublasLtMatmul, Tf32RoundsOperandsAndOnlyWhenAskedFor) {
  expect_clean(schedule("random"), [] {
    for (const auto compute : {CUBLAS_COMPUTE_32F, CUBLAS_COMPUTE_32F_FAST_TF32}) {
      Matmul matmul({1, 1, 1, Element::fp32, Element::fp32, false, false, compute});
      Array a(Element::fp32, Floats{1 + 0x1p-12F}), b(Element::fp32, Floats{1});
      const float one = 1, zero = 0;
      lt(cublasLtMatmul(matmul.handle, matmul.description, &one, a.get(), matmul.a_layout, b.get(), matmul.b_layout,
                        &zero, nullptr, nullptr, matmul.d.get(), matmul.d_layout, nullptr, nullptr, 0, nullptr));
      const float expected = compute == CUBLAS_COMPUTE_32F ? 1 + 0x1p-12F : 1;
      require(matmul.d.values()[0] == expected, "the mantissa has 10 bits in TF32");
    }
  });
}

}  // namespace
}  // namespace software_gpu
