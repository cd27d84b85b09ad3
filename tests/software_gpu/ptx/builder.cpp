// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/ptx/builder.hpp"

#include <algorithm>
#include <cstdlib>

namespace software_gpu::ptx {

Builder::Builder(const Statement& from, OperandResolver& operand_resolver, Instruction& to)
    : statement(from), resolver(operand_resolver), x(to) {
  for (const std::string& modifier : statement.modifiers) {
    if (const auto type = parse_type(modifier)) {
      types_.push_back(*type);
    } else {
      left_.push_back(modifier);
    }
  }
}

bool Builder::take(std::string_view modifier) {
  const auto it = std::find(left_.begin(), left_.end(), modifier);
  if (it == left_.end()) return false;
  left_.erase(it);
  return true;
}

std::size_t Builder::take_one_of(std::initializer_list<std::string_view> modifiers) {
  std::size_t position = 0;
  for (const std::string_view modifier : modifiers) {
    if (take(modifier)) return position;
    ++position;
  }
  fail("a modifier is missing");
}

Type Builder::type(std::size_t i) const {
  return i < types_.size() ? types_[i] : Type::none;
}

const Operand& Builder::operand(std::size_t i) const {
  if (i >= statement.operands.size()) fail("an operand is missing");
  return statement.operands[i];
}

void Builder::destination(std::size_t i, std::size_t width) {
  x.destination =
      operand(i).kind == Operand::Kind::sink ? resolver.scratch(width) : resolver.resolve(operand(i), width, true);
}

void Builder::source(std::size_t to, std::size_t i, std::size_t width) {
  x.source[to] = resolver.resolve(operand(i), width, true);
}

void Builder::predicate_destination(std::size_t i) {
  x.destination = operand(i).kind == Operand::Kind::sink ? resolver.scratch(0) : resolver.resolve_predicate(operand(i));
}

void Builder::predicate_source(std::size_t to, std::size_t i) {
  x.source[to] = resolver.resolve_predicate(operand(i));
}

std::size_t Builder::loose_source(std::size_t to, std::size_t i, std::size_t width) {
  const std::size_t actual = std::max(width, resolver.register_width(operand(i)));
  x.source[to] = resolver.resolve(operand(i), actual, false);
  return actual;
}

std::size_t Builder::loose_destination(std::size_t i, std::size_t width) {
  if (operand(i).kind == Operand::Kind::sink) {
    x.destination = resolver.scratch(width);
    return width;
  }
  x.destination = resolver.resolve(operand(i), width, false);
  return std::max(width, resolver.register_width(operand(i)));
}

void Builder::address(std::size_t to, std::size_t i) {
  const Operand& where = operand(i);
  if (!where.address) fail("an address was expected");
  Operand base = where;
  base.offset = 0;
  x.offset = where.offset;
  const std::size_t width = std::max<std::size_t>(resolver.register_width(base), 4);
  const bool reg = base.kind == Operand::Kind::reg;
  x.address_width = static_cast<std::uint8_t>(reg ? width : 8);
  x.source[to] = resolver.resolve(base, reg ? width : 8, false);
}

void Builder::vector(const Operand& list, std::size_t width, bool exact) {
  if (list.items.size() > x.vector.size()) fail("a vector of more than 8 elements");
  x.elements = static_cast<std::uint8_t>(list.items.size());
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    const Operand& item = list.items[i];
    x.vector[i] = item.kind == Operand::Kind::sink ? resolver.scratch(width) : resolver.resolve(item, width, exact);
  }
}

void Builder::finish(std::size_t operand_count) {
  if (!left_.empty()) fail("modifier ." + std::string(left_.front()));
  if (operands() != operand_count) fail("number of operands");
}

void Builder::fail(const std::string& why) const {
  resolver.fail("'" + statement.text + "' (" + why + ")");
  std::abort();  // which compilers do not see of a virtual function that does not return
}

Decoder find_decoder(std::string_view opcode, Type type) {
  const bool half = type == Type::f16 || type == Type::bf16 || type == Type::f16x2 || type == Type::bf16x2;
  const auto search = [&](const std::vector<DecoderEntry>& table) -> Decoder {
    for (const DecoderEntry& entry : table) {
      if (entry.opcode == opcode) return entry.decode;
    }
    return nullptr;
  };
  if (half) {
    if (const Decoder found = search(half_decoders())) return found;
  } else if (is_float(type)) {
    if (const Decoder found = search(single_and_double_decoders())) return found;
  }
  for (const auto* table :
       {&move_decoders(), &comparison_decoders(), &selection_decoders(), &carry_decoders(), &conversion_decoders(),
        &approximate_decoders(), &memory_decoders(), &atomic_decoders(), &exchange_decoders(), &control_decoders()}) {
    if (const Decoder found = search(*table)) return found;
  }
  if (is_float(type)) return nullptr;
  if (const Decoder found = search(bit_decoders())) return found;
  return search(integer_decoders());
}

}  // namespace software_gpu::ptx
