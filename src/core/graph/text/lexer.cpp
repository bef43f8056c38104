#include "core/graph/text/lexer.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"

namespace openrknn {
namespace {

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
         c == '/' || c == ':' || c == '-' || c == '+' || c == '$';
}

class Splitter {
 public:
  explicit Splitter(std::string_view text) : text_(text) {}

  std::vector<TextToken> run() {
    while (skip_blank()) {
      const char c = text_[at_];
      if (c == '"') {
        push(TextToken::String, string());
      } else if (c == '%') {
        ++at_;
        if (at_ < text_.size() && text_[at_] == '"') {
          push(TextToken::Value, string());
        } else if (at_ < text_.size() && is_word(text_[at_]) && text_[at_] != ':') {
          push(TextToken::Value, word());
        } else {
          syntax("'%' without a name");
        }
      } else if (c != ':' && is_word(c)) {
        push(TextToken::Word, word());
      } else if (std::string_view("()[]{},=:?@").find(c) != std::string_view::npos) {
        push(TextToken::Symbol, std::string(1, c));
        ++at_;
      } else {
        syntax(fmt::format("unexpected character 0x{:02x}", static_cast<unsigned char>(c)));
      }
    }
    push(TextToken::End, "end of text");
    return std::move(tokens_);
  }

 private:
  bool skip_blank() {
    for (; at_ < text_.size(); ++at_) {
      if (text_[at_] == '#') at_ = std::min(text_.find('\n', at_), text_.size());
      if (at_ == text_.size()) return false;
      if (text_[at_] == '\n') ++line_;
      if (std::string_view(" \t\r\n").find(text_[at_]) == std::string_view::npos) return true;
    }
    return false;
  }

  /// Longest run of word characters; a ':' at its end belongs to what follows ("x: f32").
  std::string word() {
    const size_t begin = at_;
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    while (text_[at_ - 1] == ':') --at_;
    return std::string(text_.substr(begin, at_ - begin));
  }

  std::string string() {
    std::string out;
    for (++at_; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        return out;
      }
      if (c == '\n') break;
      out += c == '\\' ? escaped() : c;
    }
    syntax("a string without its closing quote");
  }

  /// at_ stands on the backslash and is left on the last character of the escape.
  char escaped() {
    if (++at_ >= text_.size()) syntax("a string without its closing quote");
    switch (text_[at_]) {
      case 'n':
        return '\n';
      case 't':
        return '\t';
      case '"':
      case '\\':
        return text_[at_];
      case 'x': {
        unsigned value = 0;
        for (int i = 0; i < 2; ++i) {
          const size_t digit =
              ++at_ < text_.size() ? std::string_view("0123456789abcdef").find(text_[at_]) : std::string_view::npos;
          if (digit == std::string_view::npos) syntax("\\x without two hexadecimal digits (0-9, a-f)");
          value = value * 16 + static_cast<unsigned>(digit);
        }
        return static_cast<char>(value);
      }
      default:
        syntax(fmt::format("unknown escape \\{}, expected \\n \\t \\\" \\\\ or \\xHH", text_[at_]));
    }
  }

  void push(TextToken::Kind kind, std::string text) { tokens_.push_back({kind, std::move(text), line_}); }
  [[noreturn]] void syntax(std::string problem) const {
    fail(Code::GraphTextSyntax, Location{.file = {}, .node = {}, .tensor = {}, .line = line_}, std::move(problem));
  }

  std::string_view text_;
  size_t at_ = 0;
  int64_t line_ = 1;
  std::vector<TextToken> tokens_;
};

}  // namespace

std::vector<TextToken> split_text(std::string_view text) { return Splitter(text).run(); }

bool is_bare_name(std::string_view name) {
  // "_" alone means "left out".
  return !name.empty() && name != "_" && name.front() != ':' && name.back() != ':' &&
         std::all_of(name.begin(), name.end(), is_word);
}

std::string quote_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string quote_name(std::string_view name) { return is_bare_name(name) ? std::string(name) : quote_string(name); }

}  // namespace openrknn
