// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace software_gpu::ptx {

/// The fundamental types of the PTX ISA, and the two packed ones.
enum class Type : std::uint8_t {
  none,
  b8,
  b16,
  b32,
  b64,
  u8,
  u16,
  u32,
  u64,
  s8,
  s16,
  s32,
  s64,
  f16,
  bf16,
  f16x2,
  bf16x2,
  f32,
  f64,
  pred
};

/// "f32" -> Type::f32.
std::optional<Type> parse_type(std::string_view name);
std::string_view name(Type type);

/// Bytes of a value; a predicate has none.
constexpr std::size_t bytes(Type type) {
  switch (type) {
    case Type::none:
    case Type::pred:
      return 0;
    case Type::b8:
    case Type::u8:
    case Type::s8:
      return 1;
    case Type::b16:
    case Type::u16:
    case Type::s16:
    case Type::f16:
    case Type::bf16:
      return 2;
    case Type::b64:
    case Type::u64:
    case Type::s64:
    case Type::f64:
      return 8;
    default:
      return 4;
  }
}
constexpr bool is_signed(Type type) {
  return type >= Type::s8 && type <= Type::s64;
}
constexpr bool is_float(Type type) {
  return type >= Type::f16 && type <= Type::f64;
}

/// State spaces. `generic` is an address that says itself where it points.
enum class Space : std::uint8_t { generic, global, constant, shared, local, parameter };

/// Generic addresses of the spaces that are not global memory: the space's own address plus its window.
inline constexpr std::uint64_t kSharedWindow = std::uint64_t{1} << 52;
inline constexpr std::uint64_t kLocalWindow = std::uint64_t{2} << 52;
inline constexpr std::uint64_t kParameterWindow = std::uint64_t{3} << 52;
inline constexpr std::uint64_t kWindowMask = std::uint64_t{3} << 52;

}  // namespace software_gpu::ptx
