// SPDX-License-Identifier: Apache-2.0
#include "src/train/initial_weights.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>

#include "tests/train/step_harness.hpp"

namespace mpdist::train {
namespace {

using test::StepHarness;

/// A small residual-like network of `hidden` units with statistics, and its average.
StepHarness make(const std::string& hidden = "16", int seed = 1, const std::string& name = "first",
                 std::int64_t classes = 5) {
  return StepHarness(fmt::format("[run]\nsteps = 100\nseed = {}\n[batch]\nglobal = 32\nshards = 4\n[model]\nname = "
                                 "\"sequential\"\nlayers = [{{type = \"linear\", units = {}, name = \"{}\"}}, {{type = "
                                 "\"batch_norm\"}}, {{type = \"linear\", name = \"head\"}}]\n"
                                 "[data]\nformat = \"synthetic\"\n[optimizer]\nema_decay = 0.9\nmomentum = 0.9\n",
                                 seed, hidden, name),
                     {4, 4, 1}, classes);
}

/// The checkpoint of another run, whose state is unlike any fresh one.
class InitialWeightsTest : public testing::Test {
 protected:
  InitialWeightsTest() : first_(make()) {
    std::uint64_t seed = 50;
    for (const checkpoint::NamedTensor& tensor : state_tensors(*first_.state))
      test::fill_uniform(tensor.values, ++seed);
    first_.state->step = 11;
    checkpoint::write(path_, to_checkpoint(*first_.state, first_.config, {.samples = 1000}));
  }
  ~InitialWeightsTest() override { std::remove(path_.c_str()); }

  InitialWeights read(StepHarness& h, const std::vector<std::string>& skip = {}) const {
    h.config.init = {path_, skip};
    return read_initial_weights(*h.state, h.config, h.stream);
  }
  std::string complaint(StepHarness h, const std::vector<std::string>& skip = {}) const {
    try {
      read(h, skip);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "no error";
  }
  static std::vector<double> master(const StepHarness& h, const std::string& name) {
    return test::values_of(h.state->store.master(*h.state->store.find(name)));
  }

  const std::string path_ = testing::TempDir() + fmt::format("/initial_weights_{}.h5", getpid());
  StepHarness first_;
};

TEST_F(InitialWeightsTest, MastersStatisticsAndAverageAreTakenAndNothingElse) {
  StepHarness second = make("16", 2);
  const InitialWeights weights = read(second);
  EXPECT_EQ(weights.text(), path_ + " (step 11): 8 tensors");
  const ParameterStore &now = second.state->store, &saved = first_.state->store;
  EXPECT_EQ(test::values_of(now.master()), test::values_of(saved.master()));
  EXPECT_EQ(test::values_of(now.statistics()), test::values_of(saved.statistics()));
  EXPECT_EQ(test::values_of(second.state->ema->average()), test::values_of(saved.master()));
  for (const optim::Slot& slot : second.state->optimizer->slots())
    for (const double value : test::values_of(slot.values)) ASSERT_EQ(value, 0);
  EXPECT_EQ(second.state->step, 0);
  StepHarness again = make("16", 2);
  test::fill_uniform(again.state->store.working(), 1);
  read(again);
  EXPECT_EQ(test::values_of(again.state->store.working()), test::values_of(second.state->store.working()));
}

TEST_F(InitialWeightsTest, ANewHeadKeepsItsFreshValues) {
  const StepHarness fresh = make("16", 2, "first", 7);
  StepHarness second = make("16", 2, "first", 7);
  EXPECT_EQ(read(second, {"head.*"}).text(), path_ + " (step 11): 6 tensors, fresh: head.bias, head.weight");
  EXPECT_EQ(master(second, "head.weight"), master(fresh, "head.weight"));
  EXPECT_EQ(master(second, "first.weight"), master(first_, "first.weight"));
}

TEST_F(InitialWeightsTest, WhatDoesNotFitIsNamedInOneLine) {
  EXPECT_EQ(
      complaint(make("16", 1, "other")),
      fmt::format("model.init = \"{}\" does not fit the model: it lacks other.bias, other.weight; the model lacks "
                  "first.bias, first.weight; patterns in model.init_skip leave tensors out, as init_skip = "
                  "[\"fc*\"]",
                  path_));
  EXPECT_NE(
      complaint(make("8")).find("other shapes: head.weight is [5, 16], expected [5, 8], batch_norm1.beta is [16], "
                                "expected [8], batch_norm1.gamma is [16], expected [8], first.bias is [16], "
                                "expected [8] and 3 more;"),
      std::string::npos)
      << complaint(make("8"));
  EXPECT_NE(complaint(make(), {"haed.*"}).find("model.init_skip: 'haed.*' matches no parameter"), std::string::npos);
  EXPECT_EQ(complaint(make("16", 1, "other"), {"other.*", "first.*"}), "no error");
}

}  // namespace
}  // namespace mpdist::train
