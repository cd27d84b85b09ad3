// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cctype>

#include "tests/software_gpu/ptx/parser_state.hpp"

namespace software_gpu::ptx {
namespace {

constexpr std::array<std::string_view, static_cast<std::size_t>(Special::count)> kSpecials = {
    "%tid.x",           "%tid.y",       "%tid.z",       "%ntid.x",      "%ntid.y",      "%ntid.z",
    "%ctaid.x",         "%ctaid.y",     "%ctaid.z",     "%nctaid.x",    "%nctaid.y",    "%nctaid.z",
    "%laneid",          "%warpid",      "%nwarpid",     "%gridid",      "%smid",        "%nsmid",
    "%lanemask_eq",     "%lanemask_lt", "%lanemask_le", "%lanemask_gt", "%lanemask_ge", "%dynamic_smem_size",
    "%total_smem_size", "%clock",       "%clock64",     "%globaltimer"};

}  // namespace

void FunctionParser::parameters(std::vector<int>& into) {
  reader_.expect('(');
  if (reader_.accept(')')) return;
  do {
    if (!reader_.accept_directive("param")) reader_.fail("only .param parameters are supported");
    Variable variable = parse_variable(reader_, Space::parameter);
    const auto index = static_cast<int>(function_.variables.size());
    scopes_[0][variable.name] = {Name::Kind::variable, index};
    into.push_back(index);
    function_.variables.push_back(std::move(variable));
  } while (reader_.accept(','));
  reader_.expect(')');
}

void FunctionParser::body() {
  function_.defined = true;
  reader_.expect('{');
  scopes_.emplace_back();
  const std::size_t outside = scopes_.size() - 1;
  while (scopes_.size() > outside) {
    if (reader_.accept('{')) {
      scopes_.emplace_back();
    } else if (reader_.accept('}')) {
      scopes_.pop_back();
    } else if (reader_.peek().kind == Token::Kind::directive) {
      declaration();
    } else {
      label_or_instruction();
    }
  }
}

void FunctionParser::declaration() {
  const std::string_view word = reader_.take().text;
  if (word == "loc") return location();
  if (word == "reg") return registers();
  if (word == "pragma") {
    reader_.take();
    return reader_.expect(';');
  }
  if (word == "callprototype") reader_.fail("indirect calls are not supported");
  if (word != "shared" && word != "local" && word != "param") {
    reader_.fail("." + std::string(word) + " in a function is not supported");
  }
  do {
    const Space space = word == "shared" ? Space::shared : word == "local" ? Space::local : Space::parameter;
    Variable variable = parse_variable(reader_, space);
    scopes_.back()[variable.name] = {Name::Kind::variable, static_cast<int>(function_.variables.size())};
    function_.variables.push_back(std::move(variable));
  } while (reader_.accept(','));
  reader_.expect(';');
}

void FunctionParser::location() {
  const int line = reader_.peek().line;
  source_file_ = static_cast<int>(reader_.size_number());
  source_line_ = static_cast<int>(reader_.size_number());
  call_file_ = call_line_ = 0;
  if (reader_.peek().line != line) return;
  reader_.number();  // column
  while (reader_.peek().line == line && reader_.peek().kind != Token::Kind::end) {
    if (reader_.take().text != "inlined_at") continue;
    call_file_ = static_cast<int>(reader_.size_number());
    call_line_ = static_cast<int>(reader_.size_number());
  }
}

void FunctionParser::registers() {
  const std::string_view word = reader_.expect_directive("a type");
  const auto type = parse_type(word);
  if (!type) reader_.fail("registers of type ." + std::string(word) + " are not supported");
  do {
    const std::string name(reader_.expect_word("the name of a register"));
    if (reader_.accept('<')) {
      const std::size_t count = reader_.size_number();
      reader_.expect('>');
      for (std::size_t i = 0; i < count; ++i) add_register(name + std::to_string(i), *type);
    } else {
      add_register(name, *type);
    }
  } while (reader_.accept(','));
  reader_.expect(';');
}

int FunctionParser::add_register(const std::string& name, Type type) {
  const auto index = static_cast<int>(function_.registers.size());
  function_.registers.push_back(type);
  scopes_.back()[name] = {Name::Kind::reg, index};
  return index;
}

const FunctionParser::Name* FunctionParser::find(std::string_view name) const {
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
    if (const auto it = scope->find(name); it != scope->end()) return &it->second;
  }
  return nullptr;
}

void FunctionParser::label_or_instruction() {
  if (reader_.peek().kind != Token::Kind::word || !reader_.peek(1).is(':')) return instruction();
  const std::string label(reader_.take().text);
  reader_.expect(':');
  if (reader_.accept_directive("branchtargets")) {
    auto& targets = function_.target_lists[label];
    do {
      targets.emplace_back(reader_.expect_word("a label"));
    } while (reader_.accept(','));
    return reader_.expect(';');
  }
  function_.labels[label] = function_.body.size();
}

