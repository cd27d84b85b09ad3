// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/checks.hpp"
#include "kernels/kernel.hpp"

namespace mpdist::kernels {

/// average = decay*average + (1-decay)*value: exponential moving average in FP32.
struct EmaUpdate {
  Tensor average;  ///< [n] FP32, updated in place
  Tensor value;    ///< [n] FP32
  float decay = 0.999F;
  void validate() const {
    checks::type_is("ema_update", "average", average, DType::fp32);
    checks::type_is("ema_update", "value", value, DType::fp32);
    checks::elements_are("ema_update", "value", value, average.elements());
    require(decay >= 0 && decay <= 1, "ema_update: decay must be in [0, 1], found {}", decay);
  }
};
MPDIST_KERNEL(ema_update, EmaUpdate);

}  // namespace mpdist::kernels
