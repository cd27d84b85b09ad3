// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "src/nn/pass.hpp"

namespace mpdist::nn {

/// y = max(x, 0). `name` must outlive the pass, here and below.
Variable relu(const Pass& pass, const std::string& name, const Variable& x);

/// y = x * Phi(x), Phi the normal distribution function (Hendrycks & Gimpel 2016).
Variable gelu(const Pass& pass, const std::string& name, const Variable& x);

/// Inverted dropout (Srivastava et al. 2014): in training each element is dropped with `probability`, the others are
/// divided by 1 - probability; in evaluation y = x. The mask is keyed by (seed, name), attempted step and position in
/// the global batch, and is computed again in the backward pass.
Variable dropout(const Pass& pass, const std::string& name, const Variable& x, float probability);

/// The rows of x as vectors: [n, a, b, ...] -> [n, a*b*...]. No copy.
Variable flatten(const Pass& pass, const std::string& name, const Variable& x);

}  // namespace mpdist::nn
