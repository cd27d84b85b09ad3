// SPDX-License-Identifier: Apache-2.0
#include "kernels/batch_norm.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "tests/support/fill.hpp"
#include "tests/support/finite_differences.hpp"
#include "tests/support/tolerance.hpp"

namespace mpdist::kernels {
namespace {

using namespace mpdist::test;

/// Every tensor of one normalisation of [rows, channels].
struct Norm {
  Stream& stream = stream_under_test();
  Shape shape;
  GuardedTensor x, residual, y, dy, dx, gamma, beta, mean, rstd, variance, dgamma, dbeta;
  bool relu;

  Norm(std::int64_t rows, std::int64_t channels, DType type, bool with_relu, std::int64_t misalignment = 0)
      : shape{rows, channels},
        x(uniform_tensor(shape, type, 1, misalignment)),
        residual(uniform_tensor(shape, type, 2, misalignment)),
        y(shape, type, misalignment),
        dy(uniform_tensor(shape, type, 3, misalignment)),
        dx(shape, type, misalignment),
        gamma(uniform_tensor({channels}, DType::fp32, 4, 0, 0.5F, 2.0F)),
        beta(uniform_tensor({channels}, DType::fp32, 5)),
        mean({channels}, DType::fp32),
        rstd({channels}, DType::fp32),
        variance({channels}, DType::fp32),
        dgamma({channels}, DType::fp32),
        dbeta({channels}, DType::fp32),
        relu(with_relu) {}

