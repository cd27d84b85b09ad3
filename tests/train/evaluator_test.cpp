// SPDX-License-Identifier: Apache-2.0
#include "src/train/evaluator.hpp"

#include <gtest/gtest.h>

#include "tests/data/fake_dataset.hpp"
#include "tests/train/step_harness.hpp"

namespace mpdist::train {
namespace {

using test::StepHarness;

const Shape kImage{4, 4, 1};
constexpr std::int64_t kSamples = 77;

StepHarness make(const std::string& precision, const std::string& optimizer = "", const std::string& model = "") {
  return StepHarness(
      fmt::format("[run]\nsteps = 100\n[batch]\nglobal = 32\nshards = 4\n[precision]\nscale_initial = 1024\ncompute = "
                  "\"{}\"\n[model]\nname = "
                  "\"mlp\"\nhidden = [16]\n{}\n[data]\nformat = \"synthetic\"\n[optimizer]\nlr = 0.5\n{}\n",
                  precision, model, optimizer),
      kImage, 7);
}

Evaluation evaluated(StepHarness& h, const std::vector<std::string>& augment = {}) {
  const data::FakeDataset dataset(kSamples, kImage);
  const data::Augmentation augmentation({.mean = {38}, .std = {40}, .augment = augment, .crop_padding = 2}, kImage, 1);
  return evaluate(h.config, h.plan, *h.state, dataset, augmentation, *h.communicator, h.stream);
}

/// Blocks of 8 rows leave a tail of 5, blocks of 11 leave none: the same samples all the same.
TEST(Evaluator, TheTailIsMasked) {
  StepHarness h = make("fp32"), whole = make("fp32");
  whole.plan.shard_rows = 11;
  const Evaluation a = evaluated(h), b = evaluated(whole);
  EXPECT_EQ(a.samples, kSamples);
  EXPECT_EQ(b.samples, kSamples);
  EXPECT_EQ(a.accuracy, b.accuracy);
  EXPECT_NEAR(a.loss, b.loss, 1e-6 * b.loss);
}

TEST(Evaluator, UsesTheAverageAndLeavesTheWeightsAsTheyWere) {
  for (const char* precision : {"fp16", "bf16", "fp32"}) {
    StepHarness h = make(precision, "ema_decay = 0.75"), average = make(precision), plain = make(precision);
    for (int i = 0; i < 3; ++i) h.step(), plain.step();
    const auto before = h.everything();
    const Evaluation found = evaluated(h);
    EXPECT_EQ(h.everything(), before) << precision;
    test::assign(average.state->store.master(), test::host_copy(h.state->ema->average()));
    average.state->refresh_working(average.stream);
    EXPECT_EQ(found.loss, evaluated(average).loss) << precision;
    EXPECT_NE(found.loss, evaluated(plain).loss) << precision;
  }
}

TEST(Evaluator, AnAverageBeyondTheComputeTypeSaturates) {
  StepHarness h = make("fp16", "ema_decay = 0.75");
  test::set_value(h.state->ema->average(), 0, 1e6F);  // the last layer's bias
  EXPECT_TRUE(std::isfinite(evaluated(h).loss));
}

/// The loss is the one that is trained.
TEST(Evaluator, SmoothsLabelsAsTrainingDoes) {
  StepHarness smoothed = make("fp32", "", "label_smoothing = 0.25"), plain = make("fp32");
  EXPECT_NE(evaluated(smoothed).loss, evaluated(plain).loss);
  EXPECT_EQ(evaluated(smoothed).accuracy, evaluated(plain).accuracy);
}

TEST(Evaluator, NeitherDropsNorAugments) {
  StepHarness dropping = make("fp32", "", "dropout = 0.5"), plain = make("fp32");
  const double expected = evaluated(plain).loss;
  EXPECT_EQ(evaluated(dropping).loss, expected);
  EXPECT_EQ(evaluated(plain, {"crop", "flip"}).loss, expected);
}

}  // namespace
}  // namespace mpdist::train
