// SPDX-License-Identifier: Apache-2.0
// Losses of 20 steps and every gradient of the first against PyTorch (tests/fixtures/pytorch_training.py made the
// file).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "src/train/shard_pass.hpp"
#include "tests/support/fixture.hpp"
#include "tests/train/step_harness.hpp"

namespace mpdist {
namespace {

using test::number;
using test::read_floats;

struct Fixture {
  hdf5::Group group;
  Shape images;  ///< [batches, rows, h, w, c]
  explicit Fixture(const std::string& model)
      : group(hdf5::File::open(MPDIST_FIXTURES "/pytorch_training.h5").root().open_group(model)),
        images(group.open_dataset("images").shape()) {}

  std::string toml(const std::string& model, const std::string& own_keys, int shards) const {
    return fmt::format(
        "[run]\nsteps = 20\n[batch]\nglobal = {}\nshards = {}\n[precision]\ncompute = \"fp32\"\n[model]\nname = "
        "\"{}\"\n{}\n"
        "[data]\nformat = \"synthetic\"\n[optimizer]\nname = \"sgd\"\nlr = {}\nmomentum = {}\nnesterov = "
        "{}\nweight_decay = {}\n"
        "decay = \"coupled\"\n",
        images[1], shards, model, own_keys, number(group, "lr"), number(group, "momentum"),
        number(group, "nesterov") != 0 ? "true" : "false", number(group, "weight_decay"));
  }

  data::Batch batch(std::int64_t step) const {
    const std::int64_t which = step % images[0], rows = images[1];
    const std::int64_t row = images[2] * images[3] * images[4];
    data::Batch result{.attempted = step,
                       .images = Tensor({rows, images[2], images[3], images[4]}, DType::fp32, MemoryKind::data),
                       .labels = Tensor({rows}, DType::int32, MemoryKind::data)};
    const std::vector<float> all = read_floats(group.open_dataset("images"));
    std::copy_n(all.begin() + which * rows * row, rows * row, result.images.data<float>());
    const hdf5::Dataset labels = group.open_dataset("labels");
    std::vector<std::int32_t> all_labels(static_cast<std::size_t>(labels.shape().elements()));
    labels.read(all_labels.data());
    std::copy_n(all_labels.begin() + which * rows, rows, result.labels.data<std::int32_t>());
    return test::StepHarness::on_device(result);
  }

  void set_initial(ParameterStore& store) const {
    const hdf5::Group initial = group.open_group("initial");
    EXPECT_EQ(initial.members().size(), store.parameters().size());
    for (const Parameter* p : store.parameters()) {
      const std::vector<float> values = read_floats(initial.open_dataset(p->name));
      ASSERT_EQ(static_cast<std::int64_t>(values.size()), p->elements()) << p->name;
      test::overwrite(store.master(*p),
                      [&](const Tensor& host) { std::copy(values.begin(), values.end(), host.data<float>()); });
    }
  }
};

struct Case {
  std::string model, own_keys;
  int shards;
};

class Parity : public ::testing::TestWithParam<Case> {};

TEST_P(Parity, TwentyLossesMatchPyTorch) {
  const Case& c = GetParam();
  const Fixture fixture(c.model);
  const Shape image{fixture.images[2], fixture.images[3], fixture.images[4]};
  test::StepHarness harness(fixture.toml(c.model, c.own_keys, c.shards), image,
                            static_cast<std::int64_t>(number(fixture.group, "classes")));
  fixture.set_initial(harness.state->store);
  const std::vector<float> losses = read_floats(fixture.group.open_dataset("losses"));
  ASSERT_EQ(losses.size(), 20U);
  for (std::size_t step = 0; step < losses.size(); ++step) {
    const double loss = harness.step(fixture.batch(static_cast<std::int64_t>(step))).loss;
    EXPECT_NEAR(loss, losses[step], (step == 0 ? 1e-5 : 1e-4) * losses[step]) << "step " << step;
  }
  EXPECT_LT(losses.back(), 0.9 * losses.front());  // it learned: the curve says something
}

TEST_P(Parity, EveryFirstGradientMatchesPyTorch) {
  const Case& c = GetParam();
  const Fixture fixture(c.model);
  const Shape image{fixture.images[2], fixture.images[3], fixture.images[4]};
  test::StepHarness harness(fixture.toml(c.model, c.own_keys, 1), image,
                            static_cast<std::int64_t>(number(fixture.group, "classes")));
  fixture.set_initial(harness.state->store);
  const train::ShardPass pass{harness.config, harness.plan, *harness.state, harness.stream};
  const hdf5::Group expected = fixture.group.open_group("gradient");
  std::size_t seen = 0;
  const double mean = harness.plan.shards_power / static_cast<double>(harness.plan.global_batch);
  const auto check = [&](const Parameter& p, const Tensor& gradient) {
    const std::vector<float> reference = read_floats(expected.open_dataset(p.name));
    float largest = 0;
    for (float value : reference) largest = std::max(largest, std::abs(value));
    const std::vector<double> actual = test::values_of(gradient);
    for (std::size_t i = 0; i < reference.size(); ++i)
      ASSERT_NEAR(actual[i], reference[i], 1e-5 * largest) << p.name << " " << i;
    ++seen;
  };
  const HostValue<nn::LossSums> loss(harness.stream);
  pass.run(fixture.batch(0), 0, mean, nullptr, check, *loss);
  harness.stream.synchronize();
  EXPECT_EQ(seen, harness.state->store.parameters().size());
}

INSTANTIATE_TEST_SUITE_P(Models, Parity,
                         ::testing::Values(Case{"mlp", "hidden = [32]", 1}, Case{"mlp", "hidden = [32]", 8},
                                           Case{"cnn", "channels = [4, 8]\nhidden = 16", 1},
                                           Case{"cnn", "channels = [4, 8]\nhidden = 16", 8}),
                         [](const auto& c) { return c.param.model + std::to_string(c.param.shards); });

}  // namespace
}  // namespace mpdist
