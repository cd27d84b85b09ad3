// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "kernels/conv2d.hpp"
#include "src/nn/pass.hpp"

namespace mpdist::nn {

/// What a convolution layer is beside its name: `kernel` by `kernel` weights over `in` channels in groups.
struct Conv2dOptions {
  std::int64_t in = 1, out = 1, kernel = 3;
  kernels::Conv2dGeometry geometry;
  bool relu = false;  ///< y = max(.., 0) in the same pass
  bool bias = true;   ///< false before a norm, which has its own
};

/// 2-D convolution with bias, x [n, h, w, in], y [n, out_h, out_w, out]. Parameters <name>.weight
/// [out, kernel, kernel, in/groups], He initialised, and, with `bias`, <name>.bias [out],
/// zero.
class Conv2d {
 public:
  Conv2d(ParameterStore& store, std::string name, Conv2dOptions options);
  Variable operator()(const Pass& pass, const Variable& x) const;

 private:
  std::string name_;
  Conv2dOptions options_;
  const Parameter* weight_;
  const Parameter* bias_ = nullptr;  ///< null without bias
};

}  // namespace mpdist::nn
