// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/checks.hpp"
#include "kernels/kernel.hpp"

namespace mpdist::kernels {

/// out = round(left + right): one node of the reduction tree. The sum is formed in FP32 and rounded once to the wire
/// type.
struct TreeAdd {
  Tensor left, right;  ///< [n] wire type
  Tensor out;          ///< [n] wire type; may be left or right
  void validate() const {
    checks::alike("tree_add", "left", left, "right", right);
    checks::alike("tree_add", "left", left, "out", out);
  }
};
MPDIST_KERNEL(tree_add, TreeAdd);

}  // namespace mpdist::kernels
