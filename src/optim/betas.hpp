// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <vector>

#include "src/core/schema.hpp"

/// What optimizers with two decays have in common.
namespace mpdist::optim {

/// Of a key `betas`: two numbers in [0, 1).
KeyDoc betas_doc(const char* help);
/// Throws UsageError for lists that are none of these as FP32; options may be made without the config.
void check_betas(const std::vector<double>& betas);

/// 1 - beta^step in FP64, with beta as the kernels see it: 1 - 0.999F is 1.3e-5 away from 0.001.
double bias_correction(float beta, std::int64_t step);

}  // namespace mpdist::optim
