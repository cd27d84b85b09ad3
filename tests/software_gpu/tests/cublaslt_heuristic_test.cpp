// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/tests/cublaslt_matmul.hpp"

namespace software_gpu {
namespace {

using namespace testing;
using Results = std::vector<cublasLtMatmulHeuristicResult_t>;

std::uint32_t reduction_scheme(const cublasLtMatmulHeuristicResult_t& result) {
  std::uint32_t scheme = 0;
  std::size_t written = 0;
  lt(cublasLtMatmulAlgoConfigGetAttribute(&result.algo, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME, &scheme, sizeof scheme,
                                          &written));
  require(written == sizeof scheme, "size of the attribute");
  return scheme;
}

TEST(CublasLtHeuristic, OffersNothingThatNeedsMoreWorkspaceThanAllowed) {
  expect_clean(schedule("eager"), [] {
    Matmul matmul({16, 16, 128});
    Results results;
    lt(matmul.heuristic(results));
    require(results.size() == 1 && results[0].workspaceSize == 0, "without a workspace: one pass");
    matmul.prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, std::uint64_t{1} << 20);
    lt(matmul.heuristic(results));
    require(results.size() == 3, "with one: three ways");
    lt(matmul.heuristic(results, 1));
    require(results.size() == 1, "no more than asked for");
  });
}

TEST(CublasLtHeuristic, ReductionSchemesAreFiltered) {
  expect_clean(schedule("eager"), [] {
    Matmul matmul({16, 16, 128});
    matmul.prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, std::uint64_t{1} << 20);
    Results results;
    lt(matmul.heuristic(results));
    require(reduction_scheme(results[0]) == CUBLASLT_REDUCTION_SCHEME_INPLACE, "first what rounds partial sums");
    matmul.prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, std::uint32_t{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
    lt(matmul.heuristic(results));
    require(results.size() == 2, "sums in the compute type, and one pass");
    require(reduction_scheme(results[0]) == CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE, "the first is split");
  });
}

TEST(CublasLtHeuristic, EachAlgorithmComputesTheProduct) {
  for (const Element out : {Element::fp16, Element::fp32}) {
    expect_clean([out] {
      Matmul matmul({9, 3, 130, Element::fp16, out});
      Memory workspace(Memory::device, 1 << 16);
      matmul.prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, std::uint64_t{1} << 16);
      Results results;
      lt(matmul.heuristic(results));
      for (const auto& result : results) {
        if (reduction_scheme(result) == CUBLASLT_REDUCTION_SCHEME_INPLACE) continue;
        lt(matmul.run(&result.algo, workspace.get(), result.workspaceSize));
        matmul.check();
      }
    });
  }
}

TEST(CublasLtHeuristic, InPlaceReductionRoundsPartialSums) {
  expect_clean(schedule("eager"), [] {
    Floats a(128, 0), ones(128, 1);
    a[0] = 2048;
    a[1] = 1;  // 2049 rounds to 2048 when the first half is stored
    a[100] = 1;
    Matmul matmul({1, 1, 128});
    Array left(Element::fp16, a), right(Element::fp16, ones);
    Memory workspace(Memory::device, 4096);
    matmul.prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, std::uint64_t{4096});
    Results results;
    lt(matmul.heuristic(results));
    require(results.size() == 3, "three ways");
    Floats found;
    for (const auto& result : results) {
      const float one = 1, zero = 0;
      lt(cublasLtMatmul(matmul.handle, matmul.description, &one, left.get(), matmul.a_layout, right.get(),
                        matmul.b_layout, &zero, nullptr, nullptr, matmul.d.get(), matmul.d_layout, &result.algo,
                        workspace.get(), 4096, nullptr));
      found.push_back(matmul.d.values()[0]);
    }
    require(found == Floats{2048, 2050, 2050}, "in place, in the workspace, in one pass");
  });
}

TEST(CublasLtHeuristic, ASharedWorkspaceIsARace) {
  const auto multiply_on_two_streams = [](bool share) {
    Matmul first({16, 16, 128}), second({16, 16, 128});
    Memory one(Memory::device, 1 << 16), other(Memory::device, 1 << 16);
    Stream stream, other_stream;
    call(cudaDeviceSynchronize());
    lt(first.run(nullptr, one.get(), 1 << 16, stream));
    lt(second.run(nullptr, share ? one.get() : other.get(), 1 << 16, other_stream));
    call(cudaDeviceSynchronize());
  };
  expect_clean([&] { multiply_on_two_streams(false); });
  expect_reported("stream-race", [&] { multiply_on_two_streams(true); });
}

