// SPDX-License-Identifier: Apache-2.0
#include "kernels/sgd_step.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/support/optimizer_step.hpp"

namespace mpdist::kernels {
namespace {

using namespace mpdist::test;

struct Arrays : OptimizerArrays {
  GuardedTensor momentum;
  Arrays(std::int64_t n, DType wire, DType compute, std::int64_t misalignment = 0)
      : OptimizerArrays(n, wire, compute, misalignment), momentum(uniform_tensor({n}, DType::fp32, 2, misalignment)) {}
  SgdStep step(const OptimizerSegment* segments, std::int64_t count, std::int64_t* saturated) const {
    auto a = common<SgdStep>(segments, count, saturated);
    a.momentum = momentum;
    return a;
  }
  bool intact() const { return OptimizerArrays::intact() && momentum.intact(); }
};

TEST(SgdStep, ByHand) {
  Stream& stream = stream_under_test();
  const Arrays p(2, DType::fp16, DType::fp16);
  set_values(p.master, {1, -2});
  set_values(p.momentum, {0.5F, 1});
  set_values(p.gradient, {16, -32});
  const OptimizerSegment segment = {.offset = 0, .elements = 2, .lr_scale = 0.5F, .decay = 0.5F};
  HostValue<std::int64_t> saturated(stream, -1);
  SgdStep a = p.step(&segment, 1, saturated.data());
  a.unscale = 0.125;  // gradient 2, -4
  a.clip = 0.5F;      // 1, -2
  a.lr = 0.5F;        // 0.25 with the segment's factor
  a.mu = 0.5F;        // momentum 1.25, -1.5
  sgd_step(stream, a);
  EXPECT_EQ(values_of(p.momentum), (std::vector<double>{1.25, -1.5}));
  EXPECT_EQ(values_of(p.master), (std::vector<double>{1 - 0.25 * (1.25 + 0.5), -2 - 0.25 * (-1.5 - 1)}));
  EXPECT_EQ(values_of(p.working), values_of(p.master));
  EXPECT_EQ(arrived(saturated), 0);
}

/// The formula of the header, statement by statement in FP32: the kernel must give these bits.
void reference_element(const SgdStep& a, const OptimizerSegment& s, double gradient, float& master, float& momentum) {
  volatile float g = static_cast<float>(a.unscale * gradient);  // volatile: no fusing, whatever the flags
  g = g * a.clip;
  volatile float decay = s.decay * master;
  if (!a.decoupled) g = g + decay;
  volatile float update = g;
  if (a.mu != 0) {
    volatile float carried = a.mu * momentum;
    momentum = carried + g;
    volatile float ahead = a.mu * momentum;
    update = a.nesterov ? g + ahead : momentum;
  }
  if (a.decoupled) update = update + decay;
  volatile float lr = a.lr * s.lr_scale;
  volatile float change = lr * update;
  master = master - change;
}

TEST(SgdStep, IsTheFormulaToTheLastBitForEveryTypeAndVariant) {
  Stream& stream = stream_under_test();
  for_ladder([&](DType wire, std::int64_t size, std::int64_t misalignment) {
    for (int variant = 0; variant < 12; ++variant) {
      const Arrays p(size, wire, kComputeTypes.begin()[variant % 3], misalignment);
      const OptimizerSegment segment = {.offset = 0, .elements = size, .lr_scale = 0.7F, .decay = 0.01F};
      HostValue<std::int64_t> saturated(stream, -1);
      SgdStep a = p.step(&segment, 1, saturated.data());
      a.unscale = 128.0 / (65536.0 * 120.0);  // not a power of two: 120 loss terms
      a.clip = 0.9F;
      a.lr = 0.1F;
      a.mu = variant % 4 == 0 ? 0.0F : 0.9F;
      a.nesterov = variant % 4 == 2;
      a.decoupled = variant < 6;
      const std::vector<double> gradient = values_of(p.gradient), w = values_of(p.master), v = values_of(p.momentum);
      std::vector<float> master(w.begin(), w.end()), momentum(v.begin(), v.end());
      for (std::size_t i = 0; i < w.size(); ++i) reference_element(a, segment, gradient[i], master[i], momentum[i]);
      sgd_step(stream, a);
      EXPECT_EQ(values_of(p.master), std::vector<double>(master.begin(), master.end())) << variant;
      EXPECT_EQ(values_of(p.momentum), std::vector<double>(momentum.begin(), momentum.end())) << variant;
      expect_working_is_rounded_master(a);
      EXPECT_TRUE(p.intact());
    }
  });
}

TEST(SgdStep, UnscalesInDoubleAndRoundsOnce) {
  Stream& stream = stream_under_test();
  const Arrays p(1, DType::fp32, DType::fp32);
  set_values(p.master, {0});
  set_values(p.gradient, {3});
  const OptimizerSegment segment = {.offset = 0, .elements = 1};
  HostValue<std::int64_t> saturated(stream);
  SgdStep a = p.step(&segment, 1, saturated.data());
  a.unscale = 1.0 / 65536.0 / 120.0;
  a.lr = -1;
  sgd_step(stream, a);
  EXPECT_EQ(value_at(p.master, 0), static_cast<float>(3.0 / 65536.0 / 120.0));
  EXPECT_NE(static_cast<float>(a.unscale) * 3.0F, static_cast<float>(a.unscale * 3.0)) << "the case tells them apart";
}

TEST(SgdStep, SaturatesTheWorkingCopyAndTouchesOnlyItsSegments) {
  const auto with_momentum = [](Stream& stream, SgdStep a) {
    a.mu = 0.5F;
    sgd_step(stream, a);
  };
  expect_saturation_and_segments<Arrays>(with_momentum, [](const Arrays& p) { return p.momentum.view(); });
  expect_refusals<Arrays>(with_momentum, &SgdStep::momentum);
}

TEST(SgdStep, TheLargestMasterThatFitsDoesNotSaturate) {
  Stream& stream = stream_under_test();
  const Arrays p(4, DType::fp16, DType::fp16);
  set_values(p.master, {65504, 65505, -1e6F, 1});
  set_values(p.gradient, {0, 0, 0, 0});
  const OptimizerSegment segment = {.offset = 0, .elements = 4};
  HostValue<std::int64_t> saturated(stream, -1);
  sgd_step(stream, p.step(&segment, 1, saturated.data()));
  EXPECT_EQ(arrived(saturated), 2);
  EXPECT_EQ(values_of(p.working), (std::vector<double>{65504, 65504, -65504, 1}));
}

TEST(SgdStep, TouchesOnlyItsSegmentsEachWithItsOwnRate) {
  Stream& stream = stream_under_test();
  const Arrays p(96, DType::fp32, DType::bf16);
  const std::vector<double> before = values_of(p.master), working = values_of(p.working);
  const OptimizerSegment segments[] = {{.offset = 0, .elements = 20}, {.offset = 32, .elements = 33, .lr_scale = 0}};
  HostValue<std::int64_t> saturated(stream);
  SgdStep a = p.step(segments, 2, saturated.data());
  a.lr = 1;
  sgd_step(stream, a);
  const std::vector<double> master = values_of(p.master), rounded = values_of(p.working);
  for (std::size_t i = 0; i < 96; ++i) {
    EXPECT_EQ(master[i] != before[i], i < 20) << i;
    EXPECT_EQ(rounded[i] != working[i], i < 20 || (i >= 32 && i < 65)) << i;
  }
}

/// More segments than one launch of a GPU takes, and one longer than a block.
TEST(SgdStep, ManySegmentsEachWithItsOwnRate) {
  Stream& stream = stream_under_test();
  std::vector<OptimizerSegment> segments;
  for (std::int64_t s = 0; s < 230; ++s) {
    segments.push_back({.offset = 8 * s, .elements = 5, .lr_scale = static_cast<float>(s + 1)});
  }
  segments.push_back({.offset = 8 * 230, .elements = 9000, .lr_scale = 1000});
  const std::int64_t n = 8 * 230 + 9000;
  const Arrays p(n, DType::fp16, DType::fp16);
  fill_uniform(p.gradient, 1, 2, 2);
  std::vector<double> expected = values_of(p.master);
  HostValue<std::int64_t> saturated(stream, -1);
  SgdStep a = p.step(segments.data(), static_cast<std::int64_t>(segments.size()), saturated.data());
  a.lr = 0x1p-10F;
  for (const OptimizerSegment& segment : segments) {
    for (std::int64_t i = segment.offset; i < segment.offset + segment.elements; ++i) {
      double& master = expected[static_cast<std::size_t>(i)];
      master = static_cast<float>(master) - a.lr * segment.lr_scale * 2;
    }
  }
  sgd_step(stream, a);
  EXPECT_EQ(values_of(p.master), expected);
  EXPECT_EQ(arrived(saturated), 0);
}

TEST(SgdStep, RefusesNesterovWithoutMomentum) {
  Stream& stream = stream_under_test();
  const Arrays p(8, DType::fp16, DType::fp16);
  HostValue<std::int64_t> saturated(stream);
  const OptimizerSegment segment = {.offset = 0, .elements = 8};
  SgdStep a = p.step(&segment, 1, saturated.data());
  a.nesterov = true;
  EXPECT_THROW(sgd_step(stream, a), InvalidArgument);
}

}  // namespace
}  // namespace mpdist::kernels
