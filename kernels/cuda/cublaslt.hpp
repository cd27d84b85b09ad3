// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "src/core/dtype.hpp"
#include "src/core/stream.hpp"

/// The only door to cuBLASLt: plans are made once per thread and shape, by the library's heuristic under a fixed
/// workspace limit (never by timing or free memory), and enqueued on a stream. Failures are LibraryError.
namespace mpdist::kernels::cuda::cublaslt {

/// result[rows, columns] = activation(a[rows, depth] * b[depth, columns] + bias[columns]), all row-major; a transposed
/// operand is stored as its transpose. FP32 accumulation, partial sums of a split depth too; FP32 operands are
/// multiplied as FP32, never as TF32. Arrays are 16-byte aligned.
struct MatmulShape {
  std::int64_t rows = 0, columns = 0, depth = 0;
  bool a_transposed = false, b_transposed = false;
  DType operands = DType::fp32;  ///< a compute type; that of bias too
  DType result = DType::fp32;    ///< the operands' type or fp32
  bool bias = false, relu = false;
  std::int64_t a_leading = 0, b_leading = 0;  ///< elements between rows as stored; 0: they lie side by side
  std::int64_t batch = 1;                     ///< products of this shape, a_stride and b_stride elements apart;
  std::int64_t a_stride = 0, b_stride = 0;    ///< their results lie side by side
  auto operator<=>(const MatmulShape&) const = default;
};

struct MatmulArrays {
  const void *a = nullptr, *b = nullptr, *bias = nullptr;
  void* result = nullptr;
  void* workspace = nullptr;  ///< workspace_bytes(), of the stream
};

struct MatmulParts;  // holds cuBLASLt's objects, so that its header stays in cublaslt.cpp

class MatmulPlan {
 public:
  explicit MatmulPlan(const MatmulShape& shape);
  ~MatmulPlan();
  std::size_t workspace_bytes() const;
  /// With `accumulate` the product is added to what result holds.
  void run(const Stream& stream, const MatmulArrays& arrays, bool accumulate = false) const;
  /// Whether the ReLU of this plan keeps NaN, which is not documented: measured on the first call (all results made
  /// NaN and the first one read back, so that call waits for the stream), remembered after. Leaves NaN in result then.
  bool keeps_nan(const Stream& stream, const MatmulArrays& arrays) const;

 private:
  std::unique_ptr<MatmulParts> parts_;
};

/// This thread's plan for the shape, made on first use.
const MatmulPlan& plan(const MatmulShape& shape);

}  // namespace mpdist::kernels::cuda::cublaslt
