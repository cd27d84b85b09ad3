// SPDX-License-Identifier: Apache-2.0
#include "src/train/reporters.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace mpdist::train {
namespace {

struct Screen {
  std::vector<std::string> lines, live;

  Console console(bool terminal, double interval_s) {
    Console made{
        .line = [this](const std::string& text) { lines.push_back(text); }, .live = {}, .interval_s = interval_s};
    if (terminal) made.live = [this](const std::string& text) { live.push_back(text); };
    return made;
  }
};

StepRecord some_step() {
  return {.step = 120,
          .attempted = 123,
          .epoch = 0.256,
          .loss = 0.43125,
          .accuracy = 0.8412,
          .loss_scale = 65536,
          .skipped = 3,
          .step_ms = 100,
          .samples_per_s = 1043.4,
          .remaining = 2000};
}

TEST(ConsoleReporter, ProgressSaysWhatTheDesignLists) {
  Screen screen;
  ConsoleReporter(screen.console(false, 0)).step(some_step());
  ASSERT_EQ(screen.lines.size(), 1u);
  EXPECT_EQ(
      screen.lines[0],
      "step 120  epoch 0.26  loss 0.4313  accuracy 84.1 %  1043 samples/s  scale 65536  skipped 3  left 3 min 20 s");
}

TEST(ConsoleReporter, WaitingForDataIsToldWhereItMatters) {
  StepRecord record = some_step();
  for (const auto& [fraction, told] : std::vector<std::pair<double, bool>>{{0.02, false}, {0.125, true}}) {
    Screen screen;
    record.data_wait_fraction = fraction;
    ConsoleReporter(screen.console(false, 0)).step(record);
    EXPECT_EQ(screen.lines.at(0).find("1043 samples/s  waiting for data 12 %  scale") != std::string::npos, told);
    EXPECT_EQ(screen.lines.at(0).find("waiting") != std::string::npos, told);
  }
}

TEST(ConsoleReporter, TimeLeftHasReadableUnits) {
  const std::vector<std::pair<std::int64_t, std::string>> cases{{0, "left 0 s"},
                                                                {594, "left 59 s"},
                                                                {600, "left 1 min 00 s"},
                                                                {36000, "left 1 h 00 min"},
                                                                {38400, "left 1 h 04 min"}};
  for (const auto& [remaining, expected] : cases) {
    Screen screen;
    StepRecord record = some_step();
    record.remaining = remaining;
    ConsoleReporter(screen.console(false, 0)).step(record);
    EXPECT_TRUE(screen.lines.at(0).ends_with(expected)) << screen.lines[0];
  }
}

TEST(ConsoleReporter, ATerminalGetsALiveLineThatIsErasedAtTheEnd) {
  Screen screen;
  {
    ConsoleReporter reporter(screen.console(true, 0));
    reporter.step(some_step());
    reporter.step(some_step());
  }
  EXPECT_TRUE(screen.lines.empty());
  ASSERT_EQ(screen.live.size(), 3u);
  EXPECT_EQ(screen.live.back(), "");
}

TEST(ConsoleReporter, ProgressKeepsTheIntervalButOtherLinesCome) {
  Screen screen;
  ConsoleReporter reporter(screen.console(false, 3600));
  for (int i = 0; i < 5; ++i) reporter.step(some_step());
  EXPECT_EQ(screen.lines.size(), 1u);
  for (int i = 0; i < 2; ++i) reporter.evaluate({.step = 10, .loss = 0.5, .accuracy = 0.925, .samples = 10000});
  ASSERT_EQ(screen.lines.size(), 3u);
  EXPECT_EQ(screen.lines[2], "step 10: evaluation loss 0.5000, accuracy 92.50 % of 10000 samples");
}

TEST(ConsoleReporter, AnOverflowSaysWhyAndWhatBecomesOfTheScale) {
  Screen screen;
  ConsoleReporter(screen.console(true, 0))
      .overflow({.attempted = 12,
                 .loss_scale = 65536,
                 .next_loss_scale = 32768,
                 .diagnosis = "overflow in backward: tensor a"});
  EXPECT_EQ(screen.lines.at(0), "batch 12 skipped: overflow in backward: tensor a; loss scale 65536 -> 32768");
}

TEST(ConsoleReporter, StartCheckpointAndEndSayWhatRuns) {
  Screen screen;
  ConsoleReporter reporter(screen.console(false, 0));
  reporter.start({.step = 40,
                  .resumed_from = "step_40.h5",
                  .name = "demo",
                  .compute = "bf16",
                  .ranks = 4,
                  .nodes = 2,
                  .devices = "EPYC",
                  .transport = "messages",
                  .global_batch = 64,
                  .shards = 8,
                  .parameters = 1000,
                  .training_samples = 500});
  reporter.checkpoint({.step = 50, .path = "step_50.h5"});
  reporter.end({.step = 90, .attempted = 92, .skipped = 2, .reason = "stopped", .wall_s = 61});
  EXPECT_EQ(screen.lines,
            (std::vector<std::string>{
                "demo: 1000 parameters in bf16, batch 64 in 8 shards, 500 training samples, from step_40.h5 (step 40)",
                "4 ranks on 2 nodes (EPYC), 1 thread a rank, gradients by messages", "step 50: checkpoint step_50.h5",
                "stopped after 1 min 01 s: step 90, 92 batches, 2 skipped"}));
}

TEST(ConsoleReporter, TelemetryIsOneLine) {
  precision::TensorRange large{.name = "fc.weight"}, small{.name = "fc", .operation = "linear"};
  large.counts.finite[static_cast<std::size_t>(10 - kernels::ExponentCounts::kLowest)] = 3;
  large.counts.zero = 1;
  small.counts.finite[static_cast<std::size_t>(-20 - kernels::ExponentCounts::kLowest)] = 1;
  small.counts.nonfinite = 1;
  const precision::TensorRange gradients[] = {large}, activations[] = {small};
  Screen screen;
  ConsoleReporter reporter(screen.console(false, 0));
  reporter.telemetry({.attempted = 5, .loss_scale = 64, .gradients = gradients, .activation_gradients = activations});
  reporter.telemetry({.attempted = 5, .loss_scale = 64, .gradients = gradients});
  EXPECT_EQ(screen.lines.at(0),
            "batch 5 at scale 64: gradients 25.0 % zero, 0.0 % subnormal, 25.0 % lost at scale 1, 5 doublings left; "
            "activation gradients 0.0 % zero, 50.0 % subnormal, 50.0 % lost at scale 1, 1 not finite; recommended "
            "scale 32");
  EXPECT_TRUE(screen.lines.at(1).ends_with("; recommended scale 512")) << screen.lines[1];
}

}  // namespace
}  // namespace mpdist::train
