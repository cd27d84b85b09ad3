// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/kernel.hpp"

namespace mpdist::kernels {

/// out = round(left + right): one node of the reduction tree. The sum is formed in FP32 and rounded once to the wire type.
struct TreeAdd {
  Tensor left, right;  ///< [n] wire type
  Tensor out;          ///< [n] wire type; may be left or right
  void validate() const;
};
MPDIST_KERNEL(tree_add, TreeAdd);

}  // namespace mpdist::kernels
