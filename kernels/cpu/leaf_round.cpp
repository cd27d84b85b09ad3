// SPDX-License-Identifier: Apache-2.0
#include "kernels/leaf_round.hpp"

#include "kernels/cpu/rounding.hpp"

namespace mpdist::kernels::cpu {
namespace {

template <class Wire>
std::int64_t round_leaf(const float* gradient, Wire* leaf, std::int64_t elements, float factor) {
  std::int64_t nonfinite = 0;
  const F32x16 factors = broadcast(factor);
  for_each_vector(elements, [&](std::int64_t i, auto lanes) {
    const F32x16 value = load(gradient + i, lanes) * factors;
    nonfinite += count(rounds_to_nonfinite<Wire>(value));
    store(leaf + i, value, lanes);
  });
  return nonfinite;
}

}  // namespace

void leaf_round(Stream&, const LeafRound& a) {
  *a.nonfinite = with_compute_type(a.leaf.dtype(), [&]<class Wire>(Wire) {
    return round_leaf(a.gradient.data<float>(), a.leaf.data<Wire>(), a.gradient.elements(), a.factor);
  });
}

}  // namespace mpdist::kernels::cpu
