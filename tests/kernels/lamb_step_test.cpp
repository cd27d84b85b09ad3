// SPDX-License-Identifier: Apache-2.0
#include "kernels/lamb_step.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/support/optimizer_step.hpp"

namespace mpdist::kernels {
namespace {

using namespace mpdist::test;

struct Arrays : MomentArrays<LambStep> {
  Arrays(std::int64_t n, DType wire, DType compute, std::int64_t misalignment = 0)
      : MomentArrays(n, wire, compute, misalignment, 0.1F) {}
};

TEST(LambStep, ByHand) {
  Stream& stream = stream_under_test();
  const Arrays p(2, DType::fp16, DType::fp16);
  set_values(p.master, {6, 8});  // norm 10
  set_values(p.m, {0, 0});
  set_values(p.v, {0, 0});
  set_values(p.gradient, {16, -32});
  OptimizerSegment segment = {.offset = 0, .elements = 2, .lr_scale = 0.5F, .decay = 0.5F};
  HostValue<std::int64_t> saturated(stream, -1);
  LambStep a = p.step(&segment, 1, saturated.data());
  a.unscale = 0.25;
  a.clip = 0.5F;  // gradient 2, -4
  a.lr = 0.25F;
  a.beta1 = 0.5F, a.correction1 = 0.5;
  a.beta2 = 0.75F, a.correction2 = 0.25;
  a.eps = 0;  // Adam's part is 1, -1; u = 4, 3 with decay: norm 5, trust 2
  lamb_step(stream, a);
  EXPECT_EQ(values_of(p.m), (std::vector<double>{1, -2}));
  EXPECT_EQ(values_of(p.v), (std::vector<double>{1, 4}));
  EXPECT_EQ(values_of(p.master), (std::vector<double>{6 - 0.125 * 2 * 4, 8 - 0.125 * 2 * 3}));
  EXPECT_EQ(values_of(p.working), values_of(p.master));
  segment.adapted = false;
  a.correction1 = 1, a.correction2 = 1, a.beta1 = 1, a.beta2 = 1;  // u = 1/1 + 3, -2/2 + 4
  set_values(p.master, {6, 8});
  lamb_step(stream, a);
  EXPECT_EQ(values_of(p.master), (std::vector<double>{6 - 0.125 * 4, 8 - 0.125 * 3}));
}

TEST(LambStep, ANormOfZeroKeepsThePlainRate) {
  Stream& stream = stream_under_test();
  const Arrays p(40, DType::fp32, DType::fp32);
  const OptimizerSegment segment = {.offset = 0, .elements = 40};
  HostValue<std::int64_t> saturated(stream, -1);
  LambStep a = p.step(&segment, 1, saturated.data());
  a.lr = 0.5F, a.beta1 = 0, a.beta2 = 0, a.eps = 0x1p-20F;
  fill_uniform(p.master, 1, 0, 0);
  fill_uniform(p.gradient, 1, 2, 2);
  lamb_step(stream, a);
  EXPECT_TRUE(is_close(p.master, std::vector<double>(40, -0.5), 2, std::vector<double>(40, 8.0)));
  const std::vector<double> before = values_of(p.master);
  fill_uniform(p.gradient, 1, 0, 0);
  lamb_step(stream, a);
  EXPECT_EQ(values_of(p.master), before) << "no update, and no 0/0";
}

TEST(LambStep, MatchesDoubleForEveryTypeAndVariant) {
  Stream& stream = stream_under_test();
  for_ladder([&](DType wire, std::int64_t size, std::int64_t misalignment) {
    for (int variant = 0; variant < 6; ++variant) {
      const Arrays p(size, wire, kComputeTypes.begin()[variant % 3], misalignment);
      const OptimizerSegment segment = {
          .offset = 0, .elements = size, .lr_scale = 0.7F, .decay = 0.01F, .adapted = variant % 2 == 0};
      HostValue<std::int64_t> saturated(stream, -1);
      auto a = p.step(&segment, 1, saturated.data());
      a.unscale = 1.0 / 120;
      a.clip = 0.9F;
      a.lr = 0.1F;
      a.correction1 = 1 - std::pow(0.9, 3);
      a.correction2 = 1 - std::pow(0.999, 3);
      a.decoupled = variant < 3;
      const std::vector<double> gradient = values_of(p.gradient);
      std::vector<double> m = values_of(p.m), v = values_of(p.v), master = values_of(p.master), u(master.size());
      const double beta1 = a.beta1, beta2 = a.beta2, decay = segment.decay;
      double squares_w = 0, squares_u = 0;
      for (std::size_t i = 0; i < u.size(); ++i) {
        double g = a.unscale * gradient[i] * static_cast<double>(a.clip);
        if (!a.decoupled) g += decay * master[i];
        m[i] = beta1 * m[i] + (1 - beta1) * g;
        v[i] = beta2 * v[i] + (1 - beta2) * g * g;
        u[i] = m[i] / a.correction1 / (std::sqrt(v[i] / a.correction2) + static_cast<double>(a.eps));
        if (a.decoupled) u[i] += decay * master[i];
        squares_w += master[i] * master[i];
        squares_u += u[i] * u[i];
      }
      const double trust = segment.adapted ? std::sqrt(squares_w / squares_u) : 1;
      const double rate = static_cast<double>(a.lr) * static_cast<double>(segment.lr_scale) * trust;
      std::vector<double> scale;
      for (std::size_t i = 0; i < u.size(); ++i) {
        master[i] -= rate * u[i];
        scale.push_back(2 + 2 * std::abs(rate * u[i]));
      }
      lamb_step(stream, a);
      EXPECT_TRUE(is_close(p.m, m, 8, std::vector<double>(m.size(), 3.0)));
      EXPECT_TRUE(is_close(p.v, v, 8));
      EXPECT_TRUE(is_close(p.master, master, 32, scale)) << variant;
      expect_working_is_rounded_master(a);
      EXPECT_TRUE(p.intact());
    }
  });
}

TEST(LambStep, SaturatesTheWorkingCopyAndTouchesOnlyItsSegments) {
  expect_saturation_and_segments<Arrays>(lamb_step, [](const Arrays& p) { return p.m.view(); });
}

TEST(LambStep, RefusesArgumentsThatDoNotFit) {
  expect_refusals<Arrays>(lamb_step, &LambStep::m);
}

}  // namespace
}  // namespace mpdist::kernels
