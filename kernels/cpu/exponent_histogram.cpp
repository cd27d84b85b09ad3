// SPDX-License-Identifier: Apache-2.0
#include "kernels/exponent_histogram.hpp"

#include <bit>

#include "kernels/cpu/vector.hpp"

namespace mpdist::kernels::cpu {
namespace {

constexpr int kTables = 4;  // neighbours share exponents: each waits only for the fourth before it
constexpr int kFields = 256;

template <class T>
void add_counts(const T* values, std::int64_t elements, ExponentCounts& counts) {
  std::int64_t tables[kTables][kFields] = {};
  std::int64_t padding = 0, subnormal = 0;
  for_each_vector(elements, [&](std::int64_t i, auto lanes) {
    alignas(64) float value[kLanes];
    store(value, load(values + i, lanes));
    padding += kLanes - lanes.count;
    for (int lane = 0; lane < kLanes; ++lane) {
      const std::uint32_t magnitude = std::bit_cast<std::uint32_t>(value[lane]) & 0x7fffffffU;
      ++tables[lane % kTables][magnitude >> 23];
      if (magnitude - 1 < 0x7fffffU) {  // an FP32 subnormal, mantissa * 2^-149
        ++counts.finite[static_cast<std::size_t>(std::bit_width(magnitude) - 1)];
        ++subnormal;
      }
    }
  });
  const auto total = [&](int field) {
    std::int64_t sum = 0;
    for (const auto& table : tables) sum += table[field];
    return sum;
  };
  counts.zero += total(0) - padding - subnormal;
  counts.nonfinite += total(kFields - 1);
  for (int field = 1; field < kFields - 1; ++field) {
    counts.finite[static_cast<std::size_t>(field - 127 - ExponentCounts::kLowest)] += total(field);
  }
}

}  // namespace

void exponent_histogram(Stream&, const ExponentHistogram& a) {
  with_compute_type(a.values.dtype(), [&]<class T>(T) {
    for (std::int64_t s = 0; s < a.segment_count; ++s) {
      add_counts(a.values.data<T>() + a.segments[s].offset, a.segments[s].elements, a.counts[s]);
    }
  });
}

}  // namespace mpdist::kernels::cpu
