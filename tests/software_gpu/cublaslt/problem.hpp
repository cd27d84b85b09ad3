// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "tests/software_gpu/cublaslt/descriptors.hpp"

namespace software_gpu::cublaslt {

/// D = epilogue(alpha * op(A) * op(B) + beta * C), op(A) [m, k], op(B) [k, n]: all but alpha, beta and the matrices.
struct Problem {
  MatmulDescription description;
  Layout a, b, c, d;
  std::uint64_t m = 0, n = 0, k = 0;

  Element in() const { return element_of(a.type); }
  Element out() const { return element_of(d.type); }
  bool has(cublasLtEpilogue_t epilogue) const { return description.epilogue == static_cast<std::uint32_t>(epilogue); }
  bool relu() const;           ///< the result goes through max(x, 0)
  bool adds_bias() const;      ///< a bias of m elements is added first
  bool masks() const;          ///< the result is zeroed where the auxiliary bit-mask has 0
  bool writes_mask() const;    ///< the auxiliary bit-mask receives where the result was positive
  bool bias_gradient() const;  ///< the bias pointer receives a sum
  std::uint64_t bias_length() const { return has(CUBLASLT_EPILOGUE_BGRADB) ? n : m; }

  /// Two problems with the same identity can use one algorithm: all but the pointers.
  std::uint64_t identity() const;
};

/// Checks whatever the manual demands of descriptors and layouts ("cublasLtMatmul()", CUDA 12.4 to 13); `c` may be
/// null, then it is as `d`.
cublasStatus_t make_problem(cublasLtMatmulDesc_t description, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                            cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d, Problem& problem);

enum class Method : std::int32_t {
  single_pass,         ///< FP32 sum over k in order, no workspace
  split_in_workspace,  ///< two halves of k, summed in FP32 in the workspace (CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE)
  split_in_place,      ///< the first half is rounded to D's type before the second is added (.._INPLACE)
};

/// What the stand-in keeps in cublasLtMatmulAlgo_t.
struct Algorithm {
  static constexpr std::uint32_t kMagic = 0x414C474F;
  std::uint32_t magic = kMagic;
  Method method = Method::single_pass;
  std::uint64_t identity = 0;
  std::uint64_t workspace = 0;                ///< bytes that it needs
  std::uint32_t alignment[4] = {1, 1, 1, 1};  ///< that the program promised for A, B, C, D

  std::uint32_t reduction_scheme() const;
};
static_assert(sizeof(Algorithm) <= sizeof(cublasLtMatmulAlgo_t));

/// The pointers and scalars of one call.
struct Call {
  const void *alpha, *beta;  ///< on the device in CUBLASLT_POINTER_MODE_DEVICE, else null
  float host_alpha, host_beta;
  const void *a, *b, *c;
  void *d, *workspace;
  std::uint64_t workspace_bytes;
};

}  // namespace software_gpu::cublaslt

namespace software_gpu {
class Operation;
namespace cublaslt {
/// Does the multiplication, once its turn in the stream has come.
void multiply(Operation& operation, const Problem& problem, const Algorithm& algorithm, const Call& call);
}  // namespace cublaslt
}  // namespace software_gpu
