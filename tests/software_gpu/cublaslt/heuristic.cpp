// SPDX-License-Identifier: Apache-2.0
// The choice of an algorithm: cublasLtMatmulAlgo*.
#include "tests/software_gpu/cublaslt/heuristic.hpp"

#include <algorithm>
#include <cstring>
#include <mutex>

#include "tests/software_gpu/core/report.hpp"
#include "tests/software_gpu/core/stream.hpp"

namespace software_gpu::cublaslt {
namespace {

constexpr std::uint64_t kLeastSplitDepth = 64;

std::uint64_t workspace_of(Method method, const Problem& p) {
  if (method == Method::single_pass) return 0;
  if (method == Method::split_in_place) return 256;  // its counters
  const std::uint64_t partial_sums = 2 * p.m * p.n * static_cast<std::uint64_t>(p.d.batch_count) * sizeof(float);
  return (partial_sums + 255) / 256 * 256;
}

std::uint64_t implementation(const Problem& p) {
  const std::uint64_t operands = p.in() == Element::fp16   ? CUBLASLT_NUMERICAL_IMPL_FLAGS_INPUT_16F
                                 : p.in() == Element::bf16 ? CUBLASLT_NUMERICAL_IMPL_FLAGS_INPUT_16BF
                                 : p.description.compute_type == CUBLAS_COMPUTE_32F_FAST_TF32
                                     ? CUBLASLT_NUMERICAL_IMPL_FLAGS_INPUT_TF32
                                     : CUBLASLT_NUMERICAL_IMPL_FLAGS_INPUT_32F;
  const bool tensor_cores = operands != CUBLASLT_NUMERICAL_IMPL_FLAGS_INPUT_32F;
  return operands | CUBLASLT_NUMERICAL_IMPL_FLAGS_ACCUMULATOR_32F |
         (tensor_cores ? CUBLASLT_NUMERICAL_IMPL_FLAGS_HMMA : CUBLASLT_NUMERICAL_IMPL_FLAGS_FMA);
}

bool suits(const Algorithm& algorithm, const Problem& p, const Preference& preference) {
  if (algorithm.workspace > preference.workspace_limit) return false;
  if ((implementation(p) & ~preference.implementations) != 0) return false;
  if (algorithm.method == Method::single_pass) return true;
  if (p.k < kLeastSplitDepth) return false;
  if (algorithm.method == Method::split_in_place && (p.out() == Element::fp32 || !p.has(CUBLASLT_EPILOGUE_DEFAULT))) {
    return false;
  }
  return (algorithm.reduction_scheme() & preference.reduction_schemes) != 0;
}

cublasStatus_t algorithm_inside(const cublasLtMatmulAlgo_t* place, Algorithm& algorithm) {
  if (place == nullptr) return refuse(CUBLAS_STATUS_INVALID_VALUE, "no algorithm");
  std::memcpy(&algorithm, static_cast<const void*>(place), sizeof algorithm);
  if (algorithm.magic != Algorithm::kMagic) return refuse(CUBLAS_STATUS_INVALID_VALUE, "an algorithm of no heuristic");
  return CUBLAS_STATUS_SUCCESS;
}

template <class Value>
cublasStatus_t give(Value value, void* buffer, std::size_t bytes, std::size_t* written) {
  if (bytes == 0 ? written == nullptr : buffer == nullptr || bytes != sizeof value) {
    return refuse(CUBLAS_STATUS_INVALID_VALUE, "cublasLtMatmulAlgoConfigGetAttribute: wrong size");
  }
  if (written != nullptr) *written = sizeof value;
  if (bytes != 0) std::memcpy(buffer, &value, sizeof value);
  return CUBLAS_STATUS_SUCCESS;
}

}  // namespace

std::vector<Algorithm> suitable_algorithms(const Problem& problem, const Preference& preference) {
  std::vector<Algorithm> algorithms;
  for (const Method method : {Method::split_in_place, Method::split_in_workspace, Method::single_pass}) {
    Algorithm algorithm;
    algorithm.method = method;
    algorithm.identity = problem.identity();
    algorithm.workspace = workspace_of(method, problem);
    const std::uint32_t promised[] = {preference.alignment_a, preference.alignment_b, preference.alignment_c,
                                      preference.alignment_d};
    std::copy(std::begin(promised), std::end(promised), algorithm.alignment);
    if (suits(algorithm, problem, preference)) algorithms.push_back(algorithm);
  }
  return algorithms;
}

}  // namespace software_gpu::cublaslt

using namespace software_gpu;
using namespace software_gpu::cublaslt;

extern "C" {

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t description,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int requested,
                                              cublasLtMatmulHeuristicResult_t results[], int* returned) {
  std::lock_guard lock(mutex());
  if (!is_live(handle)) {
    return refuse(CUBLAS_STATUS_NOT_INITIALIZED, "cublasLtMatmulAlgoGetHeuristic: no valid handle");
  }
  if (requested <= 0 || results == nullptr || returned == nullptr) {
    return refuse(CUBLAS_STATUS_INVALID_VALUE, "cublasLtMatmulAlgoGetHeuristic: no place for results");
  }
  *returned = 0;
  const auto* wishes = inside<Preference>(preference);
  if (wishes == nullptr) return refuse(CUBLAS_STATUS_INVALID_VALUE, "cublasLtMatmulAlgoGetHeuristic: no preference");
  if (wishes->search_mode != CUBLASLT_SEARCH_BEST_FIT) unsupported("CUBLASLT_SEARCH_LIMITED_BY_ALGO_ID");
  Problem problem;
  const cublasStatus_t status = make_problem(description, a, b, c, d, problem);
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  for (const Algorithm& algorithm : suitable_algorithms(problem, *wishes)) {
    if (*returned == requested) break;
    cublasLtMatmulHeuristicResult_t& result = results[(*returned)++];
    result = {};
    std::memcpy(static_cast<void*>(&result.algo), &algorithm, sizeof algorithm);
    result.workspaceSize = algorithm.workspace;
    result.state = CUBLAS_STATUS_SUCCESS;
    result.wavesCount = 1;
  }
  if (*returned == 0) return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "no algorithm within the preference");
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoConfigGetAttribute(const cublasLtMatmulAlgo_t* algo,
                                                    cublasLtMatmulAlgoConfigAttributes_t attr, void* buf,
                                                    size_t sizeInBytes, size_t* sizeWritten) {
  Algorithm algorithm;
  const cublasStatus_t status = algorithm_inside(algo, algorithm);
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  const bool split = algorithm.method != Method::single_pass;
  switch (attr) {
    case CUBLASLT_ALGO_CONFIG_ID:
      return give(static_cast<std::int32_t>(algorithm.method), buf, sizeInBytes, sizeWritten);
    case CUBLASLT_ALGO_CONFIG_SPLITK_NUM:
      return give(std::int32_t{split ? 2 : 1}, buf, sizeInBytes, sizeWritten);
    case CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME:
      return give(algorithm.reduction_scheme(), buf, sizeInBytes, sizeWritten);
    default:
      unsupported("cublasLtMatmulAlgoConfigGetAttribute: attribute " + std::to_string(attr));
  }
}
}
