#include "compiler/importers/torchscript/tokens.h"

#include <fmt/format.h>

#include <cctype>
#include <charconv>

namespace openrknn::torchscript {
namespace {

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

class Lexer {
 public:
  Lexer(std::string_view text, Location where) : text_(text), where_(std::move(where)) { where_.line = 1; }

  std::vector<Token> run() {
    bool is_new_line = true;
    while (at_ < text_.size()) {
      if (is_new_line && brackets_ == 0) {
        if (!indentation()) continue;
        is_new_line = false;
        if (at_ == text_.size()) break;
      }
      const char c = text_[at_];
      if (c == '\n') {
        ++at_;
        if (brackets_ == 0) {
          add(Token::Kind::NewLine, "\n");
          is_new_line = true;
        }
        ++where_.line;
      } else if (c == ' ' || c == '\t' || c == '\r') {
        ++at_;
      } else if (c == '#') {
        while (at_ < text_.size() && text_[at_] != '\n') ++at_;
      } else {
        token(c);
      }
    }
    if (!is_new_line) add(Token::Kind::NewLine, "\n");
    for (; indents_.size() > 1; indents_.pop_back()) add(Token::Kind::Dedent, "");
    add(Token::Kind::End, "the end");
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void refuse(std::string problem) const { fail(Code::ImportBadFile, where_, std::move(problem)); }
  void add(Token::Kind kind, std::string text, Value number = {}) {
    tokens_.push_back({kind, std::move(text), std::move(number), where_.line});
  }

  /// At the beginning of a line. False if the line is empty.
  bool indentation() {
    size_t width = 0;
    while (at_ < text_.size() && text_[at_] == ' ') ++at_, ++width;
    if (at_ < text_.size() && (text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '#')) {
      while (at_ < text_.size() && text_[at_] != '\n') ++at_;
      if (at_ < text_.size()) ++at_, ++where_.line;
      return false;
    }
    if (width > indents_.back()) {
      if (indents_.size() > 100) refuse("blocks lie in each other more than 100 deep");
      indents_.push_back(width);
      add(Token::Kind::Indent, "");
    }
    for (; width < indents_.back(); indents_.pop_back()) add(Token::Kind::Dedent, "");
    if (width != indents_.back()) refuse("a line's indentation is that of no block");
    return true;
  }

  void token(char c) {
    const size_t start = at_;
    if (std::isdigit(static_cast<unsigned char>(c)) != 0 ||
        (c == '.' && at_ + 1 < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_ + 1])) != 0)) {
      return number();
    }
    if (is_word(c)) {
      while (at_ < text_.size() && is_word(text_[at_])) ++at_;
      return add(Token::Kind::Word, std::string(text_.substr(start, at_ - start)));
    }
    if (c == '"' || c == '\'') return string(c);
    static constexpr std::string_view kDouble[] = {"->", "==", "!=", "<=", ">=", "//", "**"};
    for (const std::string_view sign : kDouble) {
      if (text_.substr(at_).starts_with(sign)) {
        at_ += 2;
        return add(Token::Kind::Sign, std::string(sign));
      }
    }
    if (std::string_view("()[]{}:,=.-+*/%<>").find(c) == std::string_view::npos)
      refuse(
          fmt::format("got the character 0x{:02x}, which the code of a model has not", static_cast<unsigned char>(c)));
    if (c == '(' || c == '[' || c == '{') ++brackets_;
    if ((c == ')' || c == ']' || c == '}') && brackets_ > 0) --brackets_;
    ++at_;
    add(Token::Kind::Sign, std::string(1, c));
  }

  void number() {
    const char* const begin = text_.data() + at_;
    const char* const end = text_.data() + text_.size();
    const char* last = begin;
    while (last < end && std::isdigit(static_cast<unsigned char>(*last)) != 0) ++last;
    if (last == end || (*last != '.' && *last != 'e' && *last != 'E')) {
      int64_t value = 0;
      if (std::from_chars(begin, last, value).ec != std::errc()) refuse("an integer that needs more than 64 bits");
      at_ += static_cast<size_t>(last - begin);
      return add(Token::Kind::Number, std::string(begin, last), value);
    }
    double value = 0;
    const auto [stop, error] = std::from_chars(begin, end, value);
    if (error != std::errc()) refuse("a number that cannot be read");
    at_ += static_cast<size_t>(stop - begin);
    add(Token::Kind::Number, std::string(begin, stop), value);
  }

  void string(char quote) {
    std::string content;
    for (++at_; at_ < text_.size() && text_[at_] != quote; ++at_) {
      if (text_[at_] == '\n') refuse("a string without its end");
      if (text_[at_] != '\\' || at_ + 1 == text_.size()) {
        content += text_[at_];
        continue;
      }
      const char escaped = text_[++at_];
      constexpr std::string_view kNames = "nrtabfv", kCharacters = "\n\r\t\a\b\f\v";
      if (const size_t known = kNames.find(escaped); known != std::string_view::npos) {
        content += kCharacters[known];
      } else if (escaped >= '0' && escaped <= '7') {
        int code = 0;
        for (int i = 0; i < 3 && at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '7'; ++i, ++at_)
          code = code * 8 + text_[at_] - '0';
        --at_;
        content += static_cast<char>(code);
      } else {
        content += escaped;
      }
    }
    if (at_ >= text_.size()) refuse("a string without its end");
    ++at_;
    add(Token::Kind::Text, std::move(content));
  }

  std::string_view text_;
  Location where_;
  size_t at_ = 0;
  int64_t brackets_ = 0;
  std::vector<size_t> indents_ = {0};
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokens_of(std::string_view text, const Location& where) { return Lexer(text, where).run(); }

}  // namespace openrknn::torchscript
