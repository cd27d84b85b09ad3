// SPDX-License-Identifier: Apache-2.0
#include "src/optim/betas.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/ranges.h>

#include "src/core/error.hpp"
#include "src/optim/fp32_range.hpp"

namespace mpdist::optim {

KeyDoc betas_doc(const char* help) {
  return {.help = help, .minimum = 0, .maximum = 1, .maximum_excluded = true, .length = 2};
}

void check_betas(const std::vector<double>& betas) {
  if (betas.size() == 2 && std::all_of(betas.begin(), betas.end(), decays_in_fp32)) return;
  throw UsageError(
      fmt::format("optimizer.betas: expected two numbers in [0, 1) as FP32, found [{}]", fmt::join(betas, ", ")));
}

double bias_correction(float beta, std::int64_t step) {
  return 1 - std::pow(static_cast<double>(beta), static_cast<double>(step));
}

}  // namespace mpdist::optim
