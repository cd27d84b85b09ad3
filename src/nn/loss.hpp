// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>

#include "src/nn/pass.hpp"

namespace mpdist::nn {

/// Sums over the unmasked rows of one pass, on the host: elements of a HostArray.
struct LossSums {
  float loss = 0;  ///< FP32, in row order
  std::int64_t correct = 0;
  std::int64_t terms = 0;  ///< unmasked rows
};

/// Softmax cross-entropy of logits [rows, classes] against labels [rows] (int32, -1 masked) in FP32. In training it
/// also seeds the tape with gradient_scale * d(loss)/d(logits); Tape::backward() continues from there. `sums` may be
/// read after stream.synchronize().
void softmax_cross_entropy(const Pass& pass, const std::string& name, const Variable& logits, const Tensor& labels,
                           float label_smoothing, float gradient_scale, LossSums& sums);

}  // namespace mpdist::nn