  void forward() {
    batch_norm_forward(stream, {.x = x,
                                .gamma = gamma,
                                .beta = beta,
                                .residual = residual,
                                .y = y,
                                .mean = mean,
                                .rstd = rstd,
                                .unbiased_variance = variance,
                                .relu = relu});
  }
  void backward(bool accumulate = false) {
    batch_norm_backward(stream, {.x = x,
                                 .y = relu ? y.view() : Tensor(),
                                 .gamma = gamma,
                                 .mean = mean,
                                 .rstd = rstd,
                                 .dy = dy,
                                 .dx = dx,
                                 .dgamma = dgamma,
                                 .dbeta = dbeta,
                                 .relu = relu,
                                 .accumulate = accumulate});
  }
};

/// Element [r, c] of a tensor in host memory.
double at(const Tensor& t, std::int64_t r, std::int64_t c) {
  return value_at(t, r * t.shape()[1] + c);
}

struct Reference {
  double mean = 0, variance = 0, rstd = 0, rows;
  /// Channel c of x in host memory.
  Reference(const Tensor& x, std::int64_t c) : rows(static_cast<double>(x.shape()[0])) {
    for (std::int64_t r = 0; r < x.shape()[0]; ++r) mean += at(x, r, c) / rows;
    for (std::int64_t r = 0; r < x.shape()[0]; ++r) variance += std::pow(at(x, r, c) - mean, 2) / rows;
    rstd = 1 / std::sqrt(variance + 1e-5);
  }
};

void check_forward(const Norm& n) {
  const Tensor x = host_copy(n.x), residual = host_copy(n.residual), y = host_copy(n.y), mean = host_copy(n.mean),
               rstd = host_copy(n.rstd), variance = host_copy(n.variance), gamma = host_copy(n.gamma),
               beta = host_copy(n.beta);
  for (std::int64_t c = 0; c < n.shape[1]; ++c) {
    const Reference ref(x, c);
    EXPECT_NEAR(value_at(mean, c), ref.mean, 1e-6);
    EXPECT_NEAR(value_at(rstd, c), ref.rstd, 1e-5 * ref.rstd);
    EXPECT_NEAR(value_at(variance, c), ref.variance * ref.rows / (ref.rows - 1), 1e-5);
    for (std::int64_t r = 0; r < n.shape[0]; ++r) {
      const double xhat = (at(x, r, c) - ref.mean) * ref.rstd;
      double expected = xhat * value_at(gamma, c) + value_at(beta, c) + at(residual, r, c);
      if (n.relu) expected = std::max(expected, 0.0);
      ASSERT_NEAR(at(y, r, c), expected, unit_roundoff(x.dtype()) * std::abs(expected) + 2e-5 * ref.rstd);
    }
  }
}

/// `g_before`: dy as it was.
void check_backward(const Norm& n, const std::vector<double>& g_before) {
  const Tensor x = host_copy(n.x), y = host_copy(n.y), dy = host_copy(n.dy), dx = host_copy(n.dx),
               gamma = host_copy(n.gamma), dgamma = host_copy(n.dgamma), dbeta = host_copy(n.dbeta);
  for (std::int64_t c = 0; c < n.shape[1]; ++c) {
    const Reference ref(x, c);
    double sum_g = 0, sum_gx = 0, size = 0;
    for (std::int64_t r = 0; r < n.shape[0]; ++r) {
      const double xhat = (at(x, r, c) - ref.mean) * ref.rstd;
      const double g = at(y, r, c) > 0 || !n.relu ? g_before[static_cast<std::size_t>(r * n.shape[1] + c)] : 0.0;
      ASSERT_EQ(at(dy, r, c), g);
      sum_g += g;
      sum_gx += g * xhat;
      size += std::abs(g) * (1 + std::abs(xhat));
    }
    ASSERT_NEAR(value_at(dbeta, c), sum_g, 1e-5 * size);
    ASSERT_NEAR(value_at(dgamma, c), sum_gx, 2e-5 * size);
    const double outer = value_at(gamma, c) * ref.rstd;
    for (std::int64_t r = 0; r < n.shape[0]; ++r) {
      const double xhat = (at(x, r, c) - ref.mean) * ref.rstd;
      const double expected = outer * (at(dy, r, c) - sum_g / ref.rows - xhat * sum_gx / ref.rows);
      ASSERT_NEAR(at(dx, r, c), expected, unit_roundoff(x.dtype()) * std::abs(expected) + 1e-4 * outer);
    }
  }
}

TEST(BatchNorm, ByHand) {
  Norm n(2, 1, DType::fp32, true);
  set_values(n.x, {1.0F, 3.0F});
  set_values(n.residual, {0.0F, 0.5F});
  set_values(n.gamma, {2.0F});
  set_values(n.beta, {-0.5F});
  n.forward();  // xhat = -1, 1
  EXPECT_NEAR(value_at(n.mean, 0), 2, 1e-6);
  EXPECT_NEAR(value_at(n.variance, 0), 2, 1e-6);
  EXPECT_EQ(value_at(n.y, 0), 0);
  EXPECT_NEAR(value_at(n.y, 1), 2, 2e-5);
}

TEST(BatchNorm, EveryTypeAgainstDouble) {
  for (DType type : kComputeTypes) {
    for (std::int64_t channels : {1, 16, 17, 64}) {
      for (std::int64_t rows : {2, 63, 64, 200}) {
        for (bool relu : {false, true}) {
          Norm n(rows, channels, type, relu, 1);
          SCOPED_TRACE(fmt::format("{} [{}, {}] relu {}", name_of(type), rows, channels, relu));
          n.forward();
          check_forward(n);
          const std::vector<double> g_before = values_of(n.dy);
          n.backward();
          check_backward(n, g_before);
          EXPECT_TRUE(n.y.intact() && n.dx.intact() && n.mean.intact() && n.dgamma.intact());
        }
      }
    }
  }
}

TEST(BatchNorm, GradientsMatchFiniteDifferences) {
  Norm n(12, 3, DType::fp32, false);
  const std::vector<double> seed = values_of(n.dy);
  const auto loss = [&] {
    n.forward();
    const std::vector<double> y = values_of(n.y);
    return std::inner_product(y.begin(), y.end(), seed.begin(), 0.0);
  };
  loss();
  n.backward();
  const auto check = [&](const GuardedTensor& input, const GuardedTensor& gradient) {
    const std::vector<double> slopes = finite_differences(input, 0x1p-8F, loss), actual = values_of(gradient);
    for (std::size_t i = 0; i < slopes.size(); ++i) EXPECT_NEAR(actual[i], slopes[i], 2e-3) << i;
  };
  check(n.x, n.dx);
  check(n.gamma, n.dgamma);
  check(n.beta, n.dbeta);
}

TEST(BatchNorm, AccumulateAddsToWhatIsThere) {
  Norm n(9, 5, DType::fp32, false);
  n.forward();
  n.backward();
  const std::vector<double> once = values_of(n.dgamma);
  n.backward(true);
  const std::vector<double> twice = values_of(n.dgamma);
  for (std::size_t i = 0; i < once.size(); ++i) EXPECT_EQ(twice[i], 2 * once[i]);
}

TEST(BatchNorm, InferenceUsesTheGivenStatistics) {
  Norm n(4, 3, DType::fp32, true);
  fill_uniform(n.mean, 8);
  fill_uniform(n.variance, 9, 0.5F, 2.0F);
  batch_norm_inference(n.stream, {.x = n.x,
                                  .gamma = n.gamma,
                                  .beta = n.beta,
                                  .mean = n.mean,
                                  .variance = n.variance,
                                  .residual = n.residual,
                                  .y = n.y,
                                  .relu = true});
  const Tensor x = host_copy(n.x), residual = host_copy(n.residual), actual = host_copy(n.y), mean = host_copy(n.mean),
               variance = host_copy(n.variance), gamma = host_copy(n.gamma), beta = host_copy(n.beta);
  for (std::int64_t r = 0; r < 4; ++r) {
    for (std::int64_t c = 0; c < 3; ++c) {
      const double xhat = (at(x, r, c) - value_at(mean, c)) / std::sqrt(value_at(variance, c) + 1e-5);
      const double y = xhat * value_at(gamma, c) + value_at(beta, c) + at(residual, r, c);
      EXPECT_NEAR(at(actual, r, c), std::max(y, 0.0), 2e-6);
    }
  }
}

TEST(BatchNorm, OneValuePerChannelIsRefused) {
  Norm n(1, 3, DType::fp32, false);
  EXPECT_THROW(n.forward(), InvalidArgument);
}

}  // namespace
}  // namespace mpdist::kernels
