// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/checks.hpp"
#include "kernels/kernel.hpp"
#include "src/core/philox.hpp"

namespace mpdist::kernels {

/// y = keep(i) ? x * scale : 0, scale = 1/(1-probability) rounded to FP32. One kernel serves forward and backward (with
/// x = dy): nothing is stored, the mask comes again from the key. Element e of row r draws word e%4 of
/// key.words(first_item + r, e/4) and is kept when uniform(word) >= probability.
struct Dropout {
  Tensor x, y;                   ///< [rows, ...] compute type; y may be x
  float probability = 0.5F;      ///< of dropping, in [0, 1)
  RandomKey key;                 ///< time = attempted step
  std::uint64_t first_item = 0;  ///< position in the global batch of row 0
  void validate() const {
    checks::alike("dropout", "x", x, "y", y);
    require(x.shape().rank() >= 1, "dropout: x must be [rows, ...], found a scalar");
    require(probability >= 0 && probability < 1, "dropout: probability must be in [0, 1), found {}", probability);
  }
};
MPDIST_KERNEL(dropout, Dropout);

}  // namespace mpdist::kernels
