// SPDX-License-Identifier: Apache-2.0
#include "src/nn/loss.hpp"

#include "kernels/softmax_cross_entropy.hpp"

namespace mpdist::nn {

void softmax_cross_entropy(const Pass& pass, const std::string& name, const Variable& logits, const Tensor& labels,
                           float label_smoothing, float gradient_scale, LossSums& sums) {
  const Tensor dlogits = pass.training() ? pass.like(logits.value) : Tensor();
  kernels::softmax_cross_entropy(pass.stream, {.logits = logits.value,
                                               .labels = labels,
                                               .dlogits = dlogits,
                                               .label_smoothing = label_smoothing,
                                               .gradient_scale = gradient_scale,
                                               .loss_sum = &sums.loss,
                                               .correct = &sums.correct,
                                               .terms = &sums.terms});
  if (pass.observer) {  // kernels read host results where they lie
    pass.observer->activation(name, "softmax_cross_entropy",
                              Tensor(&sums.loss, {1}, DType::fp32, pass.stream.device()));
  }
  if (pass.training()) pass.tape->accumulate(logits.node, dlogits);
}

}  // namespace mpdist::nn
