// SPDX-License-Identifier: Apache-2.0
#include "kernels/lars_step.hpp"

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
  LarsStep step(const OptimizerSegment* segments, std::int64_t count, std::int64_t* saturated) const {
    auto a = common<LarsStep>(segments, count, saturated);
    a.momentum = momentum;
    a.mu = 0.5F;
    return a;
  }
  bool intact() const { return OptimizerArrays::intact() && momentum.intact(); }
};

TEST(LarsStep, ByHand) {
  Stream& stream = stream_under_test();
  const Arrays p(2, DType::fp16, DType::fp16);
  set_values(p.master, {3, 4});  // norm 5
  set_values(p.momentum, {1, 2});
  set_values(p.gradient, {48, 64});
  OptimizerSegment segment = {.offset = 0, .elements = 2, .lr_scale = 0.5F, .decay = 2};
  HostValue<std::int64_t> saturated(stream, -1);
  LarsStep a = p.step(&segment, 1, saturated.data());
  a.unscale = 0.25;
  a.clip = 0.5F;  // gradient 6, 8: norm 10
  a.lr = 1;
  a.eta = 0.5F;  // trust 0.5 * 5 / (10 + 2*5) = 0.125
  lars_step(stream, a);
  EXPECT_EQ(values_of(p.momentum), (std::vector<double>{0.5 + 0.0625 * (6 + 2 * 3), 1 + 0.0625 * (8 + 2 * 4)}));
  EXPECT_EQ(values_of(p.master), (std::vector<double>{3 - 1.25, 4 - 2}));
  EXPECT_EQ(values_of(p.working), values_of(p.master));
  segment.adapted = false;  // trust 1
  a.mu = 0;
  set_values(p.master, {3, 4});
  lars_step(stream, a);
  EXPECT_EQ(values_of(p.master), (std::vector<double>{3 - 0.5 * (6 + 6), 4 - 0.5 * (8 + 8)}));
}

TEST(LarsStep, ANormOfZeroKeepsThePlainRate) {
  Stream& stream = stream_under_test();
  const Arrays p(40, DType::fp32, DType::fp32);
  const OptimizerSegment segment = {.offset = 0, .elements = 40, .decay = 0.5F};
  HostValue<std::int64_t> saturated(stream, -1);
  LarsStep a = p.step(&segment, 1, saturated.data());
  a.mu = 0;
  a.lr = 0.5F;
  fill_uniform(p.master, 1, 0, 0);
  fill_uniform(p.gradient, 1, 2, 2);
  lars_step(stream, a);
  EXPECT_EQ(values_of(p.master), std::vector<double>(40, -1.0));
  fill_uniform(p.gradient, 1, 0, 0);
  lars_step(stream, a);
  EXPECT_EQ(values_of(p.master), std::vector<double>(40, -0.75)) << "only the decay is left";
}

TEST(LarsStep, MatchesDoubleForEveryTypeAndVariant) {
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
      a.mu = variant < 3 ? 0.9F : 0.0F;
      a.eta = 0.3F;
      const std::vector<double> w = values_of(p.master);
      std::vector<double> g = values_of(p.gradient), momentum = values_of(p.momentum), master = w;
      double squares_w = 0, squares_g = 0;
      for (std::size_t i = 0; i < g.size(); ++i) {
        g[i] *= a.unscale * static_cast<double>(a.clip);
        squares_w += w[i] * w[i];
        squares_g += g[i] * g[i];
      }
      const double norm_w = std::sqrt(squares_w), norm_g = std::sqrt(squares_g), decay = segment.decay;
      const double trust = segment.adapted ? static_cast<double>(a.eta) * norm_w / (norm_g + decay * norm_w) : 1;
      const double rate = static_cast<double>(a.lr) * static_cast<double>(segment.lr_scale) * trust;
      for (std::size_t i = 0; i < g.size(); ++i) {
        double update = rate * (g[i] + decay * w[i]);
        if (a.mu != 0) update = momentum[i] = static_cast<double>(a.mu) * momentum[i] + update;
        master[i] -= update;
      }
      lars_step(stream, a);
      const std::vector<double> scale(master.size(), 4 + 2 * rate);
      EXPECT_TRUE(is_close(p.momentum, momentum, 8, scale)) << variant;
      EXPECT_TRUE(is_close(p.master, master, 8, scale)) << variant;
      expect_working_is_rounded_master(a);
      EXPECT_TRUE(p.intact());
    }
  });
}

/// More segments than one launch of a GPU takes, and one longer than a block: each by its own norms, which are exact.
TEST(LarsStep, ManySegmentsEachWithItsOwnNorms) {
  Stream& stream = stream_under_test();
  std::vector<OptimizerSegment> segments;
  for (std::int64_t s = 0; s < 130; ++s) segments.push_back({.offset = 8 * s, .elements = 4, .adapted = s % 3 != 0});
  segments.push_back({.offset = 8 * 130, .elements = 10000});
  const Arrays p(8 * 130 + 10000, DType::fp16, DType::fp16);
  fill_uniform(p.master, 1, 1, 1);
  fill_uniform(p.gradient, 1, 4, 4);
  HostValue<std::int64_t> saturated(stream, -1);
  LarsStep a = p.step(segments.data(), static_cast<std::int64_t>(segments.size()), saturated.data());
  a.mu = 0;
  a.lr = 0.25F;
  a.eta = 0.5F;  // trust 0.5 * 1 / 4
  lars_step(stream, a);
  const std::vector<double> master = values_of(p.master);
  for (const OptimizerSegment& segment : segments) {
    for (std::int64_t i = segment.offset; i < segment.offset + segment.elements; ++i) {
      ASSERT_EQ(master[static_cast<std::size_t>(i)], segment.adapted ? 1 - 0.125 : 0) << i;
    }
  }
  EXPECT_EQ(master[4], 1) << "between the segments";
}

TEST(LarsStep, SaturatesTheWorkingCopyAndTouchesOnlyItsSegments) {
  expect_saturation_and_segments<Arrays>(lars_step, [](const Arrays& p) { return p.momentum.view(); });
}

TEST(LarsStep, RefusesArgumentsThatDoNotFit) {
  expect_refusals<Arrays>(lars_step, &LarsStep::momentum);
}

}  // namespace
}  // namespace mpdist::kernels
