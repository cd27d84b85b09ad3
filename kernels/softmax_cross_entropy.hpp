// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/checks.hpp"
#include "kernels/kernel.hpp"

namespace mpdist::kernels {

/// Per row with label >= 0:  loss = logsumexp(logits) - sum_c target[c] * logits[c],
///   target = (1-smoothing)*onehot(label) + smoothing/classes   (Szegedy et al. 2016, section 7)
///   dlogits = gradient_scale * (softmax(logits) - target), rounded once.
/// Rows with a negative label are masked: no loss, zero gradient. All in FP32. A label that is none of the classes is
/// refused; on a GPU, where nobody looks before, it makes the loss NaN.
struct SoftmaxCrossEntropy {
  Tensor logits;   ///< [rows, classes] compute type
  Tensor labels;   ///< [rows] int32, -1 = masked
  Tensor dlogits;  ///< [rows, classes] compute type; empty in evaluation
  float label_smoothing = 0;
  float gradient_scale = 1;         ///< s*K/M
  float* loss_sum = nullptr;        ///< receives the sum over unmasked rows, in row order; host memory
  std::int64_t* correct = nullptr;  ///< receives how many rows have their (first) largest logit at the label
  std::int64_t* terms = nullptr;    ///< receives the number of unmasked rows
  void validate() const {
    checks::compute_type("softmax_cross_entropy", "logits", logits);
    require(logits.shape().rank() == 2 && logits.shape()[1] > 0,
            "softmax_cross_entropy: logits must be [rows, classes], found {}", logits.shape().to_string());
    checks::type_is("softmax_cross_entropy", "labels", labels, DType::int32);
    checks::shape_is("softmax_cross_entropy", "labels", labels, {logits.shape()[0]});
    if (dlogits) checks::alike("softmax_cross_entropy", "logits", logits, "dlogits", dlogits);
    if (labels.device() == Device::cpu) {
      for (std::int32_t label : labels.span<std::int32_t>()) {
        require(label < logits.shape()[1], "softmax_cross_entropy: label {} of {} classes", label, logits.shape()[1]);
      }
    }
    checks::pointer("softmax_cross_entropy", "loss_sum", loss_sum);
    checks::pointer("softmax_cross_entropy", "correct", correct);
    checks::pointer("softmax_cross_entropy", "terms", terms);
  }
};
MPDIST_KERNEL(softmax_cross_entropy, SoftmaxCrossEntropy);

}  // namespace mpdist::kernels
