// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/numerics/element.hpp"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace software_gpu {
namespace {

float widen_half(std::uint16_t bits) {
  static const auto* const table = [] {  // never freed: operations may run while the program exits
    auto* values = new std::vector<float>(std::size_t{1} << 16);
    for (std::size_t i = 0; i < values->size(); ++i) {
      __half_raw raw;
      raw.x = static_cast<std::uint16_t>(i);
      (*values)[i] = __half2float(__half(raw));
    }
    return values;
  }();
  return (*table)[bits];
}

float widen_bfloat16(std::uint16_t bits) {
  return std::bit_cast<float>(std::uint32_t{bits} << 16);
}

std::uint16_t narrow_half(float value) {
  return static_cast<__half_raw>(__float2half_rn(value)).x;
}

std::uint16_t narrow_bfloat16(float value) {
  return static_cast<__nv_bfloat16_raw>(__float2bfloat16_rn(value)).x;
}

}  // namespace

std::size_t bytes_of(Element type) {
  return type == Element::fp32 ? 4 : 2;
}

const char* name_of(Element type) {
  return type == Element::fp32 ? "FP32" : type == Element::fp16 ? "FP16" : "BF16";
}

void widen(Element type, const std::byte* from, std::size_t count, float* to) {
  if (type == Element::fp32) {
    std::memcpy(to, from, count * sizeof(float));
    return;
  }
  std::uint16_t bits;
  for (std::size_t i = 0; i < count; ++i) {
    std::memcpy(&bits, from + 2 * i, sizeof bits);
    to[i] = type == Element::fp16 ? widen_half(bits) : widen_bfloat16(bits);
  }
}

void narrow(Element type, const float* from, std::size_t count, std::byte* to) {
  if (type == Element::fp32) {
    std::memcpy(to, from, count * sizeof(float));
    return;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint16_t bits = type == Element::fp16 ? narrow_half(from[i]) : narrow_bfloat16(from[i]);
    std::memcpy(to + 2 * i, &bits, sizeof bits);
  }
}

float rounded(Element type, float value) {
  if (type == Element::fp32) return value;
  return type == Element::fp16 ? widen_half(narrow_half(value)) : widen_bfloat16(narrow_bfloat16(value));
}

float rounded_to_tf32(float value) {
  if (!std::isfinite(value)) return value;
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t ties_to_even = (bits >> 13) & 1;
  return std::bit_cast<float>((bits + 0xFFFU + ties_to_even) & ~0x1FFFU);
}

}  // namespace software_gpu
