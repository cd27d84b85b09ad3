// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "src/core/parameters.hpp"
#include "src/core/stream.hpp"

namespace mpdist::optim {

/// Exponential moving average of the masters: average = decay*average + (1-decay)*master after each applied update. It
/// starts as a copy of the initial masters, so that no bias correction is needed; frozen parameters stay that copy. The
/// store outlives it.
class Ema {
 public:
  /// On a finalized store. `decay` in (0, 1); UsageError where it is 1 as FP32.
  Ema(const ParameterStore& store, double decay);
  void update(Stream& stream);
  /// [elements] FP32 of the store's layout: /ema/<parameter> of a checkpoint, written in place on resume.
  const Tensor& average() const { return average_; }

 private:
  const ParameterStore& store_;
  float decay_;
  Tensor average_;
};

}  // namespace mpdist::optim
