// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/ptx/parser.hpp"

#include <cstring>

#include "tests/software_gpu/ptx/parser_state.hpp"

namespace software_gpu::ptx {
namespace {

/// `{1, 2, {3}}` or one value, stored with `element` bytes each.
void initial_values(TokenReader& reader, Variable& variable, std::size_t element) {
  if (reader.accept('{')) {
    do {
      initial_values(reader, variable, element);
    } while (reader.accept(','));
    reader.expect('}');
    return;
  }
  const Token& next = reader.peek();
  const bool symbol = next.kind == Token::Kind::word && (next.text[0] < '0' || next.text[0] > '9');
  if (symbol) reader.fail("addresses in initial values are not supported");
  const std::uint64_t value = reader.number();
  const std::size_t at = variable.initial.size();
  variable.initial.resize(at + element);
  std::memcpy(variable.initial.data() + at, &value, element);
}

void dimensions(TokenReader& reader, Variable& variable) {
  while (reader.accept('[')) {
    if (reader.accept(']')) {
      variable.bytes = 0;
      variable.dynamic = true;
      continue;
    }
    variable.bytes *= reader.size_number();
    reader.expect(']');
  }
}

class ModuleParser {
 public:
  ModuleParser(std::string_view text, const std::string& file) : reader_(text, file) { module_.file = file; }

  Module run() {
    while (reader_.peek().kind != Token::Kind::end) top_level();
    return std::move(module_);
  }

 private:
  void top_level() {
    if (reader_.accept(';')) return;
    const std::string_view word = reader_.expect_directive("a directive");
    if (word == "version" || word == "target" || word == "address_size") return reader_.skip_line();
    if (word == "file") return source_file();
    if (word == "section") {
      reader_.take();
      while (!reader_.peek().is('{')) reader_.take();
      return reader_.skip_braces();
    }
    if (word == "pragma") {
      reader_.take();
      return reader_.expect(';');
    }
    if (word == "visible" || word == "weak" || word == "common") return;
    if (word == "extern") {
      external_ = true;
      return;
    }
    if (word == "entry" || word == "func") return function(word == "entry");
    if (word == "global" || word == "const" || word == "shared") return variable(word);
    if (word == "attribute") reader_.fail("variable attributes (managed memory) are not supported");
    reader_.fail("directive ." + std::string(word) + " is not supported");
  }
  void source_file() {
    const auto index = static_cast<int>(reader_.size_number());
    if (reader_.peek().kind == Token::Kind::text) module_.source_files[index] = reader_.take().text;
    while (reader_.accept(',')) reader_.take();
  }
  void variable(std::string_view word) {
    const Space space = word == "shared" ? Space::shared : word == "const" ? Space::constant : Space::global;
    do {
      Variable variable = parse_variable(reader_, space);
      variable.external = external_ && !(variable.dynamic && space == Space::shared);
      module_.variables.push_back(std::move(variable));
    } while (reader_.accept(','));
    reader_.expect(';');
    external_ = false;
  }
  void function(bool entry) {
    external_ = false;
    Function function;
    function.entry = entry;
    FunctionParser parser(reader_, module_, function);
    if (reader_.peek().is('(')) parser.parameters(function.results);
    function.name = reader_.expect_word("the name of a function");
    if (reader_.peek().is('(')) parser.parameters(function.parameters);
    attributes(function);
    if (!reader_.accept(';')) parser.body();
    Function& slot = module_.functions[function.name];
    if (!slot.defined) slot = std::move(function);
  }
  void attributes(Function& function) {
    while (reader_.peek().kind == Token::Kind::directive) {
      const std::string_view word = reader_.take().text;
      if (word == "noreturn") continue;
      if (word == "pragma") {
        reader_.take();
        reader_.accept(';');
        continue;
      }
      if (word != "maxntid" && word != "reqntid" && word != "minnctapersm" && word != "maxnreg" &&
          word != "maxnctapersm") {
        reader_.fail("directive ." + std::string(word) + " of a function is not supported");
      }
      std::size_t product = 1;
      do {
        product *= reader_.size_number();
      } while (reader_.accept(','));
      if (word == "maxntid" || word == "reqntid") function.max_threads = product;
    }
  }

  TokenReader reader_;
  Module module_;
  bool external_ = false;
};

}  // namespace

Variable parse_variable(TokenReader& reader, Space space) {
  Variable variable;
  variable.space = space;
  std::size_t alignment = 0;
  std::size_t element = 0;
  while (reader.peek().kind == Token::Kind::directive) {
    const std::string_view word = reader.take().text;
    if (word == "align") {
      const std::size_t value = reader.size_number();
      if (element == 0) alignment = value;  // after the type it tells of what a pointer points to
    } else if (const auto type = parse_type(word)) {
      element = bytes(*type);
    } else if (word != "ptr" && word != "global" && word != "shared" && word != "const" && word != "local" &&
               word != "generic") {
      reader.fail("." + std::string(word) + " in a declaration is not supported");
    }
  }
  if (element == 0) reader.fail("a type was expected");
  variable.name = reader.expect_word("the name of a variable");
  variable.bytes = element;
  variable.alignment = alignment != 0 ? alignment : element;
  dimensions(reader, variable);
  if (reader.accept('=')) {
    initial_values(reader, variable, element);
    variable.bytes = std::max(variable.bytes, variable.initial.size());
    variable.dynamic = false;
  }
  return variable;
}

Module parse(std::string_view text, const std::string& file) {
  return ModuleParser(text, file).run();
}

}  // namespace software_gpu::ptx
