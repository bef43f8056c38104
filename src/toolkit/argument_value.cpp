#include "toolkit/argument_value.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <charconv>
#include <optional>

#include "core/base/error.h"
#include "core/base/file.h"

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

std::optional<double> number(const ArgumentValue& value) {
  if (const bool* b = std::get_if<bool>(&value.data)) return *b;
  if (const int64_t* i = std::get_if<int64_t>(&value.data)) return static_cast<double>(*i);
  if (const double* d = std::get_if<double>(&value.data)) return *d;
  return std::nullopt;
}

ArgumentValue convert(const YAML::Node& node) {
  switch (node.Type()) {
    case YAML::NodeType::Scalar:
      return scalar(node.Scalar(), node.Tag() == "!");  // "!" marks a quoted scalar
    case YAML::NodeType::Sequence: {
      std::vector<ArgumentValue> list;
      for (const YAML::Node& item : node) list.push_back(convert(item));
      return list;
    }
    case YAML::NodeType::Map: {
      std::map<std::string, ArgumentValue> map;
      for (const auto& item : node) map[item.first.Scalar()] = convert(item.second);
      return map;
    }
    default:
      return {};
  }
}

}  // namespace

bool ArgumentValue::operator==(const ArgumentValue& other) const {
  const std::optional<double> a = number(*this), b = number(other);
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
    return convert(YAML::Load(std::string(text)));
  } catch (const YAML::Exception& error) {
    fail(Code::ConfigBadValue, fmt::format("cannot read the value '{}': {}", text, error.msg),
         "write lists as [1, 2, 3] and nested lists as [[1, 2], [3, 4]]");
  }
}

ArgumentValues read_yaml_options(const std::string& path) {
  const std::string text = read_text_file(path);
  try {
    const YAML::Node root = YAML::Load(text);
    if (!root.IsMap())
      fail(Code::ConfigBadValue, Location{.file = path}, "the file is not a mapping of option names to values");
    return std::get<std::map<std::string, ArgumentValue>>(convert(root).data);
  } catch (const YAML::Exception& error) {
    fail(Code::ConfigBadValue, Location{.file = path, .line = error.mark.line + 1},
         fmt::format("not valid YAML: {}", error.msg));
  }
}

}  // namespace openrknn
