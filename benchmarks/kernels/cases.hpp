// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "benchmarks/kernels/operands.hpp"

namespace mpdist::benchmarks {

/// One kernel at one shape and type.
struct Case {
  std::string name;       ///< of the kernel
  std::string shape;      ///< for people
  double bytes = 0;       ///< of what it must read plus what it must write, once each
  double operations = 0;  ///< of matrix work, two a multiply-add; 0: bound by memory alone
  /// Makes the operands and returns the call that is timed.
  std::function<std::function<void()>(Operands&)> make;
};

/// Sizes of all cases.
struct Sizes {
  std::int64_t elements = 0;  ///< of flat arrays
  std::int64_t segments = 1;  ///< parameters that share a flat array
  std::int64_t images = 0;    ///< of a batch
  std::int64_t divisor = 1;   ///< of the extents and channels of ResNet-50's layers, to make them small
  std::int64_t product = 0;   ///< rows of the large matrix product; its other extents are half of that
};

/// Optimizer steps.
std::vector<Case> optimizer_cases(const Sizes& sizes, DType type);
/// Statistics, leaf rounding and addition: what else a step does to its flat arrays.
std::vector<Case> gradient_cases(const Sizes& sizes, DType type);
/// Element-wise layers, casts, digests, histograms.
std::vector<Case> elementwise_cases(const Sizes& sizes, DType type);
/// Pooling, norms and the loss at shapes of ResNet-50.
std::vector<Case> layer_cases(const Sizes& sizes, DType type);
/// Matrix products and convolutions at shapes of ResNet-50.
std::vector<Case> matrix_cases(const Sizes& sizes, DType type);
/// All of them, in this order.
std::vector<Case> all_cases(const Sizes& sizes, DType type);

/// rows x in times in x out by linear_forward, without bias: what the matrix units do at best.
Case product_case(std::int64_t rows, std::int64_t in, std::int64_t out, DType type);

}  // namespace mpdist::benchmarks
