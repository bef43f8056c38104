#include "compiler/importers/caffe/text_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "compiler/importers/text_numbers.h"

namespace openrknn::caffe {
namespace {

constexpr int kMostNesting = 32;
constexpr size_t kMostFields = 4'000'000;

class Parser {
 public:
  Parser(std::string_view text, const std::string& file) : rest_(text), file_(file) {}

  Message parse() {
    Message all = parse_message('\0', 0);
    if (!rest_.empty()) refuse("a zero byte in the text");
    return all;
  }

 private:
  [[noreturn]] void refuse(std::string problem) const {
    fail(Code::ImportBadFile, Location{.file = file_, .line = line_}, std::move(problem));
  }

  char peek() const { return rest_.empty() ? '\0' : rest_.front(); }
  void drop() {
    if (rest_.front() == '\n') ++line_;
    rest_.remove_prefix(1);
  }
  void skip_blanks() {
    while (!rest_.empty()) {
      const char c = rest_.front();
      if (c == '#') {
        rest_.remove_prefix(std::min(rest_.find('\n'), rest_.size()));
      } else if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',' || c == ';') {
        drop();
      } else {
        return;
      }
    }
  }
  static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
           c == '-' || c == '+' || c == '/';
  }
  std::string word(std::string_view what) {
    const size_t size = static_cast<size_t>(std::ranges::find_if_not(rest_, is_word) - rest_.begin());
    if (size == 0) {
      refuse(rest_.empty() ? fmt::format("the file ends where {} is expected", what)
                           : fmt::format("got '{}' where {} is expected", rest_.front(), what));
    }
    std::string found(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return found;
  }
  std::string string() {
    const char quote = rest_.front();
    drop();
    std::string out;
    while (peek() != quote) {
      if (rest_.empty() || peek() == '\n') refuse("a string does not end in its line");
      if (peek() == '\\' && rest_.size() > 1) {
        drop();
        if (peek() == '\n') refuse("a string does not end in its line");
        out.push_back(peek() == 'n' ? '\n' : peek() == 't' ? '\t' : peek());
      } else {
        out.push_back(peek());
      }
      drop();
    }
    drop();
    return out;
  }

  Message parse_message(char end, int depth) {
    if (depth > kMostNesting) refuse("messages are nested too deeply");
    Message message{.fields = {}, .line = line_, .file = file_};
    for (skip_blanks(); peek() != end; skip_blanks()) {
      if (rest_.empty()) refuse("the file ends inside a message: a closing bracket is missing");
      parse_field(message, depth);
    }
    if (end != '\0') drop();
    return message;
  }

  void parse_field(Message& into, int depth) {
    if (++fields_ > kMostFields) refuse("the file has too many fields");
    const int64_t line = line_;
    const std::string name = word("the name of a field");
    skip_blanks();
    const bool has_colon = peek() == ':';
    if (has_colon) {
      drop();
      skip_blanks();
    }
    if (peek() == '[') {
      drop();
      for (skip_blanks(); peek() != ']'; skip_blanks()) {
        if (rest_.empty()) refuse("the file ends inside a list: ] is missing");
        parse_value(into, name, line, depth);
      }
      drop();
      return;
    }
    if (!has_colon && peek() != '{' && peek() != '<') refuse(fmt::format("'{}' is followed by neither : nor {{", name));
    parse_value(into, name, line, depth);
  }

  void parse_value(Message& into, const std::string& name, int64_t line, int depth) {
    Field field{.name = name, .text = {}, .message = nullptr, .line = line};
    const char first = peek();
    if (first == '{' || first == '<') {
      drop();
      field.message = std::make_shared<const Message>(parse_message(first == '{' ? '}' : '>', depth + 1));
    } else if (first == '"' || first == '\'') {
      do {  // neighbouring strings are one
        field.text += string();
        skip_blanks();
      } while (peek() == '"' || peek() == '\'');
    } else {
      field.text = word(fmt::format("the value of '{}'", name));
    }
    into.fields.push_back(std::move(field));
  }

  std::string_view rest_;
  const std::string& file_;
  int64_t line_ = 1;
  size_t fields_ = 0;
};

[[noreturn]] void refuse(const Message& message, const Field& field, std::string_view expected) {
  fail(Code::ImportBadFile, message.where(field.name),
       fmt::format("{}: got {}, expected {}", field.name,
                   field.message != nullptr ? "a message" : fmt::format("'{}'", field.text), expected));
}

int64_t integer_of(const Message& message, const Field& field) {
  const auto value = field.message == nullptr ? parse_number<int64_t>(field.text) : std::nullopt;
  return value ? *value : (refuse(message, field, "a whole number"), 0);
}

double number_of(const Message& message, const Field& field) {
  const auto value = field.message == nullptr ? parse_number<double>(field.text) : std::nullopt;
  return value ? *value : (refuse(message, field, "a number"), 0);
}

}  // namespace

