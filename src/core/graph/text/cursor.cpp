#include "core/graph/text/cursor.h"

#include <fmt/format.h>

#include "core/base/error.h"

namespace openrknn {

template <class T>
bool TextCursor::reads(T& value) const {
  const std::string& text = peek().text;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return peek().kind == TextToken::Word && error == std::errc() && stop == end;
}

void TextCursor::syntax(std::string problem) const {
  fail(Code::GraphTextSyntax, Location{.file = {}, .node = {}, .tensor = {}, .line = line()}, std::move(problem));
}

void TextCursor::expected(std::string_view what) const {
  syntax(fmt::format("got '{}', expected {}", peek().text, what));
}

bool TextCursor::accept(std::string_view symbol) {
  if (!is_symbol(symbol)) return false;
  ++at_;
  return true;
}

bool TextCursor::accept_word(std::string_view text) {
  if (!is_word(text)) return false;
  ++at_;
  return true;
}

void TextCursor::expect(std::string_view symbol) {
  if (!accept(symbol)) expected(fmt::format("'{}'", symbol));
}

std::string TextCursor::word() {
  if (peek().kind != TextToken::Word) expected("a word");
  return take();
}

std::string TextCursor::string() {
  if (peek().kind != TextToken::String) expected("a string in quotes");
  return take();
}

std::string TextCursor::name() { return peek().kind == TextToken::String ? string() : word(); }

std::string TextCursor::value_name() {
  if (peek().kind != TextToken::Value) expected("%name");
  return take();
}

int64_t TextCursor::integer() {
  int64_t value = 0;
  if (!reads(value)) expected("an integer");
  ++at_;
  return value;
}

uint64_t TextCursor::unsigned_integer() {
  uint64_t value = 0;
  if (!reads(value)) expected("an integer of 0 or more");
  ++at_;
  return value;
}

double TextCursor::real() {
  double value = 0;
  if (!reads(value)) expected("a number");
  ++at_;
  return value;
}

bool TextCursor::is_integer() const {
  int64_t value = 0;
  return reads(value);
}

}  // namespace openrknn
