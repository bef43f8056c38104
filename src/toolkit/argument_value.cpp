#include "toolkit/argument_value.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "core/base/error.h"
#include "core/base/file.h"
#include "toolkit/yaml_tree.h"

namespace openrknn {
namespace {

ArgumentValue scalar(const std::string& text, bool quoted) {
  if (quoted) return text;
  if (text.empty() || text == "None" || text == "null" || text == "~") return {};
  if (text == "True" || text == "true") return true;
  if (text == "False" || text == "false") return false;
  int64_t integer = 0;
  const char* const end = text.data() + text.size();
  if (const auto [at, error] = std::from_chars(text.data(), end, integer); error == std::errc() && at == end)
    return integer;
  double real = 0;
  const char* const begin = text.data() + (text[0] == '+' ? 1 : 0);
  if (const auto [at, error] = std::from_chars(begin, end, real); error == std::errc() && at == end) return real;
  return text;
}

std::optional<double> comparable_number(const ArgumentValue& value) {
  if (const bool* b = std::get_if<bool>(&value.data)) return *b;
  if (const int64_t* i = std::get_if<int64_t>(&value.data)) return static_cast<double>(*i);
  if (const double* d = std::get_if<double>(&value.data)) return *d;
  return std::nullopt;
}

ArgumentValue convert(const YamlNode& node, const std::string& file) {
  if (node.kind == YamlNode::Kind::Scalar) return scalar(node.text, node.quoted);
  if (node.kind == YamlNode::Kind::List) {
    std::vector<ArgumentValue> list;
    for (const YamlNode& item : node.items) list.push_back(convert(item, file));
    return list;
  }
  if (node.kind == YamlNode::Kind::Null) return {};
  std::map<std::string, ArgumentValue> map;
  for (size_t i = 0; i + 1 < node.items.size(); i += 2) {
    const YamlNode& key = node.items[i];
    if (!map.emplace(key.text, convert(node.items[i + 1], file)).second) {
      fail(Code::ConfigBadValue, Location{.file = file, .line = key.line}, fmt::format("'{}' is said twice", key.text),
           "say it once");
    }
  }
  return map;
}

}  // namespace

bool ArgumentValue::operator==(const ArgumentValue& other) const {
  const std::optional<double> a = comparable_number(*this), b = comparable_number(other);
  if (a && b) return *a == *b;
  return data == other.data;
}

std::string to_string(const ArgumentValue& value) {
  struct Visitor {
    std::string operator()(std::monostate) const { return "None"; }
    std::string operator()(bool b) const { return b ? "True" : "False"; }
    std::string operator()(int64_t i) const { return fmt::format("{}", i); }
    std::string operator()(double d) const { return fmt::format("{}", d); }
    std::string operator()(const std::string& text) const { return fmt::format("'{}'", text); }
    std::string operator()(const std::vector<ArgumentValue>& list) const {
      std::string out = "[";
      for (const ArgumentValue& item : list) out += (out.size() > 1 ? ", " : "") + to_string(item);
      return out + "]";
    }
    std::string operator()(const std::map<std::string, ArgumentValue>& map) const {
      std::string out = "{";
      for (const auto& [key, item] : map)
        out += fmt::format("{}'{}': {}", out.size() > 1 ? ", " : "", key, to_string(item));
      return out + "}";
    }
  };
  return std::visit(Visitor{}, value.data);
}

ArgumentValue parse_argument_value(std::string_view text) {
  try {
    return convert(parse_yaml_tree(text, {}, "write lists as [1, 2, 3] and nested lists as [[1, 2], [3, 4]]"), {});
  } catch (const Error& error) {
    const Diagnostic& found = error.diagnostics.front();
    fail(Code::ConfigBadValue, fmt::format("cannot read the value '{}': {}", text, found.problem), found.fix);
  }
}

ArgumentValues read_yaml_options(const std::string& path) {
  const YamlNode root =
      parse_yaml_tree(read_text_file(path), path, "write one `name: value` a line, lists as [1, 2, 3]");
  if (root.kind != YamlNode::Kind::Map) {
    fail(Code::ConfigBadValue, Location{.file = path}, "the file is not a mapping of option names to values",
         "write one `name: value` a line");
  }
  return std::get<std::map<std::string, ArgumentValue>>(convert(root, path).data);
}

}  // namespace openrknn
