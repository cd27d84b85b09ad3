// SPDX-License-Identifier: Apache-2.0
// Residual networks against PyTorch: losses of 20 steps, every gradient of the first, running statistics. The fixture
// and the formulas of what goes in: tests/fixtures/pytorch_resnet.py.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "src/train/shard_pass.hpp"
#include "tests/support/fixture.hpp"
#include "tests/support/formula.hpp"
#include "tests/train/step_harness.hpp"

namespace mpdist {
namespace {

constexpr std::int64_t kBatches = 4, kClasses = 10, kSamples = 128;
constexpr double kFirst = 1e-5;     // losses and statistics of the first step
constexpr double kGradient = 1e-4;  // PyTorch's own FP32 comes to 4e-5 from its double
constexpr double kLater = 1e-4;     // and ten times what FP32 has carried PyTorch's own losses away by then

struct Case {
  int depth, shards;
};

class ResnetParity : public ::testing::TestWithParam<Case> {
 protected:
  ResnetParity()
      : model_(hdf5::File::open(MPDIST_FIXTURES "/pytorch_resnet.h5")
                   .root()
                   .open_group("resnet" + std::to_string(GetParam().depth))),
        expected_(model_.open_group(std::to_string(GetParam().shards))),
        rows_(integer("batch")),
        image_{integer("height"), integer("width"), integer("channels")},
        harness_(toml(), image_, kClasses) {
    for (const Parameter* p : harness_.state->store.parameters()) set_initial(*p);
  }

  std::int64_t integer(const std::string& name) const { return static_cast<std::int64_t>(test::number(model_, name)); }

  std::string toml() const {
    return fmt::format(
        "[run]\nsteps = 20\n[batch]\nglobal = {}\nshards = {}\n[precision]\ncompute = \"fp32\"\n[model]\nname = "
        "\"resnet\"\ndepth = {}\n[data]\nformat = \"synthetic\"\n[optimizer]\nname = \"sgd\"\nlr = {}\nmomentum = "
        "{}\nnesterov = true\nweight_decay = {}\ndecay = \"coupled\"\n",
        rows_, GetParam().shards, GetParam().depth, test::number(model_, "lr"), test::number(model_, "momentum"),
        test::number(model_, "weight_decay"));
  }

  void set_initial(const Parameter& p) {
    test::overwrite(harness_.state->store.master(p), [&](const Tensor& host) { write_initial(p, host.data<float>()); });
  }
  static void write_initial(const Parameter& p, float* values) {
    const test::Formula noise(p.name);
    const auto fan_in = static_cast<double>(p.elements() / p.shape[0]);
    const auto limit = static_cast<float>(std::sqrt(6 / fan_in));
    for (std::int64_t i = 0; i < p.elements(); ++i) {
      switch (p.role) {
        case ParameterRole::weight:
          values[i] = noise(i) * limit;
          break;
        case ParameterRole::bias:
          values[i] = noise(i) / 4;
          break;
        case ParameterRole::norm:
          values[i] = noise(i) / 16 + (p.name.ends_with("gamma") ? 0.25F : i % 4 != 0 ? 0.5F : -0.5F);
          break;
      }
    }
  }

  data::Batch batch(std::int64_t step) const {
    const std::int64_t which = step % kBatches, pixels = image_.elements();
    data::Batch result{.attempted = step,
                       .images = Tensor({rows_, image_[0], image_[1], image_[2]}, DType::fp32, MemoryKind::data),
                       .labels = Tensor({rows_}, DType::int32, MemoryKind::data)};
    const test::Formula pattern("pattern4"), noise("images4");
    for (std::int64_t row = 0; row < rows_; ++row) {
      const std::int64_t label = (7 * row + 3 * which) % kClasses;
      result.labels.data<std::int32_t>()[row] = static_cast<std::int32_t>(label);
      float* image = result.images.data<float>() + row * pixels;
      const std::int64_t first = (which * rows_ + row) * pixels;
      for (std::int64_t i = 0; i < pixels; ++i) image[i] = pattern(label * pixels + i) + noise(first + i) / 2;
    }
    return test::StepHarness::on_device(result);
  }

