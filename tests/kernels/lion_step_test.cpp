// SPDX-License-Identifier: Apache-2.0
#include "kernels/lion_step.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/support/optimizer_step.hpp"

namespace mpdist::kernels {
namespace {

using namespace mpdist::test;

struct Arrays : OptimizerArrays {
  GuardedTensor m;
  Arrays(std::int64_t n, DType wire, DType compute, std::int64_t misalignment = 0)
      : OptimizerArrays(n, wire, compute, misalignment), m(uniform_tensor({n}, DType::fp32, 2, misalignment)) {}
  LionStep step(const OptimizerSegment* segments, std::int64_t count, std::int64_t* saturated) const {
    auto a = common<LionStep>(segments, count, saturated);
    a.m = m;
    return a;
  }
  bool intact() const { return OptimizerArrays::intact() && m.intact(); }
};

TEST(LionStep, ByHand) {
  Stream& stream = stream_under_test();
  const Arrays p(2, DType::fp16, DType::fp16);
  set_values(p.master, {1, 1});
  set_values(p.m, {1, 2});
  set_values(p.gradient, {-32, -16});
  const OptimizerSegment segment = {.offset = 0, .elements = 2, .lr_scale = 0.5F, .decay = 0.5F};
  HostValue<std::int64_t> saturated(stream, -1);
  LionStep a = p.step(&segment, 1, saturated.data());
  a.unscale = 0.25;  // gradient -8, -4
  a.clip = 0.5F;     // -4, -2
  a.lr = 0.25F;      // 0.125 with the segment's factor
  a.beta1 = 0.5F;    // -1.5 and 0: signs -1 and 0
  a.beta2 = 0.75F;
  lion_step(stream, a);
  EXPECT_EQ(values_of(p.m), (std::vector<double>{-0.25, 1.0}));
  EXPECT_EQ(values_of(p.master), (std::vector<double>{1 - 0.125 * (-1 + 0.5), 1 - 0.125 * (0 + 0.5)}));
  EXPECT_EQ(values_of(p.working), values_of(p.master));
}

TEST(LionStep, MatchesDoubleForEveryTypeAndVariant) {
  Stream& stream = stream_under_test();
  for_ladder([&](DType wire, std::int64_t size, std::int64_t misalignment) {
    for (int variant = 0; variant < 6; ++variant) {
      const Arrays p(size, wire, kComputeTypes.begin()[variant % 3], misalignment);
      const OptimizerSegment segment = {.offset = 0, .elements = size, .lr_scale = 0.7F, .decay = 0.01F};
      HostValue<std::int64_t> saturated(stream, -1);
      auto a = p.step(&segment, 1, saturated.data());
      a.unscale = 1.0 / 120;
      a.clip = 0.9F;
      a.lr = 0.1F;
      a.decoupled = variant < 3;
      const std::vector<double> gradient = values_of(p.gradient);
      std::vector<double> master = values_of(p.master), m = values_of(p.m);
      for (std::size_t i = 0; i < gradient.size(); ++i) {
        const double w = master[i], before = m[i], decay = segment.decay;
        const double g = a.unscale * gradient[i] * static_cast<double>(a.clip) + (a.decoupled ? 0 : decay * w);
        const double c = static_cast<double>(a.beta1) * before + (1 - static_cast<double>(a.beta1)) * g;
        const double sign = c > 0 ? 1 : c < 0 ? -1 : 0;
        const double rate = static_cast<double>(a.lr) * static_cast<double>(segment.lr_scale);
        m[i] = static_cast<double>(a.beta2) * before + (1 - static_cast<double>(a.beta2)) * g;
        master[i] = w - rate * (sign + (a.decoupled ? decay * w : 0));
      }
      lion_step(stream, a);
      const std::vector<double> scale(master.size(), 4);
      EXPECT_TRUE(is_close(p.m, m, 4, scale));
      EXPECT_TRUE(is_close(p.master, master, 4, scale));
      expect_working_is_rounded_master(a);
      EXPECT_TRUE(p.intact());
    }
  });
}

TEST(LionStep, SaturatesTheWorkingCopyAndTouchesOnlyItsSegments) {
  expect_saturation_and_segments<Arrays>(lion_step, [](const Arrays& p) { return p.m.view(); });
}

TEST(LionStep, RefusesArgumentsThatDoNotFit) {
  expect_refusals<Arrays>(lion_step, &LionStep::m);
}

}  // namespace
}  // namespace mpdist::kernels
