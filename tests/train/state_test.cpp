// SPDX-License-Identifier: Apache-2.0
#include "src/train/state.hpp"

#include <gtest/gtest.h>

#include "tests/train/step_harness.hpp"

namespace mpdist::train {
namespace {

using test::StepHarness;

StepHarness make(const std::string& optimizer) {
  return StepHarness(
      "[run]\nsteps = 100\n[batch]\nglobal = 32\nshards = 4\n[model]\nname = \"mlp\"\nhidden = [16]\n"
      "[data]\nformat = \"synthetic\"\n[optimizer]\nema_decay = 0.9\n" +
          optimizer,
      {4, 4, 1}, 5);
}

/// Gives everything that training changes a value of its own.
void disturb(TrainingState& state, Stream& stream) {
  std::uint64_t seed = 50;
  for (const checkpoint::NamedTensor& tensor : state_tensors(state)) test::fill_uniform(tensor.values, ++seed);
  state.scaler.restore({.scale = 2048, .tracker = 7, .allowance = -2, .hopeless_skips = 3});
  state.step = 11, state.attempted = 16, state.skipped = 5;
  state.refresh_working(stream);
}

TEST(State, ACheckpointRestoresAllOfItAndTheWorkingCopy) {
  for (const char* optimizer :
       {"name = \"sgd\"\nmomentum = 0.9\n", "name = \"adamw\"\n", "name = \"lion\"\n",
        "name = \"rmsprop\"\ncentered = true\nmomentum = 0.5\n", "name = \"lars\"\n", "name = \"lamb\"\n"}) {
    StepHarness saved = make(optimizer), restored = make(optimizer);
    disturb(*saved.state, saved.stream);
    from_checkpoint(*restored.state, to_checkpoint(*saved.state, saved.config, {.samples = 1000}), "a file",
                    restored.stream);
    EXPECT_EQ(restored.everything(), saved.everything()) << optimizer;
    EXPECT_EQ(restored.state->scaler.state(), saved.state->scaler.state());
    EXPECT_EQ(restored.state->step, 11);
    EXPECT_EQ(restored.state->attempted, 16);
    EXPECT_EQ(restored.state->skipped, 5);
  }
}

TEST(State, ACheckpointThatLacksSomethingIsRefused) {
  StepHarness h = make("name = \"adamw\"\n");
  const checkpoint::Checkpoint whole = to_checkpoint(*h.state, h.config, {.samples = 1000});
  for (const char* name :
       {"scaler/tracker", "scaler/allowance", "scaler/hopeless_skips", "run/step", "run/attempted", "run/skipped"}) {
    checkpoint::Checkpoint damaged = whole;
    EXPECT_EQ(damaged.integers.erase(name), 1U);
    EXPECT_THROW(from_checkpoint(*h.state, damaged, "a file", h.stream), FormatError) << name;
  }
  checkpoint::Checkpoint damaged = whole;
  damaged.reals.clear();
  EXPECT_THROW(from_checkpoint(*h.state, damaged, "a file", h.stream), FormatError);
  for (std::size_t i = 0; i < whole.tensors.size(); ++i) {
    damaged = whole;
    damaged.tensors.erase(damaged.tensors.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_THROW(from_checkpoint(*h.state, damaged, "a file", h.stream), FormatError) << whole.tensors[i].path;
  }
  damaged = whole;
  damaged.tensors.push_back({"master/other.weight", whole.tensors[0].values});
  EXPECT_THROW(from_checkpoint(*h.state, damaged, "a file", h.stream), FormatError);
}

/// A master beyond the largest FP16 value becomes that value, never infinity.
TEST(State, TheRefreshedWorkingCopySaturates) {
  StepHarness h = make("name = \"sgd\"\n");
  test::set_value(h.state->store.master(), 0, 1e6F);
  test::set_value(h.state->store.master(), 1, -65520);
  h.state->refresh_working(h.stream);
  EXPECT_EQ(test::value_at(h.state->store.working(), 0), 65504);
  EXPECT_EQ(test::value_at(h.state->store.working(), 1), -65504);
}

}  // namespace
}  // namespace mpdist::train
