// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "src/core/half.hpp"

namespace mpdist {

/// Element types. `fp32`, `fp16` and `bf16` are the compute and wire types; the integers hold labels, indices and
/// bytes.
enum class DType : std::uint8_t { fp32, fp16, bf16, fp64, int32, int64, uint8 };

constexpr std::size_t size_of(DType type) {
  switch (type) {
    case DType::fp32:
    case DType::int32:
      return 4;
    case DType::fp16:
    case DType::bf16:
      return 2;
    case DType::fp64:
    case DType::int64:
      return 8;
    case DType::uint8:
      return 1;
  }
  return 0;
}

constexpr std::string_view name_of(DType type) {
  switch (type) {
    case DType::fp32:
      return "fp32";
    case DType::fp16:
      return "fp16";
    case DType::bf16:
      return "bf16";
    case DType::fp64:
      return "fp64";
    case DType::int32:
      return "int32";
    case DType::int64:
      return "int64";
    case DType::uint8:
      return "uint8";
  }
  return "?";
}

/// Whether the type is one that a forward pass may compute in: fp32, fp16 or bf16.
constexpr bool is_compute_type(DType type) {
  return type == DType::fp32 || type == DType::fp16 || type == DType::bf16;
}

/// dtype_of<T>: the DType that stands for the C++ type T.
template <class T>
inline constexpr DType dtype_of = [] { static_assert(sizeof(T) == 0, "no DType for this type"); }();
template <>
inline constexpr DType dtype_of<float> = DType::fp32;
template <>
inline constexpr DType dtype_of<half> = DType::fp16;
template <>
inline constexpr DType dtype_of<bfloat16> = DType::bf16;
template <>
inline constexpr DType dtype_of<double> = DType::fp64;
template <>
inline constexpr DType dtype_of<std::int32_t> = DType::int32;
template <>
inline constexpr DType dtype_of<std::int64_t> = DType::int64;
template <>
inline constexpr DType dtype_of<std::uint8_t> = DType::uint8;

/// Calls `f(T{})` with the C++ type (float, half or bfloat16) of a compute type.
template <class F>
decltype(auto) with_compute_type(DType type, F&& f) {
  switch (type) {
    case DType::fp16:
      return f(half{});
    case DType::bf16:
      return f(bfloat16{});
    default:
      return f(float{});
  }
}

}  // namespace mpdist
