// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cmath>
#include <string_view>

#include "src/core/error.hpp"

/// The config reads numbers as doubles and checks them so; kernels use them as FP32, where 0.99999999 is 1 and 1e-46 is
/// 0. These throw a UsageError that names `key` where rounding leaves the range.
namespace mpdist::optim {

/// Whether `decay` is in [0, 1) after rounding.
inline bool decays_in_fp32(double decay) {
  return decay >= 0 && static_cast<float>(decay) < 1;
}

inline void check_decay(std::string_view key, double decay) {
  if (decays_in_fp32(decay)) return;
  throw UsageError(fmt::format("{}: expected a number in [0, 1) as FP32, found {}", key, decay));
}

/// `eps` keeps a quotient 0/0 away: above 0 and finite.
inline void check_eps(std::string_view key, double eps) {
  const auto rounded = static_cast<float>(eps);
  if (rounded > 0 && std::isfinite(rounded)) return;
  throw UsageError(fmt::format("{}: expected a finite number above 0 as FP32, found {}", key, eps));
}

}  // namespace mpdist::optim
