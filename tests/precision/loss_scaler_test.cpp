// SPDX-License-Identifier: Apache-2.0
#include "src/precision/loss_scaler.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "src/core/error.hpp"

namespace mpdist::precision {
namespace {

constexpr StepEvent kClean = StepEvent::clean;
constexpr StepEvent kOverflow = StepEvent::gradient_overflow;
constexpr StepEvent kForward = StepEvent::forward_nonfinite;

void repeat(LossScaler& scaler, StepEvent event, int times) {
  for (int i = 0; i < times; ++i) scaler.update(event);
}

/// One row of the table of DESIGN 4: from `before`, `event` must lead to `after`. interval 4, hysteresis 2, floor 4,
/// ceiling 64.
struct Transition {
  const char* name;
  LossScalerState before;
  StepEvent event;
  LossScalerState after;
};

const std::vector<Transition> kTransitions{
    {"overflow within the allowance keeps the scale", {16, 3, 2, 0}, kOverflow, {16, 0, 1, 0}},
    {"overflow that uses up the allowance lowers the scale", {16, 3, 1, 0}, kOverflow, {8, 0, 0, 0}},
    {"overflow without allowance lowers it again", {16, 0, 0, 0}, kOverflow, {8, 0, -1, 0}},
    {"overflow does not refill the allowance", {16, 0, -5, 0}, kOverflow, {8, 0, -6, 0}},
    {"the floor holds", {4, 1, 0, 0}, kOverflow, {4, 0, -1, 1}},
    {"overflow that reaches the floor ran above it", {8, 1, 0, 0}, kOverflow, {4, 0, -1, 0}},
    {"overflow at the floor within the allowance counts", {4, 1, 2, 3}, kOverflow, {4, 0, 1, 4}},
    {"overflow above the floor neither counts nor resets", {16, 0, 0, 3}, kOverflow, {8, 0, -1, 3}},
    {"forward leaves scale, tracker and allowance", {16, 3, 1, 0}, kForward, {16, 3, 1, 1}},
    {"forward at the floor counts", {4, 2, 0, 5}, kForward, {4, 2, 0, 6}},
    {"clean advances the tracker only", {16, 2, 1, 0}, kClean, {16, 3, 1, 0}},
    {"clean resets patience", {4, 0, -3, 7}, kClean, {4, 1, -3, 0}},
    {"clean at the interval grows and refills", {16, 3, -1, 0}, kClean, {32, 0, 2, 0}},
    {"the ceiling holds", {64, 3, 1, 0}, kClean, {64, 0, 2, 0}},
};

TEST(LossScaler, FollowsTheTableOfTransitions) {
  for (const Transition& row : kTransitions) {
    SCOPED_TRACE(row.name);
    LossScaler scaler({.initial = 16, .floor = 4, .ceiling = 64, .interval = 4, .hysteresis = 2});
    scaler.restore(row.before);
    scaler.update(row.event);
    EXPECT_EQ(scaler.state().scale, row.after.scale);
    EXPECT_EQ(scaler.state().tracker, row.after.tracker);
    EXPECT_EQ(scaler.state().allowance, row.after.allowance);
    EXPECT_EQ(scaler.state().hopeless_skips, row.after.hopeless_skips);
  }
}

TEST(LossScaler, DefaultsAreThoseOfTheDesign) {
  LossScaler scaler({});
  EXPECT_EQ(scaler.state(), (LossScalerState{65536, 0, 1, 0}));
  scaler.update(kOverflow);
  EXPECT_EQ(scaler.scale(), 32768);
  repeat(scaler, kClean, 1999);
  EXPECT_EQ(scaler.scale(), 32768);
  scaler.update(kClean);
  EXPECT_EQ(scaler.scale(), 65536);
  repeat(scaler, kClean, 2000 * 20);
  EXPECT_EQ(scaler.scale(), 16777216);
  repeat(scaler, kOverflow, 24 + 9);
  EXPECT_EQ(scaler.scale(), 1);
  EXPECT_FALSE(scaler.exhausted());
  scaler.update(kOverflow);
  EXPECT_TRUE(scaler.exhausted());
}

TEST(LossScaler, GrowthAndBackoffAreThoseOfTheOptions) {
  LossScaler scaler({.initial = 256, .growth = 4, .backoff = 0.125, .interval = 2});
  repeat(scaler, kClean, 2);
  EXPECT_EQ(scaler.scale(), 1024);
  scaler.update(kOverflow);
  EXPECT_EQ(scaler.scale(), 128);
}

TEST(LossScaler, AnOverflowRestartsTheInterval) {
  LossScaler scaler({.initial = 16, .interval = 4, .hysteresis = 9});
  repeat(scaler, kClean, 3);
  scaler.update(kOverflow);
  repeat(scaler, kClean, 3);
  EXPECT_EQ(scaler.scale(), 16);
  scaler.update(kClean);
  EXPECT_EQ(scaler.scale(), 32);
}

TEST(LossScaler, PatienceEndsTheRunAtTheFloorOnly) {
  LossScaler scaler({.initial = 8, .floor = 1, .patience = 3});
  repeat(scaler, kOverflow, 3);  // 8 -> 4 -> 2 -> 1: these steps ran above the floor
  EXPECT_EQ(scaler.scale(), 1);
  repeat(scaler, kOverflow, 2);
  EXPECT_FALSE(scaler.exhausted());
  scaler.update(kClean);
  repeat(scaler, kOverflow, 2);
  EXPECT_FALSE(scaler.exhausted());
  scaler.update(kOverflow);
  EXPECT_TRUE(scaler.exhausted());
}

TEST(LossScaler, ForwardNonfiniteCountsForPatience) {
  LossScaler scaler({.initial = 1, .patience = 4});
  scaler.update(kForward);
  scaler.update(kOverflow);
  scaler.update(kForward);
  EXPECT_FALSE(scaler.exhausted());
  scaler.update(kForward);
  EXPECT_TRUE(scaler.exhausted());
}

TEST(LossScaler, ForwardNonfiniteEndsTheRunAtAnyScale) {
  LossScaler scaler({.patience = 3});
  repeat(scaler, kForward, 3);
  EXPECT_EQ(scaler.scale(), 65536);
  EXPECT_TRUE(scaler.exhausted());
}

TEST(LossScaler, AFixedScaleIsItsOwnFloor) {
  LossScaler scaler({.dynamic = false, .initial = 1024, .interval = 2, .patience = 2});
  repeat(scaler, kClean, 100);
  EXPECT_EQ(scaler.scale(), 1024);
  scaler.update(kOverflow);
  EXPECT_EQ(scaler.scale(), 1024);
  EXPECT_FALSE(scaler.exhausted());
  scaler.update(kOverflow);
  EXPECT_EQ(scaler.scale(), 1024);
  EXPECT_TRUE(scaler.exhausted());
}

TEST(LossScaler, ARestoredScalerGoesOnAsTheOther) {
  const LossScalerOptions options{.initial = 16, .floor = 2, .interval = 3, .hysteresis = 2, .patience = 5};
  const std::vector<StepEvent> events{kClean,    kOverflow, kClean,   kClean,   kOverflow, kForward,
                                      kOverflow, kOverflow, kClean,   kClean,   kOverflow, kOverflow,
                                      kOverflow, kOverflow, kForward, kOverflow};
  for (std::size_t cut = 0; cut <= events.size(); ++cut) {
    LossScaler whole(options), first(options), second(options);
    for (std::size_t i = 0; i < events.size(); ++i) {
      whole.update(events[i]);
      if (i < cut) first.update(events[i]);
    }
    second.restore(first.state());
    for (std::size_t i = cut; i < events.size(); ++i) second.update(events[i]);
    EXPECT_EQ(second.state(), whole.state()) << "cut at " << cut;
    EXPECT_EQ(second.exhausted(), whole.exhausted());
  }
}

TEST(LossScaler, AFixedScaleStaysWhenAnotherIsRestored) {
  LossScaler scaler({.dynamic = false, .initial = 1024});
  scaler.restore({.scale = 4, .tracker = 7, .allowance = 1, .hopeless_skips = 2});
  EXPECT_EQ(scaler.state(), (LossScalerState{1024, 7, 1, 2}));
}

TEST(LossScaler, RefusesWhatIsNoPowerOfTwoOrContradictsItself) {
  const std::vector<std::pair<std::string, std::function<void(LossScalerOptions&)>>> cases{
      {"scale_initial", [](auto& o) { o.initial = 1000; }},
      {"scale_initial", [](auto& o) { o.initial = 0; }},
      {"scale_initial", [](auto& o) { o.initial = -2; }},
      {"loss_scale", [](auto& o) { o.dynamic = false, o.initial = 3; }},
      {"scale_growth", [](auto& o) { o.growth = 1.5; }},
      {"scale_growth", [](auto& o) { o.growth = 0.5; }},
      {"scale_backoff", [](auto& o) { o.backoff = 0.3; }},
      {"scale_backoff", [](auto& o) { o.backoff = 2; }},
      {"scale_floor", [](auto& o) { o.floor = 3; }},
      {"scale_floor", [](auto& o) { o.floor = 131072; }},
      {"scale_ceiling", [](auto& o) { o.ceiling = 100000; }},
      {"scale_ceiling", [](auto& o) { o.ceiling = 1024; }},
      {"scale_interval", [](auto& o) { o.interval = 0; }},
      {"hysteresis", [](auto& o) { o.hysteresis = 0; }},
      {"patience", [](auto& o) { o.patience = 0; }},
  };
  for (const auto& [key, change] : cases) {
    LossScalerOptions options;
    change(options);
    try {
      LossScaler scaler(options);
      ADD_FAILURE() << key << " was accepted";
    } catch (const UsageError& error) {
      EXPECT_NE(std::string(error.what()).find("precision." + key), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace mpdist::precision