const Field* Message::find(std::string_view name) const {
  const auto last =
      std::find_if(fields.rbegin(), fields.rend(), [&](const Field& field) { return field.name == name; });
  return last == fields.rend() ? nullptr : &*last;
}

Location Message::where(std::string_view name) const {
  const Field* field = find(name);
  return {.file = file, .line = field == nullptr ? line : field->line};
}

std::string Message::text(std::string_view name, std::string_view fallback) const {
  const Field* field = find(name);
  if (field == nullptr) return std::string(fallback);
  if (field->message != nullptr) refuse(*this, *field, "a word");
  return field->text;
}

int64_t Message::integer(std::string_view name, int64_t fallback) const {
  const Field* field = find(name);
  return field == nullptr ? fallback : integer_of(*this, *field);
}

int64_t Message::integer(std::string_view name, int64_t fallback, int64_t low, int64_t high) const {
  return require_range(integer(name, fallback), low, high, name, where(name));
}

double Message::number(std::string_view name, double fallback) const {
  const Field* field = find(name);
  return field == nullptr ? fallback : number_of(*this, *field);
}

bool Message::boolean(std::string_view name, bool fallback) const {
  const Field* field = find(name);
  if (field == nullptr) return fallback;
  if (field->text == "true" || field->text == "True" || field->text == "1" || field->text == "t") return true;
  if (field->text == "false" || field->text == "False" || field->text == "0" || field->text == "f") return false;
  refuse(*this, *field, "true or false");
}

std::vector<std::string> Message::texts(std::string_view name) const {
  std::vector<std::string> all;
  for (const Field& field : fields) {
    if (field.name != name) continue;
    if (field.message != nullptr) refuse(*this, field, "a word");
    all.push_back(field.text);
  }
  return all;
}

std::vector<int64_t> Message::integers(std::string_view name) const {
  std::vector<int64_t> all;
  for (const Field& field : fields) {
    if (field.name == name) all.push_back(integer_of(*this, field));
  }
  return all;
}

std::vector<double> Message::numbers(std::string_view name) const {
  std::vector<double> all;
  for (const Field& field : fields) {
    if (field.name == name) all.push_back(number_of(*this, field));
  }
  return all;
}

const Message& Message::message(std::string_view name) const {
  static const Message kEmpty;
  const Field* field = find(name);
  if (field == nullptr) return kEmpty;
  if (field->message == nullptr) refuse(*this, *field, "a message in braces");
  return *field->message;
}

std::vector<const Message*> Message::messages(std::string_view name) const {
  std::vector<const Message*> all;
  for (const Field& field : fields) {
    if (field.name != name) continue;
    if (field.message == nullptr) refuse(*this, field, "a message in braces");
    all.push_back(field.message.get());
  }
  return all;
}

Message parse_text(std::string_view text, const std::string& file) { return Parser(text, file).parse(); }

}  // namespace openrknn::caffe
