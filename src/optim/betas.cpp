// SPDX-License-Identifier: Apache-2.0
#include "src/optim/betas.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/ranges.h>

#include "src/core/error.hpp"

namespace mpdist::optim {

KeyDoc betas_doc(const char* help) {
  return {.help = help, .minimum = 0, .maximum = 1, .maximum_excluded = true, .length = 2};
}

void check_betas(const std::vector<double>& betas) {
  const auto fits = [](double beta) { return beta >= 0 && beta < 1; };
  if (betas.size() == 2 && std::all_of(betas.begin(), betas.end(), fits)) return;
  throw UsageError(fmt::format("optimizer.betas: expected two numbers in [0, 1), found [{}]", fmt::join(betas, ", ")));
}

double bias_correction(float beta, std::int64_t step) {
  return 1 - std::pow(static_cast<double>(beta), static_cast<double>(step));
}

}  // namespace mpdist::optim
