// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string_view>

#include "src/core/dtype.hpp"

/// What a layer's shape means for the matrix units of a GPU: for the plan that `mpdist check` prints.
namespace mpdist::kernels {

/// `padded`: the library fills rows up to 16 bytes, or reads them in narrower pieces, and so reaches part of the speed.
/// Sources: NVIDIA, "Matrix Multiplication Background User's Guide", requirements to use Tensor Cores (cuBLAS 11 and
/// cuDNN 7.6.3 onwards: any extents, most efficient where each is a multiple of 16 bytes).
enum class TensorCores : unsigned char { none, padded, full };

constexpr std::string_view name_of(TensorCores use) {
  return use == TensorCores::full ? "full" : use == TensorCores::padded ? "padded" : "none";
}

/// Of linear_forward and its backward pass with weight [out, in]: FP32 is computed without them (no TF32).
constexpr TensorCores tensor_cores_of_linear(DType type, std::int64_t in, std::int64_t out) {
  if (type != DType::fp16 && type != DType::bf16) return TensorCores::none;
  return in % 8 == 0 && out % 8 == 0 ? TensorCores::full : TensorCores::padded;
}

/// Of a convolution and its backward pass: what counts are the channels of one group. Depthwise convolutions have
/// engines of their own, which have no use for them.
constexpr TensorCores tensor_cores_of_convolution(DType type, std::int64_t in, std::int64_t out, std::int64_t groups) {
  if (groups > 1 && groups == in) return TensorCores::none;
  return tensor_cores_of_linear(type, in / groups, out / groups);
}

}  // namespace mpdist::kernels