void FunctionParser::instruction() {
  Statement statement;
  statement.line = reader_.peek().line;
  statement.source_file = source_file_;
  statement.source_line = source_line_;
  statement.call_file = call_file_;
  statement.call_line = call_line_;
  const char* begin = reader_.peek().text.data();
  if (reader_.accept('@')) guard(statement);
  statement.opcode = reader_.expect_word("an instruction");
  while (reader_.peek().kind == Token::Kind::directive) statement.modifiers.emplace_back(reader_.take().text);
  operands(statement);
  const char* end = reader_.peek().text.data() + 1;
  reader_.expect(';');
  for (const char* c = begin; c != end; ++c) {
    const bool blank = std::isspace(static_cast<unsigned char>(*c)) != 0;
    if (!blank) {
      statement.text += *c;
    } else if (!statement.text.empty() && statement.text.back() != ' ') {
      statement.text += ' ';
    }
  }
  function_.body.push_back(std::move(statement));
}

void FunctionParser::guard(Statement& statement) {
  statement.guard_negated = reader_.accept('!');
  const std::string_view name = reader_.expect_word("a predicate");
  const Name* found = find(name);
  if (found == nullptr || found->kind != Name::Kind::reg) reader_.fail(std::string(name) + " is not declared");
  if (function_.registers[static_cast<std::size_t>(found->index)] != Type::pred) {
    reader_.fail(std::string(name) + " is no predicate");
  }
  statement.guard = found->index;
}

void FunctionParser::operands(Statement& statement) {
  if (reader_.peek().is(';')) return;
  do {
    statement.operands.push_back(operand());
    if (statement.operands.size() == 1 && reader_.accept('|')) {
      statement.operands.push_back(operand());
      statement.second_destination = true;
    }
  } while (reader_.accept(','));
}

Operand FunctionParser::operand() {
  if (reader_.accept('{')) return list('{', '}');
  if (reader_.accept('(')) return list('(', ')');
  if (reader_.accept('[')) return address();
  if (reader_.accept('!')) {
    Operand operand = simple();
    operand.negated = true;
    return operand;
  }
  return simple();
}

Operand FunctionParser::list(char open, char close) {
  Operand vector;
  vector.kind = Operand::Kind::vector;
  vector.text = open;
  if (reader_.accept(close)) return vector;
  do {
    vector.items.push_back(simple());
  } while (reader_.accept(','));
  reader_.expect(close);
  return vector;
}

Operand FunctionParser::address() {
  Operand operand = simple();
  operand.address = true;
  reader_.expect(']');
  return operand;
}

Operand FunctionParser::simple() {
  const Token& token = reader_.peek();
  const bool digit = token.kind == Token::Kind::word && std::isdigit(static_cast<unsigned char>(token.text[0])) != 0;
  Operand operand;
  if (digit || token.is('-')) {
    operand.kind = Operand::Kind::constant;
    operand.bits = reader_.number(&operand.real);
    return operand;
  }
  std::string name(reader_.expect_word("an operand"));
  const Token& next = reader_.peek();
  if (name[0] == '%' && next.kind == Token::Kind::directive && next.attached) {
    name += "." + std::string(reader_.take().text);
  }
  operand = named(std::move(name));
  offset(operand);
  return operand;
}

void FunctionParser::offset(Operand& operand) {
  if (reader_.accept('+')) {
    operand.offset = static_cast<std::int64_t>(reader_.number());
  } else if (reader_.peek().is('-')) {
    operand.offset = static_cast<std::int64_t>(reader_.number());
  }
}

Operand FunctionParser::named(std::string name) {
  Operand operand;
  if (name == "_") return operand;
  if (const Name* found = find(name)) {
    operand.kind = found->kind == Name::Kind::reg ? Operand::Kind::reg : Operand::Kind::local;
    operand.index = found->index;
    return operand;
  }
  for (std::size_t i = 0; i < module_.variables.size(); ++i) {
    if (module_.variables[i].name != name) continue;
    operand.kind = Operand::Kind::global;
    operand.index = static_cast<int>(i);
    return operand;
  }
  for (std::size_t i = 0; i < kSpecials.size(); ++i) {
    if (kSpecials[i] != name) continue;
    operand.kind = Operand::Kind::special;
    operand.index = static_cast<int>(i);
    return operand;
  }
  if (name == "WARP_SZ") {
    operand.kind = Operand::Kind::constant;
    operand.bits = 32;
    return operand;
  }
  if (name[0] == '%') reader_.fail(name + " is not declared");
  operand.kind = Operand::Kind::name;
  operand.text = std::move(name);
  return operand;
}

}  // namespace software_gpu::ptx
