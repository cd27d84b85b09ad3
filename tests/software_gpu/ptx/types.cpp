// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/ptx/types.hpp"

#include <array>
#include <utility>

namespace software_gpu::ptx {
namespace {
constexpr std::array<std::pair<std::string_view, Type>, 19> kNames = {{
    {"b8", Type::b8},         {"b16", Type::b16}, {"b32", Type::b32}, {"b64", Type::b64},   {"u8", Type::u8},
    {"u16", Type::u16},       {"u32", Type::u32}, {"u64", Type::u64}, {"s8", Type::s8},     {"s16", Type::s16},
    {"s32", Type::s32},       {"s64", Type::s64}, {"f16", Type::f16}, {"bf16", Type::bf16}, {"f16x2", Type::f16x2},
    {"bf16x2", Type::bf16x2}, {"f32", Type::f32}, {"f64", Type::f64}, {"pred", Type::pred},
}};
}  // namespace

std::optional<Type> parse_type(std::string_view name) {
  for (const auto& [text, type] : kNames) {
    if (text == name) return type;
  }
  return std::nullopt;
}

std::string_view name(Type type) {
  for (const auto& [text, value] : kNames) {
    if (value == type) return text;
  }
  return "none";
}

}  // namespace software_gpu::ptx
