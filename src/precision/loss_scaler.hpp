// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

#include "src/core/schema.hpp"

namespace mpdist::precision {

/// [precision] keys of the loss scaler. All scales and factors are powers of two.
struct LossScalerOptions {
  bool dynamic = true;  ///< false: the scale stays at `initial`, whatever happens
  double initial = 65536, growth = 2, backoff = 0.5, floor = 1, ceiling = 16777216;
  std::int64_t interval = 2000;  ///< clean steps before the scale grows
  std::int64_t hysteresis = 1;  ///< the scale falls at this many overflows since the last refill, and at each one after
  std::int64_t patience = 10;   ///< skips in a row that no lower scale can cure, which end the run
};

/// What happened to one attempted step.
enum class StepEvent : unsigned char {
  clean,
  gradient_overflow,  ///< non-finite gradient, in backward or in the sum
  forward_nonfinite,  ///< non-finite loss: no scale helps
};

/// Everything a checkpoint keeps.
struct LossScalerState {
  double scale = 65536;
  std::int64_t tracker = 0;         ///< clean steps since the last change
  std::int64_t allowance = 1;       ///< overflows still tolerated; 0 and below: each one lowers the scale
  std::int64_t hopeless_skips = 0;  ///< since the last clean step: forward non-finite, or overflow at the floor
  bool operator==(const LossScalerState&) const = default;
};

/// The state machine of DESIGN 4 (Micikevicius et al. 2018, section 3.2, made dynamic). No tensors, no ranks:
/// | event                        | tracker   | allowance             | scale                                 |
/// | gradient_overflow            | 0         | -1                    | if allowance <= 0: max(floor, scale*backoff) |
/// | forward_nonfinite            | unchanged | unchanged             | unchanged                             |
/// | clean, tracker+1 < interval  | +1        | unchanged             | unchanged                             |
/// | clean, tracker+1 = interval  | 0         | refilled              | min(ceiling, scale*growth)            |
/// A fixed scale never changes and is its own floor. Skips that no lower scale can cure (an overflow of a step that ran
/// at the floor, a non-finite forward at any scale) are counted until a clean step; `patience` of them exhaust the
/// scaler.
class LossScaler {
 public:
  /// Throws UsageError when a scale or factor is no power of two, or the bounds contradict each other.
  explicit LossScaler(const LossScalerOptions& options);
  double scale() const { return state_.scale; }
  /// Advances by one attempted step.
  void update(StepEvent event);
  /// Whether `patience` hopeless steps in a row were skipped: the run must end.
  bool exhausted() const { return state_.hopeless_skips >= options_.patience; }
  const LossScalerState& state() const { return state_; }
  /// Continues from a checkpoint. A fixed scale stays what the options say.
  void restore(const LossScalerState& state);

 private:
  void overflow();
  void clean();

  LossScalerOptions options_;
  LossScalerState state_;
};

}  // namespace mpdist::precision
