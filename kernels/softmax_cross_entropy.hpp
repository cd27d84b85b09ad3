// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/kernel.hpp"

namespace mpdist::kernels {

/// Per row with label >= 0:  loss = logsumexp(logits) - sum_c target[c] * logits[c],
///   target = (1-smoothing)*onehot(label) + smoothing/classes   (Szegedy et al. 2016, section 7)
///   dlogits = gradient_scale * (softmax(logits) - target), rounded once.
/// Rows with a negative label are masked: no loss, zero gradient. All in FP32.
struct SoftmaxCrossEntropy {
  Tensor logits;               ///< [rows, classes] compute type
  Tensor labels;               ///< [rows] int32, -1 = masked
  Tensor dlogits;              ///< [rows, classes] compute type; empty in evaluation
  float label_smoothing = 0;
  float gradient_scale = 1;    ///< s*K/M
  float* loss_sum = nullptr;   ///< receives the sum over unmasked rows, in row order; host memory
  std::int64_t* correct = nullptr;  ///< receives how many rows have their (first) largest logit at the label
  std::int64_t* terms = nullptr;    ///< receives the number of unmasked rows
  void validate() const;
};
MPDIST_KERNEL(softmax_cross_entropy, SoftmaxCrossEntropy);

}  // namespace mpdist::kernels
