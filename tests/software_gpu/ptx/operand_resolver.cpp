// SPDX-License-Identifier: Apache-2.0
// The half of the assembler that knows where operands lie.
#include <algorithm>

#include "tests/software_gpu/ptx/assembler.hpp"
#include "tests/software_gpu/ptx/register_allocation.hpp"

namespace software_gpu::ptx {

std::uint32_t Assembler::place(std::uint32_t size) {
  const std::uint32_t at = (used_ + 63) / 64 * 64;
  used_ = at + size;
  return at;
}

std::uint32_t Assembler::constant(std::uint64_t bits, std::size_t width) {
  if (width > 0 && width < 8) bits &= (std::uint64_t{1} << (8 * width)) - 1;
  const auto [it, added] = constants_.try_emplace({bits, width}, 0);
  if (added) {
    it->second = place(width == 0 ? sizeof(Mask) : static_cast<std::uint32_t>(width) * kLanes);
    kernel_->constants.push_back({it->second, static_cast<std::uint32_t>(width), bits});
  }
  return it->second;
}

std::uint32_t Assembler::dynamic_shared_address(std::size_t width, std::int64_t offset) {
  const std::uint32_t at = place(static_cast<std::uint32_t>(width) * kLanes);
  dynamic_addresses_.emplace_back(kernel_->constants.size(), offset);
  kernel_->constants.push_back({at, static_cast<std::uint32_t>(width), 0});
  return at;
}

/// Shared variables of the module belong to the kernels that name them.
std::uint64_t Assembler::shared_address(std::size_t variable) {
  const auto [it, added] = shared_variables_.try_emplace(variable, 0);
  if (added) {
    const Variable& named = module_.variables[variable];
    it->second = (kernel_->shared_bytes + named.alignment - 1) / named.alignment * named.alignment;
    kernel_->shared_bytes = it->second + named.bytes;
  }
  return it->second;
}

std::uint32_t Assembler::special(int index) {
  std::uint32_t& at = kernel_->specials[static_cast<std::size_t>(index)];
  if (at == kNone) at = place(sizeof(std::uint32_t) * kLanes);
  return at;
}

std::uint32_t Assembler::resolve(const Operand& operand, std::size_t width, bool exact) {
  switch (operand.kind) {
    case Operand::Kind::reg: {
      const Type type = frame_->function->registers[static_cast<std::size_t>(operand.index)];
      if (type == Type::pred) fail("a predicate where a number is needed: " + statement_->text);
      const std::size_t actual = std::max<std::size_t>(bytes(type), 2);
      if (exact && actual != width) fail("width of an operand of " + statement_->text);
      return frame_->registers[static_cast<std::size_t>(operand.index)];
    }
    case Operand::Kind::special:
      if (width != 4 || operand.index >= static_cast<int>(Special::clock))
        fail("special register in " + statement_->text);
      return special(operand.index);
    case Operand::Kind::constant:
      return constant(operand.bits, width);
    case Operand::Kind::local: {
      const auto address = frame_->addresses[static_cast<std::size_t>(operand.index)];
      return constant(address + static_cast<std::uint64_t>(operand.offset), width);
    }
    case Operand::Kind::global: {
      const auto index = static_cast<std::size_t>(operand.index);
      const Variable& variable = module_.variables[index];
      if (variable.external) fail(variable.name + " is defined in another module");
      if (variable.space != Space::shared) {
        return constant(global_addresses_[index] + static_cast<std::uint64_t>(operand.offset), width);
      }
      if (!variable.dynamic) return constant(shared_address(index) + static_cast<std::uint64_t>(operand.offset), width);
      dynamic_alignment_ = std::max(dynamic_alignment_, variable.alignment);
      return dynamic_shared_address(width, operand.offset);
    }
    default:
      fail("operand of " + statement_->text);
  }
}

std::uint32_t Assembler::resolve_predicate(const Operand& operand) {
  if (operand.kind == Operand::Kind::constant) return constant(operand.bits != 0 ? 1 : 0, 0);
  const bool predicate = operand.kind == Operand::Kind::reg &&
                         frame_->function->registers[static_cast<std::size_t>(operand.index)] == Type::pred;
  if (!predicate) fail("a predicate is needed: " + statement_->text);
  return frame_->registers[static_cast<std::size_t>(operand.index)];
}

std::uint32_t Assembler::scratch(std::size_t width) {
  const auto [it, added] = scratch_.try_emplace(width, 0);
  if (added) it->second = place(width == 0 ? sizeof(Mask) : static_cast<std::uint32_t>(width) * kLanes);
  return it->second;
}

std::size_t Assembler::register_width(const Operand& operand) const {
  if (operand.kind != Operand::Kind::reg) return 0;
  const Type type = frame_->function->registers[static_cast<std::size_t>(operand.index)];
  return type == Type::pred ? 0 : std::max<std::size_t>(bytes(type), 2);
}

bool Assembler::in_local_memory(const Operand& operand) const {
  if (operand.kind != Operand::Kind::local) return false;
  const auto& parameters = frame_->function->parameters;
  const bool parameter = std::find(parameters.begin(), parameters.end(), operand.index) != parameters.end();
  return frame_->depth > 0 || !parameter;
}

}  // namespace software_gpu::ptx
