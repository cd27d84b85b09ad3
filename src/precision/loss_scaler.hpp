// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

#include "src/core/schema.hpp"

namespace mpdist::precision {

/// [precision] keys of the loss scaler. All scales and factors are powers of two.
struct LossScalerOptions {
  bool dynamic = true;
  double initial = 65536, growth = 2, backoff = 0.5, floor = 1, ceiling = 16777216;
  std::int64_t interval = 2000;    ///< clean steps before the scale grows
  std::int64_t hysteresis = 1;     ///< overflows tolerated before the scale falls
  std::int64_t patience = 10;      ///< skips in a row at the floor that end the run
};

/// What happened to one attempted step.
enum class StepEvent : unsigned char {
  clean,
  gradient_overflow,   ///< non-finite gradient, in backward or in the sum
  forward_nonfinite,   ///< non-finite loss: no scale helps
};

/// Everything a checkpoint keeps.
struct LossScalerState {
  double scale = 65536;
  std::int64_t tracker = 0;    ///< clean steps since the last change
  std::int64_t allowance = 1;  ///< overflows still tolerated
  std::int64_t skips_at_floor = 0;  ///< consecutive
  bool operator==(const LossScalerState&) const = default;
};

/// The state machine of DESIGN 4 (Micikevicius et al. 2018, section 3.2, made dynamic). No tensors, no ranks:
/// | event                        | tracker   | allowance             | scale                                              |
/// | gradient_overflow            | 0         | -1                    | if allowance <= 0: max(floor, scale*backoff)       |
/// | forward_nonfinite            | unchanged | unchanged             | unchanged                                          |
/// | clean, tracker+1 < interval  | +1        | unchanged             | unchanged                                          |
/// | clean, tracker+1 = interval  | 0         | refilled              | min(ceiling, scale*growth)                         |
/// A fixed scale never changes and is its own floor.
class LossScaler {
 public:
  explicit LossScaler(const LossScalerOptions& options);
  double scale() const { return state_.scale; }
  /// Advances by one attempted step.
  void update(StepEvent event);
  /// Whether `patience` steps in a row were skipped at the floor: the run must end.
  bool exhausted() const;
  const LossScalerState& state() const { return state_; }
  void restore(const LossScalerState& state) { state_ = state; }

 private:
  LossScalerOptions options_;
  LossScalerState state_;
};

}  // namespace mpdist::precision
