// SPDX-License-Identifier: Apache-2.0
#include "tests/software_gpu/ptx/lexer.hpp"

#include <cctype>

namespace software_gpu::ptx {
namespace {

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$' || c == '%';
}

class Lexer {
 public:
  Lexer(std::string_view text, const std::string& file) : text_(text), file_(file) {}

  std::vector<Token> run() {
    std::vector<Token> tokens;
    for (;;) {
      const std::size_t before = at_;
      skip_blanks();
      const bool attached = before == at_ && at_ > 0;
      Token token = next();
      token.attached = attached;
      tokens.push_back(token);
      if (token.kind == Token::Kind::end) return tokens;
    }
  }

 private:
  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

  void skip_blanks() {
    for (; at_ < text_.size(); ++at_) {
      if (peek() == '\n') {
        ++line_;
      } else if (peek() == '/' && peek(1) == '/') {
        while (at_ + 1 < text_.size() && peek(1) != '\n') ++at_;
      } else if (peek() == '/' && peek(1) == '*') {
        skip_comment();
      } else if (peek() != '\0' && std::isspace(static_cast<unsigned char>(peek())) == 0) {
        return;
      }
    }
  }
  void skip_comment() {
    const std::size_t end = text_.find("*/", at_ + 2);
    if (end == std::string_view::npos) throw ParseError(file_ + ":" + std::to_string(line_) + ": comment without end");
    for (; at_ < end + 1; ++at_) line_ += peek() == '\n' ? 1 : 0;
  }
  Token next() {
    if (at_ >= text_.size()) return {Token::Kind::end, text_.substr(text_.size()), line_};
    if (peek() == '.' && is_word(peek(1))) {
      ++at_;
      return {Token::Kind::directive, word(true), line_};
    }
    if (is_word(peek())) return {Token::Kind::word, word(false), line_};
    if (peek() == '"') return quoted();
    return {Token::Kind::punctuation, text_.substr(at_++, 1), line_};
  }
  std::string_view word(bool colons) {
    const std::size_t begin = at_;
    for (;;) {
      if (is_word(peek())) {
        ++at_;
      } else if (colons && peek() == ':' && peek(1) == ':' && is_word(peek(2))) {
        at_ += 2;
      } else {
        return text_.substr(begin, at_ - begin);
      }
    }
  }
  Token quoted() {
    const std::size_t begin = ++at_;
    const std::size_t end = text_.find('"', begin);
    if (end == std::string_view::npos) throw ParseError(file_ + ":" + std::to_string(line_) + ": text without end");
    at_ = end + 1;
    return {Token::Kind::text, text_.substr(begin, end - begin), line_};
  }

  std::string_view text_;
  const std::string& file_;
  std::size_t at_ = 0;
  int line_ = 1;
};

}  // namespace

std::vector<Token> tokenize(std::string_view text, const std::string& file) {
  return Lexer(text, file).run();
}

}  // namespace software_gpu::ptx
