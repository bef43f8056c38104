// A value of an option as the edges deliver it: Python objects, YAML nodes and command-line text become this first.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace openrknn {

struct ArgumentValue {
  /// monostate = None / null.
  std::variant<std::monostate, bool, int64_t, double, std::string, std::vector<ArgumentValue>,
               std::map<std::string, ArgumentValue>>
      data;

  ArgumentValue() = default;
  template <class T>
  ArgumentValue(T value) : data(std::move(value)) {}            // NOLINT: implicit on purpose, a value is what it holds
  ArgumentValue(const char* text) : data(std::string(text)) {}  // NOLINT

  bool is_none() const { return std::holds_alternative<std::monostate>(data); }
  /// Numbers compare by value (1 == 1.0), everything else by type and content.
  bool operator==(const ArgumentValue&) const;
};
using ArgumentValues = std::map<std::string, ArgumentValue>;

/// Python's spelling: None, True, 'text', [1, 2.5].
std::string to_string(const ArgumentValue&);
/// Reads one value in YAML flow or Python spelling: `None`, `true`, `3`, `[[0, 0, 0]]`, `text`. Throws Error
/// (ConfigBadValue) for broken brackets and the like.
ArgumentValue parse_argument_value(std::string_view text);
/// A YAML file's top-level mapping, without anchors and aliases. Throws Error (ConfigBadValue, FileNotFound) naming
/// file and line.
ArgumentValues read_yaml_options(const std::string& path);

}  // namespace openrknn
