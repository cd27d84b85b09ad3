// SPDX-License-Identifier: Apache-2.0
// cublasLtMatmul: what the call itself can check; the rest happens when the stream gets there.
#include <bit>
#include <cstring>
#include <mutex>

#include "tests/software_gpu/core/operation.hpp"
#include "tests/software_gpu/core/report.hpp"
#include "tests/software_gpu/core/stream.hpp"
#include "tests/software_gpu/cublaslt/heuristic.hpp"

namespace software_gpu::cublaslt {
namespace {

cublasStatus_t invalid(const std::string& why) {
  return refuse(CUBLAS_STATUS_INVALID_VALUE, "cublasLtMatmul: " + why);
}

bool aligned(const void* p, std::size_t bytes) {
  return std::bit_cast<std::uintptr_t>(p) % bytes == 0;
}

cublasStatus_t check_pointers(const Problem& p, const Call& call) {
  if (call.a == nullptr || call.b == nullptr || call.d == nullptr) return invalid("A, B or D is null");
  const bool beta_is_zero = call.beta == nullptr && call.host_beta == 0;
  if (call.c == nullptr && !beta_is_zero) return invalid("C is null, and beta not 0");
  if (call.c == call.d && !(p.c == p.d)) return invalid("C is D, but their layouts differ");
  if ((p.adds_bias() || p.bias_gradient()) && p.description.bias == nullptr) {
    return invalid("the epilogue needs CUBLASLT_MATMUL_DESC_BIAS_POINTER");
  }
  if ((p.masks() || p.writes_mask()) && p.description.auxiliary == nullptr) {
    return invalid("the epilogue needs CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER");
  }
  if (!aligned(call.workspace, 256)) return invalid("the workspace is not aligned to 256 bytes");
  return CUBLAS_STATUS_SUCCESS;
}

/// The algorithm of the call, or what an implicit query with default preferences (so without workspace) finds.
cublasStatus_t choose(const Problem& p, const cublasLtMatmulAlgo_t* algo, Algorithm& algorithm) {
  if (algo == nullptr) {
    const std::vector<Algorithm> found = suitable_algorithms(p, Preference{});
    if (found.empty()) return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "cublasLtMatmul: no algorithm");
    algorithm = found.front();
    return CUBLAS_STATUS_SUCCESS;
  }
  std::memcpy(&algorithm, static_cast<const void*>(algo), sizeof algorithm);
  if (algorithm.magic != Algorithm::kMagic) return invalid("an algorithm of no heuristic");
  if (algorithm.identity != p.identity()) {
    report("algorithm-mismatch", "cublasLtMatmul with an algorithm that the heuristic made for another problem");
    algorithm.method = Method::single_pass;
  }
  return CUBLAS_STATUS_SUCCESS;
}

void check_alignment(const Problem& p, const Algorithm& algorithm, const Call& call) {
  const void* const pointers[] = {call.a, call.b, call.c, call.d};
  const Layout* const layouts[] = {&p.a, &p.b, &p.c, &p.d};
  for (int i = 0; i < 4; ++i) {
    const std::size_t least = std::max<std::size_t>(bytes_of(element_of(layouts[i]->type)), algorithm.alignment[i]);
    if (aligned(pointers[i], least)) continue;
    report("misaligned", std::string("cublasLtMatmul: matrix ") + "ABCD"[i] + " at " + hexadecimal(pointers[i]) +
                             " is not aligned to the " + std::to_string(least) +
                             " bytes that the preference of the heuristic promised");
  }
}

}  // namespace
}  // namespace software_gpu::cublaslt

using namespace software_gpu;
using namespace software_gpu::cublaslt;

extern "C" cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t description, const void* alpha,
                                         const void* A, cublasLtMatrixLayout_t Adesc, const void* B,
                                         cublasLtMatrixLayout_t Bdesc, const void* beta, const void* C,
                                         cublasLtMatrixLayout_t Cdesc, void* D, cublasLtMatrixLayout_t Ddesc,
                                         const cublasLtMatmulAlgo_t* algo, void* workspace, size_t workspaceSizeInBytes,
                                         cudaStream_t stream) {
  std::lock_guard lock(mutex());
  if (!is_live(handle)) return refuse(CUBLAS_STATUS_NOT_INITIALIZED, "cublasLtMatmul: no valid handle");
  Problem problem;
  cublasStatus_t status = make_problem(description, Adesc, Bdesc, Cdesc, Ddesc, problem);
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  if (alpha == nullptr || beta == nullptr) return invalid("alpha or beta is null");
  Call call{nullptr, nullptr, 1, 0, A, B, C, D, workspace, workspaceSizeInBytes};
  if (problem.description.pointer_mode == CUBLASLT_POINTER_MODE_DEVICE) {
    call.alpha = alpha;
    call.beta = beta;
  } else {
    std::memcpy(&call.host_alpha, alpha, sizeof(float));
    std::memcpy(&call.host_beta, beta, sizeof(float));
  }
  status = check_pointers(problem, call);
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  Algorithm algorithm;
  status = choose(problem, algo, algorithm);
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  if (algorithm.workspace > 0 && (workspace == nullptr || workspaceSizeInBytes < algorithm.workspace)) {
    return invalid("the workspace of " + std::to_string(workspaceSizeInBytes) + " bytes is below the algorithm's " +
                   std::to_string(algorithm.workspace));
  }
  check_alignment(problem, algorithm, call);
  submit(stream, "cublasLtMatmul",
         [problem, algorithm, call](Operation& operation) { multiply(operation, problem, algorithm, call); });
  return CUBLAS_STATUS_SUCCESS;
}
