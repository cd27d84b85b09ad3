// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernels/checks.hpp"
#include "kernels/kernel.hpp"

namespace mpdist::kernels {

/// Throws unless `part` [..., channels] fits into the channels [first, first + channels) of `whole` [..., all
/// channels], both of one compute type.
inline void check_concat(std::string_view kernel, const Tensor& part, const Tensor& whole, std::int64_t first) {
  checks::compute_type(kernel, "the part", part);
  checks::type_is(kernel, "the whole", whole, part.dtype());
  const Shape &narrow = part.shape(), &wide = whole.shape();
  bool fits = narrow.rank() >= 1 && narrow.rank() == wide.rank() && first >= 0 && first + narrow[-1] <= wide[-1];
  for (int i = 0; fits && i + 1 < narrow.rank(); ++i) fits = narrow[i] == wide[i];
  require(fits, "{}: {} does not fit into {} from channel {} on", kernel, narrow.to_string(), wide.to_string(), first);
}

/// whole[r, first + c] = part[r, c]: one part of a concatenation along the channels, bit for bit. A call per part.
struct ConcatForward {
  Tensor part;             ///< [..., channels] compute type
  Tensor whole;            ///< [..., all channels] same type; its other channels are left alone
  std::int64_t first = 0;  ///< channel of `whole` at which the part begins
  void validate() const { check_concat("concat_forward", part, whole, first); }
};
MPDIST_KERNEL(concat_forward, ConcatForward);

/// dpart[r, c] = dwhole[r, first + c]
struct ConcatBackward {
  Tensor dwhole;  ///< [..., all channels] compute type
  Tensor dpart;   ///< [..., channels] same type
  std::int64_t first = 0;
  void validate() const { check_concat("concat_backward", dpart, dwhole, first); }
};
MPDIST_KERNEL(concat_backward, ConcatBackward);

}  // namespace mpdist::kernels
