// SPDX-License-Identifier: Apache-2.0
#include "src/optim/schedule.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <string>

#include "src/core/error.hpp"

namespace mpdist::optim {
namespace {

/// The schedule `name` with some keys set through its schema, as the config reader sets them.
std::unique_ptr<Schedule> make(const std::string& name, const std::map<std::string, double>& values,
                               std::int64_t total) {
  const auto& all = schedules();
  const auto entry = std::find_if(all.begin(), all.end(), [&](const ScheduleEntry& e) { return e.name == name; });
  auto options = entry->options();
  Schema schema;
  options->describe(schema);
  std::size_t found = 0;
  for (const Key& key : schema.keys()) {
    if (!values.contains(key.name)) continue;
    ++found;
    if (auto* whole = std::get_if<std::int64_t*>(&key.value)) **whole = static_cast<std::int64_t>(values.at(key.name));
    if (auto* real = std::get_if<double*>(&key.value)) **real = values.at(key.name);
  }
  EXPECT_EQ(found, values.size()) << name;
  return entry->make(*options, total);
}

TEST(Schedule, ConstantStaysAtOne) {
  const auto schedule = make("constant", {}, 10);
  for (std::int64_t step : {0, 1, 9, 10, 1000}) EXPECT_EQ(schedule->factor(step), 1.0);
}

TEST(Schedule, WarmUpRisesLinearlyToTheValueAtItsEnd) {
  const auto constant = make("constant", {{"warmup_steps", 4}}, 100);
  EXPECT_DOUBLE_EQ(constant->factor(0), 0.25);
  EXPECT_DOUBLE_EQ(constant->factor(2), 0.75);
  EXPECT_DOUBLE_EQ(constant->factor(3), 1.0);
  EXPECT_DOUBLE_EQ(constant->factor(4), 1.0);
  const auto step = make("step", {{"warmup_steps", 4}, {"step_size", 2}, {"gamma", 0.5}}, 100);
  EXPECT_DOUBLE_EQ(step->factor(0), 0.25 * 0.25);  // two falls lie before the end of warm-up
  EXPECT_DOUBLE_EQ(step->factor(3), 0.25);
  EXPECT_DOUBLE_EQ(step->factor(6), 0.125);
}

TEST(Schedule, EveryScheduleWarmsUp) {
  for (const ScheduleEntry& entry : schedules()) {
    const auto schedule = make(entry.name, {{"warmup_steps", 5}}, 1000);
    for (std::int64_t step = 0; step < 5; ++step) {
      EXPECT_DOUBLE_EQ(schedule->factor(step), static_cast<double>(step + 1) / 5) << entry.name;
    }
    EXPECT_DOUBLE_EQ(schedule->factor(5), 1.0) << entry.name;
  }
}

TEST(Schedule, ARunShorterThanItsWarmUpOnlyRises) {
  for (const char* name : {"constant", "cosine", "polynomial"}) {
    const auto schedule = make(name, {{"warmup_steps", 100}}, 50);
    EXPECT_DOUBLE_EQ(schedule->factor(0), 0.01) << name;
    EXPECT_DOUBLE_EQ(schedule->factor(49), 0.5) << name;
  }
}

TEST(Schedule, StepFallsEveryStepSize) {
  const auto schedule = make("step", {{"step_size", 3}, {"gamma", 0.5}}, 9);
  const double expected[] = {1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125};
  for (std::int64_t step = 0; step < 10; ++step) EXPECT_DOUBLE_EQ(schedule->factor(step), expected[step]) << step;
}

TEST(Schedule, StepFallsAtThirdsByDefault) {
  const auto schedule = make("step", {}, 10);
  EXPECT_DOUBLE_EQ(schedule->factor(3), 1);
  EXPECT_DOUBLE_EQ(schedule->factor(4), 0.1);
  EXPECT_DOUBLE_EQ(schedule->factor(7), 0.1);
  EXPECT_DOUBLE_EQ(schedule->factor(8), 0.01);
}

TEST(Schedule, CosineFollowsItsFormula) {
  const auto schedule = make("cosine", {{"warmup_steps", 10}, {"minimum", 0.2}}, 110);
  for (std::int64_t step = 10; step <= 110; ++step) {
    const double p = static_cast<double>(step - 10) / 100;
    EXPECT_NEAR(schedule->factor(step), 0.2 + 0.8 * (1 + std::cos(std::numbers::pi * p)) / 2, 1e-15) << step;
  }
  EXPECT_DOUBLE_EQ(schedule->factor(60), 0.6);
  EXPECT_DOUBLE_EQ(schedule->factor(110), 0.2);
  EXPECT_DOUBLE_EQ(schedule->factor(500), 0.2);
}

TEST(Schedule, PolynomialFollowsItsFormula) {
  const auto linear = make("polynomial", {}, 10);
  for (std::int64_t step = 0; step <= 10; ++step) {
    EXPECT_NEAR(linear->factor(step), 1 - static_cast<double>(step) / 10, 1e-15);
  }
  const auto square = make("polynomial", {{"warmup_steps", 10}, {"power", 2}, {"minimum", 0.5}}, 20);
  EXPECT_DOUBLE_EQ(square->factor(15), 0.5 + 0.5 * 0.25);
  EXPECT_DOUBLE_EQ(square->factor(20), 0.5);
  EXPECT_DOUBLE_EQ(square->factor(21), 0.5);
}

TEST(Schedule, ARunWithoutStepsIsRefused) {
  for (const ScheduleEntry& entry : schedules()) EXPECT_THROW(make(entry.name, {}, 0), InvalidArgument) << entry.name;
}

}  // namespace
}  // namespace mpdist::optim
