// SPDX-License-Identifier: Apache-2.0
#include "kernels/digest.hpp"

#include "kernels/cpu/digest_lanes.hpp"

namespace mpdist::kernels::cpu {
namespace {

template <class T>
std::uint64_t digest_of(const T* elements, std::int64_t count, std::uint64_t first_index) {
  std::uint64_t total = 0;
  std::int64_t i = 0;
  if constexpr (sizeof(T) == 2 || sizeof(T) == 4) {
    DigestLanes lanes(first_index);
    for (; i + kLanes <= count; i += kLanes) lanes.add(load_bits(elements + i, AllLanes{}));
    total = lanes.total();
  }
  for (; i < count; ++i) total += mix(bits_for_digest(elements[i]), first_index + static_cast<std::uint64_t>(i));
  return total;
}

}  // namespace

void digest(Stream&, const Digest& a) {
  const auto run = [&]<class T>(T) { *a.digest = digest_of(a.tensor.data<T>(), a.tensor.elements(), a.first_index); };
  switch (a.tensor.dtype()) {
    case DType::fp64:
      return run(double{});
    case DType::int32:
      return run(std::int32_t{});
    case DType::int64:
      return run(std::int64_t{});
    case DType::uint8:
      return run(std::uint8_t{});
    default:
      return with_compute_type(a.tensor.dtype(), run);
  }
}

}  // namespace mpdist::kernels::cpu
