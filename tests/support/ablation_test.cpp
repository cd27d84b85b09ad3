// SPDX-License-Identifier: Apache-2.0
// The ablations of Micikevicius et al. 2018: what FP32 masters (section 3.1) and FP32 accumulation (section 3.3) are
// good for. Each trains one network twice, with the technique and without, prints both and asserts the loss.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <memory>
#include <numbers>
#include <vector>

#include "src/models/registry.hpp"
#include "src/nn/linear.hpp"
#include "src/nn/pooling.hpp"
#include "tests/support/fp16_accumulation.hpp"
#include "tests/train/step_harness.hpp"

namespace mpdist::test {
namespace {

constexpr std::int64_t kClasses = 4, kSize = 14;

/// Batches of noisy gratings in random phases: class c runs at c * 45 degrees and is c * 0.15 brighter than class 0.
std::vector<data::Batch> gratings(const StepHarness& harness, std::int64_t batches) {
  std::vector<data::Batch> all;
  for (std::int64_t k = 0; k < batches; ++k) {
    all.push_back(harness.batch(k));
    const RandomKey key{1, hash_name("grating"), static_cast<std::uint32_t>(k)};
    for (std::int64_t i = 0; i < harness.plan.global_batch; ++i) {
      const auto item = static_cast<std::uint64_t>(i);
      const auto label = static_cast<float>(i % kClasses);
      all.back().labels.data<std::int32_t>()[i] = static_cast<std::int32_t>(i % kClasses);
      const float angle = std::numbers::pi_v<float> * label / kClasses;
      const float phase = 2 * std::numbers::pi_v<float> * uniform(key.words(item, 0)[0]);
      for (std::int64_t p = 0; p < kSize * kSize; ++p) {
        const auto x = static_cast<float>(p % kSize), y = static_cast<float>(p / kSize);
        const float wave = 0.25F * std::cos(1.5F * (x * std::cos(angle) + y * std::sin(angle)) + phase);
        const float noise = uniform(key.words(item, 1 + static_cast<std::uint64_t>(p / 4))[p % 4]) - 0.5F;
        set_value(all.back().images, i * kSize * kSize + p, 0.3F + 0.15F * label + wave + 0.5F * noise);
      }
    }
  }
  return all;
}

double mean_of_last(const std::vector<double>& values, std::size_t count) {
  double sum = 0;
  for (std::size_t i = values.size() - count; i < values.size(); ++i) sum += values[i];
  return sum / static_cast<double>(count);
}

// --- Masters
// -----------------------------------------------------------------------------------------------------------

/// What became of the updates of the whole run.
struct Updates {
  std::int64_t all = 0, lost = 0;        ///< that FP32 would have made; of these, those that left an FP16 weight alone
  std::int64_t tiny = 0, tiny_lost = 0;  ///< those with |weight| >= 4096 |update|
};

/// Rounds the masters to FP16 after an update, as if the weights were FP16 and nothing else.
void keep_masters_in_fp16(const Tensor& master, const std::vector<float>& before, Updates& updates) {
  float* weights = master.data<float>();
  for (std::size_t i = 0; i < before.size(); ++i) {
    const float update = weights[i] - before[i];
    weights[i] = to_float(to_half(weights[i]));
    if (update == 0) continue;
    const bool tiny = std::abs(before[i]) >= 4096 * std::abs(update);
    const bool lost = weights[i] == before[i];
    ++updates.all, updates.lost += lost, updates.tiny += tiny, updates.tiny_lost += tiny && lost;
  }
}

struct MastersRun {
  double loss = 0;
  Updates updates;
};

MastersRun train_with_masters(DType masters, int steps) {
  StepHarness harness(R"(
[run]
steps = 1000
[batch]
global = 64
shards = 1
[model]
name = "mlp"
hidden = [32]
[data]
format = "synthetic"
[optimizer]
name = "adamw"
lr = 1e-5
)",
                      {kSize, kSize, 1}, kClasses);
  MastersRun run;
  std::vector<double> losses;
  const std::span<float> master = harness.state->store.master().span<float>();
  if (masters == DType::fp16) {
    for (float& weight : master) weight = to_float(to_half(weight));
  }
  const std::vector<data::Batch> batches = gratings(harness, 16);
  for (int k = 0; k < steps; ++k) {
    const std::vector<float> before(master.begin(), master.end());
    data::Batch batch = batches[static_cast<std::size_t>(k % 16)];
    batch.attempted = k;
    losses.push_back(harness.step(batch).loss);
    if (masters == DType::fp16) keep_masters_in_fp16(harness.state->store.master(), before, run.updates);
  }
  run.loss = mean_of_last(losses, 16);
  return run;
}

TEST(Ablation, Fp16MastersLoseSmallUpdates) {
  constexpr int kSteps = 12000;
  const MastersRun fp32 = train_with_masters(DType::fp32, kSteps), fp16 = train_with_masters(DType::fp16, kSteps);
  const double lost = static_cast<double>(fp16.updates.lost) / static_cast<double>(fp16.updates.all);
  std::printf("masters      training loss   updates lost\n");
  std::printf("fp32         %.4f          0 %%\n", fp32.loss);
  std::printf("fp16         %.4f          %.1f %%\n", fp16.loss, 100 * lost);
  EXPECT_GT(fp16.updates.tiny, 0);
  EXPECT_EQ(fp16.updates.tiny_lost, fp16.updates.tiny) << "an update 4096 times smaller than its weight is always lost";
  EXPECT_GT(lost, 0.5);
  EXPECT_LT(fp32.loss, 0.5 * fp16.loss);
}

// --- Accumulation
// ------------------------------------------------------------------------------------------------------

struct AccumulationOptions : Options {
  bool fp16 = false;
  void describe(Schema& schema) override { schema.key("fp16", fp16, {.help = "sum products in FP16"}); }
};

/// A 3x3 convolution of 16 channels, global average pooling, a linear layer.
class AccumulationNet : public models::Model {
 public:
  AccumulationNet(const AccumulationOptions& options, ParameterStore& store, Shape, std::int64_t classes)
      : convolution_(store, "conv", options.fp16 ? Accumulator::fp16 : Accumulator::fp32),
        head_(store, "head", AccumulatingConvolution::kChannels, classes, false) {}

