// SPDX-License-Identifier: Apache-2.0
#include "src/optim/clipping.hpp"

#include <cmath>

namespace mpdist::optim {

double global_norm(std::span<const kernels::TensorStatistics> statistics, double unscale) {
  double sum = 0;
  for (const auto& tensor : statistics) sum += tensor.sum_squares;
  return std::sqrt(sum) * unscale;
}

float clip_factor(double norm, double clip_norm) {
  if (clip_norm <= 0 || norm <= clip_norm) return 1;
  return static_cast<float>(clip_norm / norm);
}

}  // namespace mpdist::optim
