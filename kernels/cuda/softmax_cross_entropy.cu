// SPDX-License-Identifier: Apache-2.0
#include "kernels/softmax_cross_entropy.hpp"

#include "kernels/cuda/element.cuh"
#include "kernels/cuda/math.cuh"
#include "kernels/cuda/reduce.cuh"

namespace mpdist::kernels::cuda {

/// Sixteen threads share a row, as sixteen lanes do on the CPU, and sum in the same order: the same bits.
inline constexpr int kRowLanes = 16;
inline constexpr int kRowsOfBlock = kThreads / kRowLanes;

/// The sum over the sixteen threads of a row, 8, 4, 2, 1 apart; in all of them.
__device__ inline float row_sum(float a) {
#pragma unroll
  for (int apart = kRowLanes / 2; apart > 0; apart /= 2) a += __shfl_xor_sync(kAllLanes, a, apart, kRowLanes);
  return a;
}

/// What one row gives; all is 0 where it is masked.
struct RowResult {
  float loss;
  unsigned short correct, terms;
};

/// What all rows share.
struct RowRule {
  int classes;
  float smoothing, gradient_scale;
  __device__ float spread() const { return smoothing / static_cast<float>(classes); }
};

/// One row in all of its threads: the largest logit, whether the first such stands at the label, and the sums of
/// exp(logit - largest) and of logit - largest.
struct RowPass {
  float largest, exponentials, shifted;
  bool correct;
};

/// `at_label` is the logit at the label, NaN where it is none of the classes.
template <class T>
__device__ inline RowPass pass_over_row(const T* logits, int classes, int label, float at_label, int lane) {
  RowPass row = {.largest = widen(logits[0]), .exponentials = 0, .shifted = 0, .correct = true};
  for (int c = lane; c < classes; c += kRowLanes) {
    const float z = widen(logits[c]);
    row.largest = z > row.largest ? z : row.largest;
    row.correct = row.correct && (c < label ? at_label > z : at_label >= z);
  }
#pragma unroll
  for (int apart = kRowLanes / 2; apart > 0; apart /= 2) {
    const float other = __shfl_xor_sync(kAllLanes, row.largest, apart, kRowLanes);
    const int also = __shfl_xor_sync(kAllLanes, static_cast<int>(row.correct), apart, kRowLanes);
    row.largest = other > row.largest ? other : row.largest;
    row.correct = row.correct && also != 0;
  }
  for (int c = lane; c < classes; c += kRowLanes) {
    const float z = widen(logits[c]) - row.largest;
    row.exponentials += exp_of(z);
    row.shifted += z;
  }
  row.exponentials = row_sum(row.exponentials);
  row.shifted = row_sum(row.shifted);
  return row;
}

__device__ inline float row_loss(const RowRule& rule, const RowPass& row, float at_label) {
  const float log_sum = log_of(row.exponentials), below = at_label - row.largest;
  if (rule.smoothing == 0) return log_sum - below;  // a logit of -inf elsewhere must not count
  return log_sum - ((1.0F - rule.smoothing) * below + rule.spread() * row.shifted);
}

/// dlogits = gradient_scale * (softmax - target), 0 in a masked row.
template <class T>
__device__ inline void write_gradient(const RowRule& rule, const T* logits, T* dlogits, int label, const RowPass& row,
                                      int lane) {
  for (int c = lane; c < rule.classes; c += kRowLanes) {
    const float softmax = exp_of(widen(logits[c]) - row.largest) / row.exponentials;
    const float target = c == label ? 1.0F - rule.smoothing + rule.spread() : rule.spread();
    dlogits[c] = narrow<T>(label < 0 ? 0.0F : rule.gradient_scale * (softmax - target));
  }
}

/// Every thread stays to the end, as warps hold two rows: one beyond the last repeats it and writes nothing.
template <class T>
__global__ void __launch_bounds__(kThreads)
    cross_entropy_kernel(const T* logits, const std::int32_t* labels, T* dlogits, std::int64_t rows, RowRule rule,
                         RowResult* of_row) {
  const int lane = static_cast<int>(threadIdx.x) % kRowLanes;
  const std::int64_t wanted = std::int64_t{blockIdx.x} * kRowsOfBlock + threadIdx.x / kRowLanes;
  const std::int64_t place = wanted < rows ? wanted : rows - 1;
  logits += place * rule.classes;
  const int label = labels[place];
  const float at_label = label >= 0 && label < rule.classes ? widen(logits[label]) : nanf("");
  const RowPass row = pass_over_row(logits, rule.classes, label, at_label, lane);
  if (wanted >= rows) return;
  if (dlogits) write_gradient(rule, logits, dlogits + place * rule.classes, label, row, lane);
  if (lane != 0) return;
  RowResult result = {};
  if (label >= 0) {
    result = {.loss = row_loss(rule, row, at_label), .correct = row.correct, .terms = 1};
  }
  of_row[place] = result;
}

/// Adds up the rows, the losses in their order. One block.
template <class Result>
__global__ void __launch_bounds__(kThreads) add_rows_kernel(const Result* of_row, std::int64_t rows, float* loss_sum,
                                                            std::int64_t* correct, std::int64_t* terms) {
  __shared__ float losses[kThreads];
  float loss = 0;
  std::int64_t own_correct = 0, own_terms = 0;
  for (std::int64_t base = 0; base < rows; base += kThreads) {
    const std::int64_t here = rows - base < kThreads ? rows - base : kThreads;
    if (threadIdx.x < here) {
      const Result result = of_row[base + threadIdx.x];
      losses[threadIdx.x] = result.loss;
      own_correct += result.correct;
      own_terms += result.terms;
    }
    __syncthreads();
    if (threadIdx.x == 0) {
#pragma unroll 8
      for (int i = 0; i < here; ++i) loss += losses[i];
    }
    __syncthreads();
  }
  own_correct = block_sum(own_correct);
  own_terms = block_sum(own_terms);
  if (threadIdx.x == 0) {
    *loss_sum = loss;
    *correct = own_correct;
    *terms = own_terms;
  }
}

void softmax_cross_entropy(Stream& stream, const SoftmaxCrossEntropy& a) {
  const std::int64_t rows = a.logits.shape()[0];
  const RowRule rule = {.classes = static_cast<int>(a.logits.shape()[1]),
                        .smoothing = a.label_smoothing,
                        .gradient_scale = a.gradient_scale};
  auto* of_row = static_cast<RowResult*>(stream.workspace(static_cast<std::size_t>(rows) * sizeof(RowResult)));
  if (rows > 0) {
    const auto blocks = static_cast<unsigned>((rows + kRowsOfBlock - 1) / kRowsOfBlock);
    with_compute_type(a.logits.dtype(), [&]<class T>(T) {
      cross_entropy_kernel<<<blocks, kThreads, 0, handle(stream)>>>(a.logits.data<T>(), a.labels.data<std::int32_t>(),
                                                                    a.dlogits ? a.dlogits.data<T>() : nullptr, rows,
                                                                    rule, of_row);
      check_launch("softmax_cross_entropy");
    });
  }
  add_rows_kernel<<<1, kThreads, 0, handle(stream)>>>(of_row, rows, a.loss_sum, a.correct, a.terms);
  check_launch("softmax_cross_entropy");
}

}  // namespace mpdist::kernels::cuda