  nn::Variable forward(const nn::Pass& pass, const Tensor& images) const override {
    return head_(pass, nn::global_average_pool(pass, kMean, convolution_(pass, images)));
  }

 private:
  inline static const std::string kMean = "mean";
  AccumulatingConvolution convolution_;
  nn::Linear head_;
};

StepHarness accumulation_harness(bool fp16) {
  static const bool added = [] {
    models::add(models::entry<AccumulationNet, AccumulationOptions>("accumulation", "of the ablation"));
    return true;
  }();
  require(added, "the model of the ablation is not registered");
  return StepHarness(fmt::format(R"(
[run]
steps = 1000
[batch]
global = 1024
shards = 1
[model]
name = "accumulation"
fp16 = {}
[data]
format = "synthetic"
[optimizer]
lr = 0.5
momentum = 0.9
)",
                                 fp16),
                     {kSize, kSize, 1}, kClasses);
}

struct AccumulationRun {
  double loss = 0, accuracy = 0;
  std::int64_t skipped = 0;
};

AccumulationRun train_with_accumulation(bool fp16, int steps) {
  StepHarness harness = accumulation_harness(fp16);
  std::vector<double> losses, accuracies;
  const std::vector<data::Batch> batches = gratings(harness, 4);
  for (int k = 0; k < steps; ++k) {
    data::Batch batch = batches[static_cast<std::size_t>(k % 4)];
    batch.attempted = k;
    const train::StepReport report = harness.step(batch);
    losses.push_back(report.loss);
    accuracies.push_back(report.accuracy);
  }
  return {mean_of_last(losses, 4), mean_of_last(accuracies, 4), harness.state->skipped};
}

TEST(Ablation, SumsInFp16SpoilTheGradient) {
  constexpr int kSteps = 40;
  const AccumulationRun fp32 = train_with_accumulation(false, kSteps), fp16 = train_with_accumulation(true, kSteps);
  std::printf("sums in      training loss   accuracy   skipped\n");
  for (const auto& [name, run] : {std::pair{"fp32", fp32}, std::pair{"fp16", fp16}}) {
    std::printf("%s         %.4f          %.1f %%     %d\n", name, run.loss, 100 * run.accuracy,
                static_cast<int>(run.skipped));
  }
  EXPECT_LT(fp32.loss, 0.5 * fp16.loss);
}

}  // namespace
}  // namespace mpdist::test
