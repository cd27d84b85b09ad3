// SPDX-License-Identifier: Apache-2.0
#include "kernels/softmax_cross_entropy.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/support/fill.hpp"
#include "tests/support/finite_differences.hpp"
#include "tests/support/tolerance.hpp"

namespace mpdist::kernels {
namespace {

using namespace mpdist::test;

struct Result {
  float loss = -1;
  std::int64_t correct = -1, terms = -1;
};

Result run(const Tensor& logits, const Tensor& labels, const Tensor& dlogits = {}, float smoothing = 0,
           float scale = 1) {
  Stream& stream = stream_under_test();
  const HostValue<float> loss(stream, -1);
  const HostValue<std::int64_t> correct(stream, -1), terms(stream, -1);
  softmax_cross_entropy(stream, {.logits = logits,
                                 .labels = labels,
                                 .dlogits = dlogits,
                                 .label_smoothing = smoothing,
                                 .gradient_scale = scale,
                                 .loss_sum = loss.data(),
                                 .correct = correct.data(),
                                 .terms = terms.data()});
  return {arrived(loss), arrived(correct), arrived(terms)};
}

GuardedTensor labels_of(std::initializer_list<std::int32_t> values) {
  GuardedTensor labels({static_cast<std::int64_t>(values.size())}, DType::int32);
  overwrite(labels, [&](const Tensor& host) { std::copy(values.begin(), values.end(), host.data<std::int32_t>()); });
  return labels;
}

TEST(SoftmaxCrossEntropy, ByHand) {
  const GuardedTensor logits({2, 2}, DType::fp32), dlogits({2, 2}, DType::fp32);
  set_values(logits, {0, 0, 0, std::log(3.0F)});
  const Result r = run(logits, labels_of({0, 0}), dlogits, 0, 4);
  EXPECT_NEAR(r.loss, std::log(2.0) + std::log(4.0), 1e-6);
  EXPECT_EQ(r.correct, 1) << "the first of equals counts";
  EXPECT_EQ(r.terms, 2);
  EXPECT_TRUE(is_close(dlogits, {-2, 2, -3, 3}, 8));
}

TEST(SoftmaxCrossEntropy, TheFirstLargestLogitDecides) {
  const GuardedTensor logits({3, 3}, DType::fp16);
  set_values(logits, {1, 2, 2, 1, 2, 2, NAN, 2, 1});
  EXPECT_EQ(run(logits, labels_of({1, 2, 1})).correct, 1);
}

TEST(SoftmaxCrossEntropy, MaskedRowsAreSilent) {
  const GuardedTensor logits = uniform_tensor({3, 5}, DType::fp16, 1), dlogits({3, 5}, DType::fp16);
  for (int c = 0; c < 5; ++c) set_value(logits, 5 + c, NAN);
  const Result r = run(logits, labels_of({1, -1, 3}), dlogits);
  EXPECT_EQ(r.terms, 2);
  EXPECT_EQ(r.loss,
            run(logits.view().rows(0, 1), labels_of({1})).loss + run(logits.view().rows(2, 3), labels_of({3})).loss);
  for (int c = 0; c < 5; ++c) EXPECT_EQ(value_at(dlogits, 5 + c), 0.0);
}

TEST(SoftmaxCrossEntropy, ExtremeLogitsStayFiniteAndNonfiniteOnesShow) {
  const GuardedTensor logits({1, 3}, DType::fp32), dlogits({1, 3}, DType::fp32);
  set_values(logits, {1e30F, -1e30F, 0});
  EXPECT_EQ(run(logits, labels_of({0}), dlogits).loss, 0.0F);
  set_values(logits, {65504, -65504, 0});
  EXPECT_EQ(run(logits, labels_of({1}), dlogits).loss, 131008.0F);
  set_values(logits, {0, -INFINITY, 0});
  EXPECT_NEAR(run(logits, labels_of({0})).loss, std::log(2.0), 1e-6);
  EXPECT_FALSE(std::isfinite(run(logits, labels_of({1})).loss));
  for (float bad : {INFINITY, NAN}) {
    set_values(logits, {0, bad, 0});
    EXPECT_FALSE(std::isfinite(run(logits, labels_of({0}), dlogits).loss));
    EXPECT_TRUE(std::isnan(value_at(dlogits, 0)));
  }
}

struct Reference {
  double loss = 0, loss_size = 0;
  std::vector<double> dlogits, size;
};

Reference reference(const Tensor& logits, const Tensor& labels, double smoothing, double scale) {
  Reference r;
  const auto rows = static_cast<std::size_t>(logits.shape()[0]), classes = static_cast<std::size_t>(logits.shape()[1]);
  const std::vector<double> all = values_of(logits), chosen = values_of(labels);
  for (std::size_t row = 0; row < rows; ++row) {
    const auto label = static_cast<std::size_t>(chosen[row]);
    double sum = 0;
    for (std::size_t c = 0; c < classes; ++c) sum += std::exp(all[row * classes + c]);
    r.loss_size += std::log(sum) + 4;
    r.loss += std::log(sum);
    for (std::size_t c = 0; c < classes; ++c) {
      const double x = all[row * classes + c];
      const double target = (c == label ? 1 - smoothing : 0) + smoothing / static_cast<double>(classes);
      r.loss -= target * x;
      r.dlogits.push_back(scale * (std::exp(x) / sum - target));
      r.size.push_back(scale * (std::exp(x) / sum + target));
    }
  }
  return r;
}

TEST(SoftmaxCrossEntropy, MatchesDoubleAtEveryTypeClassesAndSmoothing) {
  for_ladder([](DType type, std::int64_t classes, std::int64_t misalignment) {
    const GuardedTensor logits = uniform_tensor({4, classes}, type, 1, misalignment);
    const GuardedTensor dlogits({4, classes}, type, misalignment);
    const auto last = static_cast<std::int32_t>(classes - 1);
    const GuardedTensor labels = labels_of({0, last, last / 2, last / 3});
    for (float smoothing : {0.0F, 0.1F}) {
      const Result r = run(logits, labels, dlogits, smoothing, 1024);
      const Reference expected = reference(logits, labels, smoothing, 1024);
      const double roundings = 16 + static_cast<double>(classes) / 16;  // exp, log and sixteen lanes of sums
      EXPECT_TRUE(is_close({r.loss}, {expected.loss}, {.operations = roundings}, {expected.loss_size}));
      EXPECT_TRUE(is_close(dlogits, expected.dlogits, roundings, expected.size));
      EXPECT_TRUE(dlogits.intact());
      EXPECT_EQ(run(logits, labels, {}, smoothing).loss, r.loss) << "evaluation gives the same loss";
    }
  });
}

TEST(SoftmaxCrossEntropy, AddsUpManyRows) {
  const GuardedTensor logits = uniform_tensor({600, 10}, DType::fp16, 3), labels({600}, DType::int32);
  overwrite(labels, [](const Tensor& host) {
    for (std::int32_t row = 0; row < 600; ++row) host.data<std::int32_t>()[row] = row % 7 == 6 ? -1 : row % 10;
  });
  const Result r = run(logits, labels);
  double loss = 0, magnitude = 0;
  std::int64_t correct = 0;
  for (std::int64_t row = 0; row < 600; ++row) {
    if (row % 7 == 6) continue;
    const Tensor one = logits.view().rows(row, row + 1);
    const Reference expected = reference(one, labels.view().rows(row, row + 1), 0, 1);
    loss += expected.loss;
    magnitude += expected.loss_size;
    const std::vector<double> values = values_of(one);
    correct += std::max_element(values.begin(), values.end()) - values.begin() == row % 10;
  }
  EXPECT_EQ(r.terms, 515);
  EXPECT_EQ(r.correct, correct);
  EXPECT_TRUE(is_close({r.loss}, {loss}, {.operations = 600}, {magnitude}));
}

TEST(SoftmaxCrossEntropy, GradientIsTheSlopeOfTheLoss) {
  const GuardedTensor logits = uniform_tensor({3, 10}, DType::fp32, 2), dlogits({3, 10}, DType::fp32);
  const GuardedTensor labels = labels_of({0, 9, 4});
  const auto slopes =
      finite_differences(logits, 0x1p-7F, [&] { return static_cast<double>(run(logits, labels, {}, 0.1F).loss); });
  run(logits, labels, dlogits, 0.1F);
  const std::vector<double> actual = values_of(dlogits);
  for (std::size_t i = 0; i < 30; ++i) EXPECT_NEAR(actual[i], slopes[i], slope_bound(0x1p-7F, 8 * 10, 0.1));
}

TEST(SoftmaxCrossEntropy, RefusesLabelsAndShapesThatDoNotFit) {
  const GuardedTensor logits = uniform_tensor({2, 3}, DType::fp32, 1);
  if (device_under_test() == Device::cpu) {
    EXPECT_THROW(run(logits, labels_of({0, 3})), InvalidArgument);
  } else {
    EXPECT_TRUE(std::isnan(run(logits, labels_of({0, 3})).loss));
  }
  EXPECT_THROW(run(logits, labels_of({0})), InvalidArgument);
  EXPECT_THROW(run(logits.view().reshaped({6}), labels_of({0, 1})), InvalidArgument);
}

}  // namespace
}  // namespace mpdist::kernels
