// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>

#include "tests/software_gpu/ptx/parser_state.hpp"

namespace software_gpu::ptx {

TokenReader::TokenReader(std::string_view text, const std::string& file) : file_(file), tokens_(tokenize(text, file)) {}

const Token& TokenReader::peek(std::size_t ahead) const {
  return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
}

Token TokenReader::take() {
  const Token token = peek();
  if (token.kind == Token::Kind::end) fail("the text ends too early");
  ++at_;
  return token;
}

bool TokenReader::accept(char punctuation) {
  if (!peek().is(punctuation)) return false;
  ++at_;
  return true;
}

void TokenReader::expect(char punctuation) {
  if (!accept(punctuation)) fail(std::string("'") + punctuation + "' was expected");
}

bool TokenReader::accept_directive(std::string_view name) {
  if (peek().kind != Token::Kind::directive || peek().text != name) return false;
  ++at_;
  return true;
}

std::string_view TokenReader::expect_word(std::string_view what) {
  if (peek().kind != Token::Kind::word) fail(std::string(what) + " was expected");
  return take().text;
}

std::string_view TokenReader::expect_directive(std::string_view what) {
  if (peek().kind != Token::Kind::directive) fail(std::string(what) + " was expected");
  return take().text;
}

std::uint64_t TokenReader::number(bool* real) {
  const bool negative = accept('-');
  std::string_view digits = expect_word("a number");
  int base = 10;
  if (digits.size() > 1 && digits[0] == '0') {
    const char prefix = digits[1];
    const bool single = (prefix == 'f' || prefix == 'F') && digits.size() == 10;
    const bool wide = (prefix == 'd' || prefix == 'D') && digits.size() == 18;
    base = single || wide || prefix == 'x' || prefix == 'X' ? 16 : prefix == 'b' || prefix == 'B' ? 2 : 8;
    digits.remove_prefix(base == 8 ? 1 : 2);
    if (real != nullptr) *real = single || wide;
  }
  if (!digits.empty() && (digits.back() == 'U' || digits.back() == 'u')) digits.remove_suffix(1);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (error != std::errc{} || end != digits.data() + digits.size()) fail("'" + std::string(digits) + "' is no number");
  return negative ? -value : value;
}

std::size_t TokenReader::size_number() {
  return number();
}

void TokenReader::skip_line() {
  const int line = peek().line;
  while (peek().kind != Token::Kind::end && peek().line == line) ++at_;
}

void TokenReader::skip_braces() {
  expect('{');
  for (int depth = 1; depth > 0;) {
    const Token token = take();
    depth += token.is('{') ? 1 : token.is('}') ? -1 : 0;
  }
}

void TokenReader::fail(const std::string& what) const {
  const Token& token = peek();
  const std::string near = token.kind == Token::Kind::end ? "the end" : "'" + std::string(token.text) + "'";
  throw ParseError(file_ + ":" + std::to_string(token.line) + ": " + what + ", near " + near);
}

}  // namespace software_gpu::ptx
