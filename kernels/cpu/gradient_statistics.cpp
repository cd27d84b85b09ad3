// SPDX-License-Identifier: Apache-2.0
#include "kernels/gradient_statistics.hpp"

#include <cmath>

#include "kernels/cpu/digest_lanes.hpp"

namespace mpdist::kernels::cpu {
namespace {

template <class T>
TensorStatistics statistics_of(const T* gradient, std::int64_t elements, std::uint64_t first_index) {
  TensorStatistics result;
  DigestLanes digest(first_index);
  F64x16 squares = broadcast64(0.0);
  std::int64_t finite = 0;
  std::int64_t i = 0;
  for (; i + kLanes <= elements; i += kLanes) {
    const F32x16 value = load(gradient + i);
    const Mask16 keep = is_finite(value);
    const F64x16 wide = widen(select(keep, value, broadcast(0.0F)));
    squares = squares + wide * wide;
    finite += count(keep);
    digest.add(load_bits(gradient + i, AllLanes{}));
  }
  result.nonfinite = i - finite;
  result.digest = digest.total();
  double lane[kLanes];
  store(lane, squares);
  for (std::int64_t j = 0; i < elements; ++i, ++j) {  // the tail goes into the first lanes
    const double value = to_float(gradient[i]);
    if (std::isfinite(value)) {
      lane[j] += value * value;
    } else {
      ++result.nonfinite;
    }
    result.digest += mix(bits_for_digest(gradient[i]), first_index + static_cast<std::uint64_t>(i));
  }
  result.sum_squares = sum_tree(lane);
  return result;
}

}  // namespace

void gradient_statistics(Stream&, const GradientStatistics& a) {
  with_compute_type(a.gradient.dtype(), [&]<class T>(T) {
    for (std::int64_t s = 0; s < a.segment_count; ++s) {
      const auto [offset, elements] = a.segments[s];
      a.statistics[s] = statistics_of(a.gradient.data<T>() + offset, elements, static_cast<std::uint64_t>(offset));
    }
  });
}

}  // namespace mpdist::kernels::cpu
