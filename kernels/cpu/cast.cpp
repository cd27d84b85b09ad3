// SPDX-License-Identifier: Apache-2.0
#include "kernels/cast.hpp"

#include "kernels/cpu/rounding.hpp"

namespace mpdist::kernels::cpu {
namespace {

template <class From, class To>
std::int64_t cast_elements(const From* source, To* destination, std::int64_t elements, bool saturating) {
  std::int64_t saturated = 0;
  for_each_vector(elements, [&](std::int64_t i, auto lanes) {
    const F32x16 value = load(source + i, lanes);
    store(destination + i, saturating ? saturate<To>(value, saturated) : value, lanes);
  });
  return saturated;
}

}  // namespace

void cast(Stream&, const Cast& a) {
  const std::int64_t saturated = with_compute_type(a.source.dtype(), [&]<class From>(From) {
    return with_compute_type(a.destination.dtype(), [&]<class To>(To) {
      return cast_elements(a.source.data<From>(), a.destination.data<To>(), a.source.elements(), a.saturate);
    });
  });
  if (a.saturated) *a.saturated = saturated;
}

}  // namespace mpdist::kernels::cpu
