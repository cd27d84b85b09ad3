// SPDX-License-Identifier: Apache-2.0
#include "kernels/adamw_step.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/support/optimizer_step.hpp"

namespace mpdist::kernels {
namespace {

using namespace mpdist::test;

struct Arrays : MomentArrays<AdamwStep> {
  Arrays(std::int64_t n, DType wire, DType compute, std::int64_t misalignment = 0)
      : MomentArrays(n, wire, compute, misalignment, 0) {}
};

TEST(AdamwStep, ByHand) {
  Stream& stream = stream_under_test();
  const Arrays p(1, DType::fp16, DType::fp16);
  set_values(p.master, {1});
  set_values(p.m, {0});
  set_values(p.v, {0});
  set_values(p.gradient, {16});
  const OptimizerSegment segment = {.offset = 0, .elements = 1, .lr_scale = 0.5F, .decay = 0.5F};
  HostValue<std::int64_t> saturated(stream, -1);
  AdamwStep a = p.step(&segment, 1, saturated.data());
  a.unscale = 0.25;  // gradient 4
  a.clip = 0.5F;     // 2
  a.lr = 0.25F;      // 0.125 with the segment's factor
  a.beta1 = 0.5F;
  a.beta2 = 0.75F;
  a.eps = 0;
  a.correction1 = 0.5;
  a.correction2 = 0.25;
  adamw_step(stream, a);
  EXPECT_EQ(value_at(p.m, 0), 1.0);
  EXPECT_EQ(value_at(p.v, 0), 1.0);
  EXPECT_EQ(value_at(p.master, 0), 1 - 0.125 * (1 / 0.5 / std::sqrt(1 / 0.25) + 0.5 * 1));
  EXPECT_EQ(value_at(p.working, 0), value_at(p.master, 0));
  a.decoupled = false;
  set_values(p.master, {4});
  adamw_step(stream, a);
  EXPECT_EQ(value_at(p.m, 0), 0.5 * 1 + 0.5 * (2 + 0.5 * 4)) << "coupled decay enters the gradient";
}

struct Element {
  double master, m, v, update;
};

Element reference(const AdamwStep& a, const OptimizerSegment& s, double gradient, Element e) {
  double g = a.unscale * gradient * static_cast<double>(a.clip);
  if (!a.decoupled) g += static_cast<double>(s.decay) * e.master;
  e.m = static_cast<double>(a.beta1) * e.m + (1 - static_cast<double>(a.beta1)) * g;
  e.v = static_cast<double>(a.beta2) * e.v + (1 - static_cast<double>(a.beta2)) * g * g;
  e.update = e.m / a.correction1 / (std::sqrt(e.v / a.correction2) + static_cast<double>(a.eps));
  if (a.decoupled) e.update += static_cast<double>(s.decay) * e.master;
  e.update *= static_cast<double>(a.lr) * static_cast<double>(s.lr_scale);
  e.master -= e.update;
  return e;
}

TEST(AdamwStep, MatchesDoubleForEveryTypeAndVariant) {
  Stream& stream = stream_under_test();
  for_ladder([&](DType wire, std::int64_t size, std::int64_t misalignment) {
    for (int variant = 0; variant < 6; ++variant) {
      const Arrays p(size, wire, kComputeTypes.begin()[variant % 3], misalignment);
      const OptimizerSegment segment = {.offset = 0, .elements = size, .lr_scale = 0.7F, .decay = 0.01F};
      HostValue<std::int64_t> saturated(stream, -1);
      AdamwStep a = p.step(&segment, 1, saturated.data());
      a.unscale = 128.0 / (65536.0 * 120.0);
      a.clip = 0.9F;
      a.lr = 0.01F;
      a.correction1 = 1 - std::pow(0.9, 3);
      a.correction2 = 1 - std::pow(0.999, 3);
      a.decoupled = variant < 3;
      const std::vector<double> gradient = values_of(p.gradient);
      std::vector<double> master = values_of(p.master), m = values_of(p.m), v = values_of(p.v), scale;
      for (std::size_t i = 0; i < gradient.size(); ++i) {
        const Element e = reference(a, segment, gradient[i], {master[i], m[i], v[i], 0});
        master[i] = e.master;
        m[i] = e.m;
        v[i] = e.v;
        scale.push_back(2 + std::abs(e.update));  // the magnitudes that meet in m and in the master
      }
      adamw_step(stream, a);
      EXPECT_TRUE(is_close(p.m, m, 8, scale));
      EXPECT_TRUE(is_close(p.v, v, 8));
      EXPECT_TRUE(is_close(p.master, master, 16, scale));
      expect_working_is_rounded_master(a);
      EXPECT_TRUE(p.intact());
    }
  });
}

TEST(AdamwStep, UnscalesInDoubleAndRoundsOnce) {
  Stream& stream = stream_under_test();
  const Arrays p(1, DType::fp32, DType::fp32);
  set_values(p.gradient, {3});
  set_values(p.m, {0});
  const OptimizerSegment segment = {.offset = 0, .elements = 1};
  HostValue<std::int64_t> saturated(stream);
  AdamwStep a = p.step(&segment, 1, saturated.data());
  a.unscale = 1.0 / 65536.0 / 120.0;
  a.beta1 = 0;
  adamw_step(stream, a);
  EXPECT_EQ(value_at(p.m, 0), static_cast<float>(3.0 / 65536.0 / 120.0));
}

TEST(AdamwStep, SaturatesTheWorkingCopyAndTouchesOnlyItsSegments) {
  expect_saturation_and_segments<Arrays>(adamw_step, [](const Arrays& p) { return p.m.view(); });
}

TEST(AdamwStep, RefusesArgumentsThatDoNotFit) {
  expect_refusals<Arrays>(adamw_step, &AdamwStep::m);
}

TEST(AdamwStep, RefusesACorrectionOfZero) {
  Stream& stream = stream_under_test();
  const Arrays p(8, DType::fp16, DType::fp16);
  HostValue<std::int64_t> saturated(stream);
  const OptimizerSegment segment = {.offset = 0, .elements = 8};
  AdamwStep a = p.step(&segment, 1, saturated.data());
  a.correction1 = 0;
  EXPECT_THROW(adamw_step(stream, a), InvalidArgument);
}

}  // namespace
}  // namespace mpdist::kernels
