// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "kernels/pooling.hpp"
#include "src/nn/pass.hpp"

namespace mpdist::nn {

/// Largest value of each window, x [n, h, w, channels]. `name` must outlive the pass.
Variable max_pool(const Pass& pass, const std::string& name, const Variable& x, kernels::PoolingGeometry geometry);

/// Mean of each window, padding counted as zero.
Variable average_pool(const Pass& pass, const std::string& name, const Variable& x, kernels::PoolingGeometry geometry);

/// Mean over height and width: [n, h, w, channels] -> [n, channels].
Variable global_average_pool(const Pass& pass, const std::string& name, const Variable& x);

}  // namespace mpdist::nn
