// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "tests/software_gpu/ptx/kernel.hpp"
#include "tests/software_gpu/ptx/syntax.hpp"

namespace software_gpu::ptx {

/// Where the operands of a kernel lie: what the assembler gives to the decoders.
class OperandResolver {
 public:
  virtual ~OperandResolver() = default;
  /// Offset of an operand of which `width` bytes a lane are used; with `exact`, registers must be as wide as that.
  virtual std::uint32_t resolve(const Operand& operand, std::size_t width, bool exact) = 0;
  virtual std::uint32_t resolve_predicate(const Operand& operand) = 0;
  virtual std::uint32_t scratch(std::size_t width) = 0;                  ///< a register that nobody reads
  virtual std::size_t register_width(const Operand& operand) const = 0;  ///< 0 when it is no register
  /// Whether the operand names memory that belongs to a thread although it was declared as a parameter.
  virtual bool in_local_memory(const Operand& operand) const = 0;
  /// Ends the process with Status::unsupported, naming the line of the statement and `what`.
  [[noreturn]] virtual void fail(const std::string& what) const = 0;
};

/// One statement on its way to an instruction. A decoder takes the modifiers that it knows and says where operands go;
/// what nobody has taken is unsupported: the program ends with its text.
class Builder {
 public:
  Builder(const Statement& from, OperandResolver& operand_resolver, Instruction& to);

  /// Whether the modifier is there; it is then used up.
  bool take(std::string_view modifier);
  /// The position in the list of the one modifier that is there; unsupported when there is none.
  std::size_t take_one_of(std::initializer_list<std::string_view> modifiers);
  Type type(std::size_t i = 0) const;
  std::size_t type_count() const { return types_.size(); }

  std::size_t operands() const { return statement.operands.size(); }
  const Operand& operand(std::size_t i) const;
  void destination(std::size_t i, std::size_t width);
  void source(std::size_t to, std::size_t i, std::size_t width);
  void predicate_destination(std::size_t i);
  void predicate_source(std::size_t to, std::size_t i);
  /// Resolves an operand of any width; returns the width of its register or constant.
  std::size_t loose_source(std::size_t to, std::size_t i, std::size_t width);
  std::size_t loose_destination(std::size_t i, std::size_t width);
  /// The operand in brackets: source[to], offset.
  void address(std::size_t to, std::size_t i);
  void vector(const Operand& list, std::size_t width, bool exact);
  /// Ends the program unless all modifiers are used up and there are as many operands.
  void finish(std::size_t operand_count);
  [[noreturn]] void fail(const std::string& why) const;

  const Statement& statement;
  OperandResolver& resolver;
  Instruction& x;

 private:
  std::vector<Type> types_;
  std::vector<std::string_view> left_;
};

using Decoder = void (*)(Builder&);
struct DecoderEntry {
  std::string_view opcode;
  Decoder decode;
};

/// The decoder of an opcode; by its first type where floating-point and integer instructions share a name.
Decoder find_decoder(std::string_view opcode, Type type);

// The tables, one for each source file of instructions.
const std::vector<DecoderEntry>& single_and_double_decoders();  ///< f32, f64
const std::vector<DecoderEntry>& half_decoders();               ///< f16, bf16 and packed
const std::vector<DecoderEntry>& integer_decoders();
const std::vector<DecoderEntry>& carry_decoders();  ///< addc, subc, madc
const std::vector<DecoderEntry>& bit_decoders();
const std::vector<DecoderEntry>& comparison_decoders();
const std::vector<DecoderEntry>& selection_decoders();
const std::vector<DecoderEntry>& conversion_decoders();
const std::vector<DecoderEntry>& approximate_decoders();
const std::vector<DecoderEntry>& memory_decoders();
const std::vector<DecoderEntry>& atomic_decoders();
const std::vector<DecoderEntry>& exchange_decoders();
const std::vector<DecoderEntry>& control_decoders();
const std::vector<DecoderEntry>& move_decoders();

}  // namespace software_gpu::ptx