  /// L2 norm, projection and samples as the fixture holds them, within `tolerance` of norm and largest sample.
  static void expect_near(const std::vector<double>& actual, const float* expected, double tolerance,
                          const std::string& name) {
    const test::Formula sign("projection"), sample("sample");
    double squares = 0, projection = 0, largest = 0;
    for (std::size_t i = 0; i < actual.size(); ++i) {
      squares += actual[i] * actual[i];
      projection += actual[i] * sign(static_cast<std::int64_t>(i));
    }
    EXPECT_NEAR(std::sqrt(squares), expected[0], tolerance * expected[0]) << name << ": norm";
    EXPECT_NEAR(projection, expected[1], tolerance * expected[0]) << name << ": projection";
    for (std::int64_t k = 0; k < kSamples; ++k) largest = std::max<double>(largest, std::abs(expected[2 + k]));
    for (std::int64_t k = 0; k < kSamples; ++k) {
      const double place = std::abs(static_cast<double>(sample(k))) * static_cast<double>(actual.size());
      const auto j = static_cast<std::size_t>(place);
      ASSERT_NEAR(actual[j], expected[2 + k], tolerance * largest) << name << " " << j;
    }
  }

  void expect_statistics(std::int64_t which, double tolerance) const {
    const hdf5::Group group = expected_.open_group("statistics");
    const ParameterStore& store = harness_.state->store;
    EXPECT_EQ(group.members().size(), store.statistics_layout().size());
    for (const Statistic& s : store.statistics_layout()) {
      const std::vector<float> both = test::read_floats(group.open_dataset(s.name));
      expect_near(test::values_of(ParameterStore::slice(store.statistics(), s)), &both[which * (2 + kSamples)],
                  tolerance, s.name);
    }
  }

  hdf5::Group model_, expected_;
  std::int64_t rows_;
  Shape image_;
  test::StepHarness harness_;
};

TEST_P(ResnetParity, EveryFirstGradient) {
  const train::ShardPass pass{harness_.config, harness_.plan, *harness_.state, harness_.stream};
  std::map<std::string, std::vector<double>> sums;
  const auto add = [&](const Parameter& p, const Tensor& gradient) {
    const std::vector<double> values = test::values_of(gradient);
    std::vector<double>& sum = sums[p.name];
    sum.resize(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) sum[i] += values[i];
  };
  const HostValue<nn::LossSums> loss(harness_.stream);
  for (int shard = 0; shard < GetParam().shards; ++shard) {
    pass.run(batch(0), shard, 1.0 / static_cast<double>(rows_), nullptr, add, *loss);
  }
  harness_.stream.synchronize();
  const hdf5::Group group = expected_.open_group("gradient");
  EXPECT_EQ(sums.size(), harness_.state->store.parameters().size());
  EXPECT_EQ(group.members().size(), sums.size());
  for (const auto& [name, values] : sums) {
    expect_near(values, test::read_floats(group.open_dataset(name)).data(), kGradient, name);
  }
}

TEST_P(ResnetParity, TwentyLossesAndRunningStatistics) {
  const std::vector<float> losses = test::read_floats(expected_.open_dataset("losses"));
  const std::vector<float> noise = test::read_floats(expected_.open_dataset("noise"));
  ASSERT_EQ(losses.size(), 20U);
  double tolerance = kFirst, carried = 0;
  for (std::size_t step = 0; step < losses.size(); ++step) {
    const double loss = harness_.step(batch(static_cast<std::int64_t>(step))).loss;
    EXPECT_NEAR(loss, losses[step], tolerance * losses[step]) << "step " << step;
    if (step == 0) expect_statistics(0, kFirst);
    carried = std::max<double>(carried, noise[step]);
    tolerance = kLater + 10 * carried;
  }
  expect_statistics(1, tolerance);
  EXPECT_LT(losses.back(), 0.5 * losses.front());  // it learned: the curve says something
}

INSTANTIATE_TEST_SUITE_P(Depths, ResnetParity, ::testing::Values(Case{20, 1}, Case{20, 2}, Case{50, 1}, Case{50, 2}),
                         [](const auto& c) {
                           return fmt::format("resnet{}_{}_shard{}", c.param.depth, c.param.shards,
                                              c.param.shards > 1 ? "s" : "");
                         });

}  // namespace
}  // namespace mpdist
