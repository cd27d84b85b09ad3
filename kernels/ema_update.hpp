// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/kernel.hpp"

namespace mpdist::kernels {

/// average = decay*average + (1-decay)*value: exponential moving average in FP32.
struct EmaUpdate {
  Tensor average;  ///< [n] FP32, updated in place
  Tensor value;    ///< [n] FP32
  float decay = 0.999F;
  void validate() const;
};
MPDIST_KERNEL(ema_update, EmaUpdate);

}  // namespace mpdist::kernels
