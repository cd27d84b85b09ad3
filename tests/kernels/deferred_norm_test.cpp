// SPDX-License-Identifier: Apache-2.0
#include "kernels/deferred_norm.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "tests/support/fill.hpp"
#include "tests/support/norm_sums.hpp"
#include "tests/support/tolerance.hpp"

namespace mpdist::kernels {
namespace {

using test::GuardedTensor;
using test::uniform_tensor;
using test::values_of;
using Values = std::vector<double>;

constexpr std::int64_t kChannels[] = {1, 8, 16, 17, 32, 64, 80};  // folded, whole vectors, a tail, several blocks

/// [2, 3, 4, channels].
Shape images_of(std::int64_t channels) {
  return {2, 3, 4, channels};
}

GuardedTensor channel_array(std::int64_t channels, std::uint64_t seed, float low = -2, float high = 2) {
  return uniform_tensor({channels}, DType::fp32, seed, 0, low, high);
}

TEST(NormApply, ByHand) {
  Stream& stream = test::stream_under_test();
  GuardedTensor x({2, 1}, DType::fp32), residual({2, 1}, DType::fp32), y({2, 1}, DType::fp32);
  GuardedTensor scale({1}, DType::fp32), shift({1}, DType::fp32);
  test::set_values(x, {1, 2});
  test::set_values(residual, {0.5F, -7});
  test::set_values(scale, {2});
  test::set_values(shift, {-1});
  norm_apply(stream, {.x = x, .scale = scale, .shift = shift, .y = y});
  EXPECT_EQ(values_of(y), (Values{1, 3}));
  norm_apply(stream, {.x = x, .scale = scale, .shift = shift, .residual = residual, .y = y, .relu = true});
  EXPECT_EQ(values_of(y), (Values{1.5, 0}));
  norm_apply(stream, {.x = x,
                      .scale = scale,
                      .shift = shift,
                      .residual = residual,
                      .residual_scale = scale,
                      .residual_shift = shift,
                      .y = y});
  EXPECT_EQ(values_of(y), (Values{1, -12}));
}

TEST(NormApply, MatchesDoubleReference) {
  Stream& stream = test::stream_under_test();
  for (DType type : test::kComputeTypes) {
    for (std::int64_t channels : kChannels) {
      for (bool relu : {false, true}) {
        const auto x = uniform_tensor(images_of(channels), type, 1, 1),
                   r = uniform_tensor(x.view().shape(), type, 2, 1);
        const auto scale = channel_array(channels, 3), shift = channel_array(channels, 4);
        const GuardedTensor y(x.view().shape(), type, 1);
        norm_apply(stream, {.x = x, .scale = scale, .shift = shift, .residual = r, .y = y, .relu = relu});
        const Values xs = values_of(x), rs = values_of(r), scales = values_of(scale), shifts = values_of(shift);
        Values expected, magnitude;
        for (std::size_t i = 0; i < xs.size(); ++i) {
          const double a = xs[i] * scales[i % scales.size()], b = shifts[i % scales.size()];
          const double sum = a + b + rs[i];
          expected.push_back(relu ? std::max(sum, 0.0) : sum);
          magnitude.push_back(std::abs(a) + std::abs(b) + std::abs(rs[i]));
        }
        EXPECT_TRUE(test::is_close(y, expected, 3, magnitude)) << name_of(type) << " " << channels;
        EXPECT_TRUE(y.intact());
      }
    }
  }
}

/// A residual that is normalised on the way gives the bits of one that was written first.
TEST(NormApply, NormalisesTheResidualAsIfItHadBeenWritten) {
  Stream& stream = test::stream_under_test();
  for (DType type : test::kComputeTypes) {
    for (std::int64_t channels : kChannels) {
      const auto x = uniform_tensor(images_of(channels), type, 1), r = uniform_tensor(x.view().shape(), type, 2);
      const auto scale = channel_array(channels, 3), shift = channel_array(channels, 4);
      const auto residual_scale = channel_array(channels, 5), residual_shift = channel_array(channels, 6);
      const GuardedTensor written(x.view().shape(), type), expected(x.view().shape(), type), y(x.view().shape(), type);
      norm_apply(stream, {.x = r, .scale = residual_scale, .shift = residual_shift, .y = written});
      norm_apply(stream, {.x = x, .scale = scale, .shift = shift, .residual = written, .y = expected, .relu = true});
      norm_apply(stream, {.x = x,
                          .scale = scale,
                          .shift = shift,
                          .residual = r,
                          .residual_scale = residual_scale,
                          .residual_shift = residual_shift,
                          .y = y,
                          .relu = true});
      EXPECT_EQ(values_of(y), values_of(expected)) << name_of(type) << " " << channels;
    }
  }
}

TEST(NormApply, ReluKeepsNan) {
  Stream& stream = test::stream_under_test();
  for (DType type : test::kComputeTypes) {
    const auto x = uniform_tensor({40, 1}, type, 1);
    test::set_value(x, 33, std::numeric_limits<float>::quiet_NaN());
    const auto scale = channel_array(1, 2), shift = channel_array(1, 3);
    const GuardedTensor y({40, 1}, type);
    norm_apply(stream, {.x = x, .scale = scale, .shift = shift, .y = y, .relu = true});
    const Values actual = values_of(y);
    for (std::size_t i = 0; i < 40; ++i) EXPECT_EQ(std::isnan(actual[i]), i == 33);
  }
}

TEST(NormCoefficients, MatchDoubleReference) {
  Stream& stream = test::stream_under_test();
  const auto gamma = channel_array(17, 1), beta = channel_array(17, 2), mean = channel_array(17, 3);
  const auto variance = channel_array(17, 4, 0.01F, 3);
  const GuardedTensor scale({17}, DType::fp32), shift({17}, DType::fp32);
  norm_coefficients(stream, {gamma, beta, mean, variance, scale, shift});
  const Values gammas = values_of(gamma), betas = values_of(beta), means = values_of(mean),
               variances = values_of(variance), scales = values_of(scale), shifts = values_of(shift);
  for (std::size_t c = 0; c < 17; ++c) {
    const double expected = gammas[c] / std::sqrt(variances[c] + 1e-5), product = means[c] * expected;
    EXPECT_NEAR(scales[c], expected, 2e-7 * std::abs(expected));
    EXPECT_NEAR(shifts[c], betas[c] - product, 1e-6 * (2 + std::abs(product)));
  }
}

TEST(NormGradient, MasksAndSumsForBothNorms) {
  Stream& stream = test::stream_under_test();
  for (DType type : test::kComputeTypes) {
    for (std::int64_t channels : kChannels) {
      const auto dx = uniform_tensor({3, 7, 5, channels}, type, 1, 1),
                 y = uniform_tensor(dx.view().shape(), type, 2, 1);
      const auto z0 = uniform_tensor(dx.view().shape(), type, 3, 1), z1 = uniform_tensor(dx.view().shape(), type, 4, 1);
      const auto mean0 = channel_array(channels, 5), mean1 = channel_array(channels, 6);
      const auto rstd0 = channel_array(channels, 7, 0.5F, 2), rstd1 = channel_array(channels, 8, 0.5F, 2);
      const GuardedTensor sums0({2, channels}, DType::fp32), sums1({2, channels}, DType::fp32);
      Values masked = values_of(dx);
      const Values activations = values_of(y);
      for (std::size_t i = 0; i < masked.size(); ++i) {
        if (!(activations[i] > 0)) masked[i] = 0;
      }
      const NormGradient args{.dx = dx, .y = y, .norms = {{z0, mean0, rstd0, sums0}, {z1, mean1, rstd1, sums1}}};
      norm_gradient(stream, args);
      EXPECT_EQ(values_of(dx), masked) << name_of(type) << " " << channels;
      test::expect_sums(args.norms[0], dx);
      test::expect_sums(args.norms[1], dx);
      EXPECT_TRUE(dx.intact() && sums0.intact() && sums1.intact());
    }
  }
}

TEST(NormGradient, WithoutActivationLeavesTheGradientAsItIs) {
  Stream& stream = test::stream_under_test();
  const auto dx = uniform_tensor(images_of(16), DType::fp16, 1), z = uniform_tensor(images_of(16), DType::fp16, 2);
  const auto mean = channel_array(16, 3), rstd = channel_array(16, 4, 0.5F, 2);
  const GuardedTensor sums({2, 16}, DType::fp32);
  const Values before = values_of(dx);
  const NormGradient args{.dx = dx, .norms = {{z, mean, rstd, sums}, {}}};
  norm_gradient(stream, args);
  EXPECT_EQ(values_of(dx), before);
  test::expect_sums(args.norms[0], dx);
}

TEST(DeferredNorm, RefusesWhatDoesNotFit) {
  Stream& stream = test::stream_under_test();
  const GuardedTensor x({4, 3}, DType::fp32), other({4, 2}, DType::fp32), channels({3}, DType::fp32);
  const GuardedTensor sums({2, 3}, DType::fp32);
  EXPECT_THROW(norm_apply(stream, {.x = x, .scale = channels, .shift = channels, .y = other}), InvalidArgument);
  EXPECT_THROW(norm_apply(stream, {.x = x, .scale = other, .shift = channels, .y = x}), InvalidArgument);
  EXPECT_THROW(norm_apply(stream, {.x = x, .scale = channels, .shift = channels, .residual_scale = channels, .y = x}),
               InvalidArgument);
  EXPECT_THROW(norm_coefficients(stream, {channels, channels, channels, other, channels, channels}), InvalidArgument);
  EXPECT_THROW(norm_gradient(stream, {.dx = x, .y = other}), InvalidArgument);
  EXPECT_THROW(norm_gradient(stream, {.dx = x, .norms = {{}, {x, channels, channels, sums}}}), InvalidArgument);
  EXPECT_THROW(norm_gradient(stream, {.dx = x, .norms = {{x, channels, channels, channels}, {}}}), InvalidArgument);
}

}  // namespace
}  // namespace mpdist::kernels
