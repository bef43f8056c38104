// YAML from a user, as a bounded tree: no anchors and aliases, little nesting.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace openrknn {

struct YamlNode {
  enum class Kind : uint8_t { Null, Scalar, List, Map };
  Kind kind = Kind::Null;
  std::string text;             ///< of a scalar, unquoted
  bool quoted = false;          ///< it was in quotes: text, whatever it looks like
  std::vector<YamlNode> items;  ///< of a list; of a map keys and values in turn
  int64_t line = 0;             ///< 1 is the first
};

/// The first document; an empty one is Null. Throws Error (ConfigBadValue) with file, line and how such a file is to be
/// written.
YamlNode parse_yaml_tree(std::string_view text, const std::string& file, const std::string& advice);

}  // namespace openrknn
