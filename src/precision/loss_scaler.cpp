// SPDX-License-Identifier: Apache-2.0
#include "src/precision/loss_scaler.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "src/core/error.hpp"

namespace mpdist::precision {
namespace {

void expect(bool condition, std::string_view key, std::string_view expected, double found) {
  if (!condition) throw UsageError(fmt::format("precision.{}: expected {}, found {}", key, expected, found));
}

void expect_power_of_two(std::string_view key, double value) {
  int exponent = 0;
  expect(value > 0 && std::isfinite(value) && std::frexp(value, &exponent) == 0.5, key, "a power of two", value);
}

void validate(const LossScalerOptions& options) {
  expect_power_of_two(options.dynamic ? "scale_initial" : "loss_scale", options.initial);
  expect(options.patience >= 1, "patience", "at least 1", static_cast<double>(options.patience));
  if (!options.dynamic) return;
  expect_power_of_two("scale_growth", options.growth);
  expect_power_of_two("scale_backoff", options.backoff);
  expect_power_of_two("scale_floor", options.floor);
  expect_power_of_two("scale_ceiling", options.ceiling);
  expect(options.growth >= 1, "scale_growth", "at least 1", options.growth);
  expect(options.backoff <= 1, "scale_backoff", "at most 1", options.backoff);
  expect(options.floor <= options.initial, "scale_floor", fmt::format("at most scale_initial {}", options.initial),
         options.floor);
  expect(options.ceiling >= options.initial, "scale_ceiling", fmt::format("at least scale_initial {}", options.initial),
         options.ceiling);
  expect(options.interval >= 1, "scale_interval", "at least 1", static_cast<double>(options.interval));
  expect(options.hysteresis >= 1, "hysteresis", "at least 1", static_cast<double>(options.hysteresis));
}

}  // namespace

LossScaler::LossScaler(const LossScalerOptions& options) : options_(options) {
  validate(options_);
  if (!options_.dynamic) options_.floor = options_.ceiling = options_.initial;
  state_ = {.scale = options_.initial, .allowance = options_.hysteresis};
}

void LossScaler::update(StepEvent event) {
  switch (event) {
    case StepEvent::clean:
      return clean();
    case StepEvent::gradient_overflow:
      return overflow();
    case StepEvent::forward_nonfinite:
      ++state_.hopeless_skips;
      return;
  }
}

void LossScaler::overflow() {
  if (state_.scale <= options_.floor) ++state_.hopeless_skips;  // judged by the scale that the step ran at
  state_.tracker = 0;
  --state_.allowance;
  if (state_.allowance <= 0) state_.scale = std::max(options_.floor, state_.scale * options_.backoff);
}

void LossScaler::clean() {
  state_.hopeless_skips = 0;
  if (++state_.tracker < options_.interval) return;
  state_.tracker = 0;
  state_.allowance = options_.hysteresis;
  state_.scale = std::min(options_.ceiling, state_.scale * options_.growth);
}

void LossScaler::restore(const LossScalerState& state) {
  state_ = state;
  if (!options_.dynamic) state_.scale = options_.initial;
}

}  // namespace mpdist::precision
