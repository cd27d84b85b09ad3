// SPDX-License-Identifier: Apache-2.0
#include "src/core/convert.hpp"

#include <immintrin.h>

#include <cstring>

#include "src/core/error.hpp"

namespace mpdist {
namespace {

void round_to_half(std::span<const float> values, half* out) {
  std::size_t i = 0;
  for (; i + 8 <= values.size(); i += 8) {
    const __m128i rounded = _mm256_cvtps_ph(_mm256_loadu_ps(values.data() + i), _MM_FROUND_TO_NEAREST_INT);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), rounded);
  }
  for (; i < values.size(); ++i) out[i] = to_half(values[i]);
}

}  // namespace

void round_to(std::span<const float> values, DType dtype, void* out) {
  require(is_compute_type(dtype), "cannot round fp32 to {}: expected fp32, fp16 or bf16", name_of(dtype));
  if (dtype == DType::fp16) {
    round_to_half(values, static_cast<half*>(out));
  } else if (dtype == DType::bf16) {
    // Not vcvtneps2bf16: that instruction flushes subnormals.
    auto* rounded = static_cast<bfloat16*>(out);
    for (std::size_t i = 0; i < values.size(); ++i) rounded[i] = to_bfloat16(values[i]);
  } else if (!values.empty()) {
    std::memcpy(out, values.data(), values.size_bytes());
  }
}

}  // namespace mpdist
