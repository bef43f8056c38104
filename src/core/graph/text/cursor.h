// Reads the graph's text form word by word; every complaint carries the line.
#pragma once

#include <charconv>

#include "core/graph/text/lexer.h"

namespace openrknn {

class TextCursor {
 public:
  explicit TextCursor(std::string_view text) : tokens_(split_text(text)) {}

  const TextToken& peek() const { return tokens_[at_]; }
  int64_t line() const { return peek().line; }
  bool at_end() const { return peek().kind == TextToken::End; }
  /// Throws Error (GraphTextSyntax) at the current line.
  [[noreturn]] void syntax(std::string problem) const;
  /// "got '…', expected …" about the current word.
  [[noreturn]] void expected(std::string_view what) const;

  bool is_symbol(std::string_view text) const { return peek().kind == TextToken::Symbol && peek().text == text; }
  bool is_word(std::string_view text) const { return peek().kind == TextToken::Word && peek().text == text; }
  /// Step over the symbol or word if it is there.
  bool accept(std::string_view symbol);
  bool accept_word(std::string_view text);

  void expect(std::string_view symbol);
  std::string word();
  std::string string();      ///< "…"
  std::string name();        ///< bare or quoted
  std::string value_name();  ///< %name, without the %
  int64_t integer();
  uint64_t unsigned_integer();
  double real();
  bool is_integer() const;

  /// open item, item, … close
  template <class Item>
  void list(std::string_view open, std::string_view close, Item item) {
    expect(open);
    if (accept(close)) return;
    do item();
    while (accept(","));
    expect(close);
  }

 private:
  template <class T>
  bool reads(T& value) const;
  std::string take() { return tokens_[at_++].text; }
  std::vector<TextToken> tokens_;
  size_t at_ = 0;
};

}  // namespace openrknn
