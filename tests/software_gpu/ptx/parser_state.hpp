// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tests/software_gpu/ptx/lexer.hpp"
#include "tests/software_gpu/ptx/syntax.hpp"

namespace software_gpu::ptx {

/// The tokens of a text and how far they are read.
class TokenReader {
 public:
  TokenReader(std::string_view text, const std::string& file);

  const Token& peek(std::size_t ahead = 0) const;
  Token take();
  bool accept(char punctuation);
  void expect(char punctuation);
  bool accept_directive(std::string_view name);
  std::string_view expect_word(std::string_view what);
  std::string_view expect_directive(std::string_view what);
  /// An integer or floating-point constant with its sign, as bits.
  std::uint64_t number(bool* real = nullptr);
  std::size_t size_number();
  void skip_line();
  /// From '{' to its '}'.
  void skip_braces();
  [[noreturn]] void fail(const std::string& what) const;

 private:
  const std::string& file_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
};

/// Parses the inside of one function; see parser.hpp.
class FunctionParser {
 public:
  FunctionParser(TokenReader& reader, const Module& module, Function& function)
      : reader_(reader), module_(module), function_(function) {}

  /// `.param` declarations between parentheses.
  void parameters(std::vector<int>& into);
  void body();

 private:
  struct Name {
    enum class Kind { reg, variable } kind;
    int index;
  };
  using Scope = std::map<std::string, Name, std::less<>>;

  void declaration();
  void registers();
  void location();
  void label_or_instruction();
  void instruction();
  void guard(Statement& statement);
  void operands(Statement& statement);
  Operand operand();
  Operand list(char open, char close);
  Operand address();
  Operand simple();
  Operand named(std::string name);
  void offset(Operand& operand);
  int add_register(const std::string& name, Type type);
  const Name* find(std::string_view name) const;

  TokenReader& reader_;
  const Module& module_;
  Function& function_;
  std::vector<Scope> scopes_{Scope{}};
  int source_file_ = 0, source_line_ = 0, call_file_ = 0, call_line_ = 0;
};

/// `[.align n] .type name [dimensions] [= values]`, as far as the semicolon, comma or parenthesis that follows.
Variable parse_variable(TokenReader& reader, Space space);

}  // namespace software_gpu::ptx