TEST(CublasLtHeuristic, AnAlgorithmOfAnotherProblemIsReported) {
  const std::function<void(Matmul&)> changes[] = {
      [](Matmul& matmul) { Matmul::set(matmul.d_layout, CUBLASLT_MATRIX_LAYOUT_LD, std::int64_t{17}); },
      [](Matmul& matmul) { Matmul::set(matmul.a_layout, CUBLASLT_MATRIX_LAYOUT_ORDER, std::int32_t{1}); },
      [](Matmul& matmul) { matmul.set(CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T); },
      [](Matmul& matmul) { matmul.set(CUBLASLT_MATMUL_DESC_EPILOGUE, std::uint32_t{CUBLASLT_EPILOGUE_RELU}); },
      [](Matmul& matmul) {
        for (const auto layout : {matmul.c_layout, matmul.d_layout}) {
          Matmul::set(layout, CUBLASLT_MATRIX_LAYOUT_TYPE, std::uint32_t{CUDA_R_32F});
        }
      },
      [](Matmul& matmul) {
        for (const auto layout : {matmul.a_layout, matmul.b_layout, matmul.c_layout, matmul.d_layout}) {
          Matmul::set(layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, std::int32_t{1});
        }
      }};
  for (const auto& change : changes) {
    expect_reported("algorithm-mismatch", schedule("lazy"), [&change] {
      Matmul other({16, 16, 16});
      for (const auto layout : {other.a_layout, other.b_layout, other.c_layout, other.d_layout}) {
        Matmul::set(layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, std::int32_t{2});
        Matmul::set(layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, std::int64_t{512});
      }
      Results results;
      lt(other.heuristic(results));
      change(other);
      lt(other.run(&results[0].algo));
      std::exit(0);  // what matters is said; the operands are too small for some of the changes
    });
  }
}

TEST(CublasLtHeuristic, LessAlignmentThanPromisedIsReported) {
  const auto multiply = [](std::uint32_t promised) {
    Matmul matmul({4, 2, 4, Element::fp16, Element::fp16});
    Array odd(Element::fp16, random_values(Element::fp16, 17, 5));
    matmul.prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, promised);
    Results results;
    lt(matmul.heuristic(results));
    const float one = 1, zero = 0;
    lt(cublasLtMatmul(matmul.handle, matmul.description, &one, odd.get(1), matmul.a_layout, matmul.b.get(),
                      matmul.b_layout, &zero, nullptr, nullptr, matmul.d.get(), matmul.d_layout, &results[0].algo,
                      nullptr, 0, nullptr));
    cudaDeviceSynchronize();
  };
  expect_ends_well([&] { multiply(2); });
  const Outcome outcome = run_in_child(schedule("eager"), [&] {
    multiply(256);
    std::_Exit(87);
  });
  EXPECT_NE(outcome.errors.find("software GPU: misaligned: "), std::string::npos) << outcome.errors;
}

TEST(CublasLtHeuristic, OperandsAreCheckedAsKernelsAre) {
  expect_reported("uninitialised-read", [] {
    Matmul matmul({});
    const float one = 1, zero = 0;
    Array uninitialised(Element::fp16, 45);
    lt(cublasLtMatmul(matmul.handle, matmul.description, &one, uninitialised.get(), matmul.a_layout, matmul.b.get(),
                      matmul.b_layout, &zero, nullptr, nullptr, matmul.d.get(), matmul.d_layout, nullptr, nullptr, 0,
                      nullptr));
    call(cudaDeviceSynchronize());
  });
  expect_reported("stream-race", [] {
    Matmul matmul({});
    Stream first, second;
    call(cudaDeviceSynchronize());
    call(cudaMemsetAsync(matmul.a.get(), 0, 90, first));
    lt(matmul.run(nullptr, nullptr, 0, second));
    call(cudaDeviceSynchronize());
  });
}

}  // namespace
}  // namespace software_gpu
