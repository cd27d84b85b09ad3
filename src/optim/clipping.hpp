// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <span>

#include "kernels/gradient_statistics.hpp"

namespace mpdist::optim {

/// L2 norm of the whole unscaled gradient: unscale * sqrt(sum over tensors of their sums of squares), in FP64, summed
/// in the order given (gradient order), so that it has the same bits on every rank. `unscale` = M / (loss scale * loss
/// terms).
double global_norm(std::span<const kernels::TensorStatistics> statistics, double unscale);

/// min(1, clip_norm / norm), the factor of clipping by global norm (Pascanu et al. 2013, algorithm 1). `norm` is of the
/// unscaled gradient. clip_norm 0 means no clipping.
float clip_factor(double norm, double clip_norm);

}  // namespace mpdist::optim
