// SPDX-License-Identifier: Apache-2.0
#include "kernels/rmsprop_step.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/support/optimizer_step.hpp"

namespace mpdist::kernels {
namespace {

using namespace mpdist::test;

struct Arrays : OptimizerArrays {
  GuardedTensor square, mean, momentum;
  Arrays(std::int64_t n, DType wire, DType compute, std::int64_t misalignment = 0)
      : OptimizerArrays(n, wire, compute, misalignment),
        square(uniform_tensor({n}, DType::fp32, 2, misalignment, 0.5F, 1.0F)),
        mean(uniform_tensor({n}, DType::fp32, 3, misalignment, -0.5F, 0.5F)),
        momentum(uniform_tensor({n}, DType::fp32, 5, misalignment)) {}
  RmspropStep step(const OptimizerSegment* segments, std::int64_t count, std::int64_t* saturated) const {
    auto a = common<RmspropStep>(segments, count, saturated);
    a.square = square;
    a.mean = mean;
    a.momentum = momentum;
    a.mu = 0.5F;
    return a;
  }
  bool intact() const { return OptimizerArrays::intact() && square.intact() && mean.intact() && momentum.intact(); }
};

TEST(RmspropStep, ByHand) {
  Stream& stream = stream_under_test();
  const Arrays p(1, DType::fp16, DType::fp16);
  set_values(p.master, {1});
  set_values(p.square, {0});
  set_values(p.momentum, {1});
  set_values(p.gradient, {16});
  const OptimizerSegment segment = {.offset = 0, .elements = 1, .lr_scale = 0.5F, .decay = 0.5F};
  HostValue<std::int64_t> saturated(stream, -1);
  RmspropStep a = p.step(&segment, 1, saturated.data());
  a.unscale = 0.25;  // gradient 4
  a.clip = 0.5F;     // 2
  a.lr = 0.25F;      // 0.125 with the segment's factor
  a.alpha = 0.75F;   // square 1
  a.eps = 1;         // spread 2, update 1, momentum 1.5
  rmsprop_step(stream, a);
  EXPECT_EQ(value_at(p.square, 0), 1.0);
  EXPECT_EQ(value_at(p.momentum, 0), 1.5);
  EXPECT_EQ(value_at(p.master, 0), 1 - 0.125 * (1.5 + 0.5 * 1));
  EXPECT_EQ(value_at(p.working, 0), 0.75);
}

TEST(RmspropStep, CenteredByHand) {
  Stream& stream = stream_under_test();
  const Arrays p(1, DType::fp16, DType::fp16);
  set_values(p.master, {4});
  set_values(p.square, {1});
  set_values(p.mean, {1});
  set_values(p.gradient, {2});
  const OptimizerSegment segment = {.offset = 0, .elements = 1};
  HostValue<std::int64_t> saturated(stream, -1);
  RmspropStep a = p.step(&segment, 1, saturated.data());
  a.lr = 0.5F;
  a.alpha = 0.5F;  // square 2.5, mean 1.5, their spread 0.5
  a.eps = 0.5F;    // update 2
  a.mu = 0;
  a.centered = true;
  rmsprop_step(stream, a);
  EXPECT_EQ(value_at(p.square, 0), 2.5);
  EXPECT_EQ(value_at(p.mean, 0), 1.5);
  EXPECT_EQ(value_at(p.master, 0), 3.0);
  set_values(p.square, {0});
  set_values(p.mean, {8});  // a spread below 0, as rounding may leave it, counts as 0
  rmsprop_step(stream, a);
  EXPECT_EQ(value_at(p.master, 0), 3.0 - 0.5 * (2 / 0.5));
}

struct Element {
  double master, square, mean, momentum;
};

Element reference(const RmspropStep& a, const OptimizerSegment& s, double gradient, Element e) {
  const double decay = s.decay, alpha = a.alpha;
  const double g = a.unscale * gradient * static_cast<double>(a.clip) + (a.decoupled ? 0 : decay * e.master);
  e.square = alpha * e.square + (1 - alpha) * g * g;
  if (a.centered) e.mean = alpha * e.mean + (1 - alpha) * g;
  const double variance = a.centered ? e.square - e.mean * e.mean : e.square;
  double update = g / (std::sqrt(variance) + static_cast<double>(a.eps));
  if (a.mu != 0) update = e.momentum = static_cast<double>(a.mu) * e.momentum + update;
  if (a.decoupled) update += decay * e.master;
  e.master -= static_cast<double>(a.lr) * static_cast<double>(s.lr_scale) * update;
  return e;
}

TEST(RmspropStep, MatchesDoubleForEveryTypeAndVariant) {
  Stream& stream = stream_under_test();
  for_ladder([&](DType wire, std::int64_t size, std::int64_t misalignment) {
    for (int variant = 0; variant < 8; ++variant) {
      const Arrays p(size, wire, kComputeTypes.begin()[variant % 3], misalignment);
      const OptimizerSegment segment = {.offset = 0, .elements = size, .lr_scale = 0.7F, .decay = 0.01F};
      HostValue<std::int64_t> saturated(stream, -1);
      auto a = p.step(&segment, 1, saturated.data());
      a.unscale = 1.0 / 120;
      a.clip = 0.9F;
      a.lr = 0.1F;
      a.mu = variant % 2 ? 0.9F : 0.0F;
      a.centered = variant % 4 >= 2;
      a.decoupled = variant < 4;
      const std::vector<double> gradient = values_of(p.gradient);
      std::vector<double> master = values_of(p.master), square = values_of(p.square), mean = values_of(p.mean),
                          momentum = values_of(p.momentum);
      for (std::size_t i = 0; i < gradient.size(); ++i) {
        const Element e = reference(a, segment, gradient[i], {master[i], square[i], mean[i], momentum[i]});
        master[i] = e.master;
        square[i] = e.square;
        mean[i] = e.mean;
        momentum[i] = e.momentum;
      }
      rmsprop_step(stream, a);
      const std::vector<double> scale(master.size(), 8);  // above every magnitude that meets another here
      EXPECT_TRUE(is_close(p.square, square, 8));
      EXPECT_TRUE(is_close(p.mean, mean, 4, scale));
      EXPECT_TRUE(is_close(p.momentum, momentum, 16, scale)) << variant;
      EXPECT_TRUE(is_close(p.master, master, 16, scale)) << variant;
      expect_working_is_rounded_master(a);
      EXPECT_TRUE(p.intact());
    }
  });
}

TEST(RmspropStep, SaturatesTheWorkingCopyAndTouchesOnlyItsSegments) {
  expect_saturation_and_segments<Arrays>(rmsprop_step, [](const Arrays& p) { return p.square.view(); });
}

TEST(RmspropStep, RefusesArgumentsThatDoNotFit) {
  expect_refusals<Arrays>(rmsprop_step, &RmspropStep::square);
}

}  // namespace
}  // namespace mpdist::kernels
