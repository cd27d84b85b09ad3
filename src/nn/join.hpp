// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

#include "src/nn/pass.hpp"

namespace mpdist::nn {

/// y = left + right, of one shape, formed in FP32 and rounded once. `name` must outlive the pass, here and below.
Variable add(const Pass& pass, const std::string& name, const Variable& left, const Variable& right);

/// The parts [n, ..., channels] side by side along the channels: y [n, ..., sum of channels].
Variable concat(const Pass& pass, const std::string& name, const std::vector<Variable>& parts);

}  // namespace mpdist::nn
