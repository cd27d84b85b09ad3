// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>

namespace software_gpu {

/// The element types that the stand-ins of the matrix libraries compute on; accumulation is FP32 throughout.
enum class Element { fp16, bf16, fp32 };

std::size_t bytes_of(Element type);
const char* name_of(Element type);

/// to[i] = from[i], exact.
void widen(Element type, const std::byte* from, std::size_t count, float* to);
/// to[i] = from[i] rounded to nearest, ties to even, as the conversions of cuda_fp16.h and cuda_bf16.h round.
void narrow(Element type, const float* from, std::size_t count, std::byte* to);

/// The value that an element of this type would hold.
float rounded(Element type, float value);
/// The value with the 10 mantissa bits of TF32.
float rounded_to_tf32(float value);

/// max(value, 0), where NaN gives 0 as CUDA's max does. The libraries promise "max(x, 0)" and nothing of NaN, so a
/// program that needs its NaN to survive must not leave the activation to them.
inline float relu(float value) {
  return value > 0 ? value : 0;
}

}  // namespace software_gpu
