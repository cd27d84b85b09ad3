// SPDX-License-Identifier: Apache-2.0
#include "kernels/softmax_cross_entropy.hpp"

#include <algorithm>

#include "kernels/cpu/math.hpp"

namespace mpdist::kernels::cpu {
namespace {

template <class T>
float largest_of(const T* logits, std::int64_t classes) {
  float largest = to_float(logits[0]);
  for (std::int64_t c = 1; c < classes; ++c) largest = to_float(logits[c]) > largest ? to_float(logits[c]) : largest;
  return largest;
}

/// Sums over one row, in sixteen lanes: of exp(logit - largest), and of logit - largest.
struct RowSums {
  float exponentials, shifted;
};

template <class T>
RowSums sum_row(const T* logits, std::int64_t classes, float largest) {
  F32x16 exponentials = broadcast(0.0F), shifted = broadcast(0.0F);
  for_each_vector(classes, [&](std::int64_t c, auto lanes) {
    const Mask16 present = first_lanes(lanes.count);
    const F32x16 z = load(logits + c, lanes) - broadcast(largest);
    exponentials = exponentials + select(present, exp(z), broadcast(0.0F));
    shifted = shifted + select(present, z, broadcast(0.0F));
  });
  return {sum(exponentials), sum(shifted)};
}

/// dlogits = scale * (softmax - target).
template <class T>
void write_gradient(const SoftmaxCrossEntropy& a, const T* logits, T* dlogits, std::int64_t classes, std::int32_t label,
                    float largest, float exponentials) {
  const float spread = a.label_smoothing / static_cast<float>(classes);
  const F32x16 scale = broadcast(a.gradient_scale);
  for_each_vector(classes, [&](std::int64_t c, auto lanes) {
    const F32x16 softmax = exp(load(logits + c, lanes) - broadcast(largest)) / broadcast(exponentials);
    store(dlogits + c, scale * (softmax - broadcast(spread)), lanes);
  });
  const F32x16 softmax = exp(broadcast(to_float(logits[label]) - largest)) / broadcast(exponentials);
  store(dlogits + label, scale * (softmax - broadcast(1.0F - a.label_smoothing + spread)), FirstLanes{1});
}

/// Whether the first largest logit stands at the label; never with a NaN.
template <class T>
bool is_correct(const T* logits, std::int64_t classes, std::int32_t label) {
  const float chosen = to_float(logits[label]);
  for (std::int64_t c = 0; c < classes; ++c) {
    const float other = to_float(logits[c]);
    if (!(c < label ? chosen > other : chosen >= other)) return false;
  }
  return true;
}

template <class T>
float row_loss(const SoftmaxCrossEntropy& a, const T* logits, std::int64_t classes, std::int32_t label, float largest,
               const RowSums& sums) {
  const float log_sum = first_lane(log(broadcast(sums.exponentials)));
  const float at_label = to_float(logits[label]) - largest;
  if (a.label_smoothing == 0) return log_sum - at_label;  // a logit of -inf elsewhere must not count
  const float spread = a.label_smoothing / static_cast<float>(classes);
  return log_sum - ((1.0F - a.label_smoothing) * at_label + spread * sums.shifted);
}

}  // namespace

void softmax_cross_entropy(Stream&, const SoftmaxCrossEntropy& a) {
  const std::int64_t rows = a.logits.shape()[0], classes = a.logits.shape()[1];
  const std::int32_t* labels = a.labels.data<std::int32_t>();
  float loss = 0;
  std::int64_t correct = 0, terms = 0;
  with_compute_type(a.logits.dtype(), [&]<class T>(T) {
    for (std::int64_t row = 0; row < rows; ++row) {
      const T* logits = a.logits.data<T>() + row * classes;
      T* dlogits = a.dlogits ? a.dlogits.data<T>() + row * classes : nullptr;
      const std::int32_t label = labels[row];
      if (label < 0) {
        if (dlogits) std::fill_n(dlogits, classes, T{});
        continue;
      }
      const float largest = largest_of(logits, classes);
      const RowSums sums = sum_row(logits, classes, largest);
      loss += row_loss(a, logits, classes, label, largest, sums);
      correct += is_correct(logits, classes, label);
      ++terms;
      if (dlogits) write_gradient(a, logits, dlogits, classes, label, largest, sums.exponentials);
    }
  });
  *a.loss_sum = loss;
  *a.correct = correct;
  *a.terms = terms;
}

}  // namespace mpdist::kernels::cpu
