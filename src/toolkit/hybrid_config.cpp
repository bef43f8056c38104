#include "toolkit/hybrid_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "core/base/error.h"
#include "toolkit/yaml_tree.h"

namespace openrknn {
namespace {

// As Python writes a float: never without a point or an exponent.
std::string number_text(double value) {
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".en") == std::string::npos) text += ".0";
  return text;
}
std::string number_text(int64_t value) { return fmt::format("{}", value); }

bool needs_quotes(std::string_view name) {
  if (name.empty() || name.front() == ' ' || name.back() == ' ' || name.back() == ':') return true;
  if (std::string_view(",[]{}#&*!|>'\"%@`").find(name.front()) != std::string_view::npos) return true;
  const bool lone = name.size() == 1 || name[1] == ' ';
  if (lone && std::string_view("-?:").find(name.front()) != std::string_view::npos) return true;
  if (name == "---" || name == "..." || name == "~" || name == "null" || name == "<<") return true;
  if (name.find(": ") != std::string_view::npos || name.find(" #") != std::string_view::npos) return true;
  return std::any_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

std::string key_text(std::string_view name) {
  if (!needs_quotes(name)) return std::string(name);
  std::string text = "\"";
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') text += '\\';
    text += byte < 0x20 || byte == 0x7f ? fmt::format("\\x{:02x}", byte) : std::string(1, c);
  }
  return text + "\"";
}

template <class T>
std::string list_text(std::string_view key, const std::vector<T>& values) {
  if (values.empty()) return fmt::format("        {}: []\n", key);
  std::string text = fmt::format("        {}:\n", key);
  for (const T value : values) text += fmt::format("        -   {}\n", number_text(value));
  return text;
}

struct NumberList {
  std::string_view key;
  std::vector<double> TensorParameters::*member;
};
constexpr NumberList kNumberLists[] = {
    {"min", &TensorParameters::min},         {"max", &TensorParameters::max},
    {"scale", &TensorParameters::scale},     {"ori_min", &TensorParameters::ori_min},
    {"ori_max", &TensorParameters::ori_max},
};
struct TextKey {
  std::string_view key;
  std::string TensorParameters::*member;
};
constexpr TextKey kTextKeys[] = {
    {"qtype", &TensorParameters::qtype}, {"qmethod", &TensorParameters::qmethod}, {"dtype", &TensorParameters::dtype}};

class Parser {
 public:
  explicit Parser(const std::string& file) : file_(file) {}

  HybridConfig parse(const YamlNode& root) {
    HybridConfig config;
    if (root.kind != YamlNode::Kind::Map) {
      fail(Code::ConfigBadValue, at(root), "this is no quantization file: it has no keys",
           "pass the .quantization.cfg that hybrid_quantization_step1 wrote");
    }
    bool has_parameters = false;
    std::string_view layers_key;
    for (size_t i = 0; i + 1 < root.items.size(); i += 2) {
      const std::string& key = root.items[i].text;
      const YamlNode& value = root.items[i + 1];
      if (key == "custom_quantize_layers" || key == "customized_quantize_layers") {
        if (!layers_key.empty())
          problem(root.items[i], fmt::format("'{}' stands here beside '{}'", key, layers_key), "keep one of them");
        layers_key = key;
        config.layers = layers(value, key);
      } else if (key == "quantize_parameters") {
        has_parameters = true;
        config.parameters = parameters(value);
      }
    }
    if (!has_parameters) {
      problem(root, "'quantize_parameters' is missing", "leave that section as hybrid_quantization_step1 wrote it");
    }
    problems_.throw_if_any();
    return config;
  }

 private:
  Location at(const YamlNode& node) const { return Location{.file = file_, .line = node.line}; }
  void problem(const YamlNode& node, std::string text, std::string fix = {}) {
    problems_.add(Code::ConfigBadValue, at(node), std::move(text), std::move(fix));
  }

  std::vector<CustomLayer> layers(const YamlNode& map, const std::string& key) {
    std::vector<CustomLayer> list;
    if (map.kind == YamlNode::Kind::Null) return list;
    if (map.kind != YamlNode::Kind::Map) {
      problem(map, fmt::format("'{}' is no mapping of layers to dtypes", key), "write `    name: float16` a line");
      return list;
    }
    std::set<std::string_view> seen;
    for (size_t i = 0; i + 1 < map.items.size(); i += 2) {
      const YamlNode &name = map.items[i], &dtype = map.items[i + 1];
      if (name.kind != YamlNode::Kind::Scalar || dtype.kind != YamlNode::Kind::Scalar) {
        problem(name, fmt::format("'{}': layer '{}' has no dtype", key, name.text),
                "write int8, int16 or float16 behind it");
      } else if (!seen.insert(name.text).second) {
        problem(name, fmt::format("'{}' names layer '{}' twice", key, name.text), "keep one of the lines");
      } else {
        list.push_back({.name = name.text, .dtype = dtype.text, .line = name.line});
      }
    }
    return list;
  }

  std::vector<TensorParameters> parameters(const YamlNode& map) {
    std::vector<TensorParameters> list;
    if (map.kind != YamlNode::Kind::Map) {
      problem(map, "'quantize_parameters' is no mapping of tensors to their parameters",
              "leave that section as hybrid_quantization_step1 wrote it");
      return list;
    }
    for (size_t i = 0; i + 1 < map.items.size(); i += 2) {
      TensorParameters& tensor = list.emplace_back(TensorParameters{.name = map.items[i].text});
      tensor.line = map.items[i].line;
      read(map.items[i + 1], tensor);
    }
    return list;
  }

  void read(const YamlNode& map, TensorParameters& tensor) {
    if (map.kind != YamlNode::Kind::Map) {
      return problem(map, fmt::format("quantize_parameters['{}'] is no mapping", tensor.name));
    }
    for (size_t i = 0; i + 1 < map.items.size(); i += 2) {
      const std::string& key = map.items[i].text;
      const YamlNode& value = map.items[i + 1];
      for (const TextKey& row : kTextKeys) {
        if (row.key == key) tensor.*row.member = value.text;
      }
      for (const NumberList& row : kNumberLists) {
        if (row.key == key) tensor.*row.member = numbers(value, tensor.name, key);
      }
      if (key == "zero_point") {
        for (const double each : numbers(value, tensor.name, key)) {
          tensor.zero_point.push_back(std::abs(each) < 1e9 ? static_cast<int64_t>(each) : 0);
        }
      }
    }
  }

  /// A list, or one number alone.
  std::vector<double> numbers(const YamlNode& node, const std::string& tensor, const std::string& key) {
    std::vector<double> values;
    const auto add = [&](const YamlNode& item) {
      double value = 0;
      const char *begin = item.text.data(), *end = begin + item.text.size();
      if (begin != end && *begin == '+') ++begin;
      const auto [last, error] = std::from_chars(begin, end, value);
      if (item.kind != YamlNode::Kind::Scalar || error != std::errc() || last != end || !std::isfinite(value)) {
        problem(item, fmt::format("quantize_parameters['{}']['{}']: got '{}', expected a finite number", tensor, key,
                                  item.text));
      }
      values.push_back(value);
    };
    if (node.kind == YamlNode::Kind::Scalar) add(node);
    if (node.kind == YamlNode::Kind::List) std::for_each(node.items.begin(), node.items.end(), add);
    if (node.kind == YamlNode::Kind::Map)
      problem(node, fmt::format("quantize_parameters['{}']['{}'] is no list", tensor, key));
    return values;
  }

  const std::string& file_;
  Diagnostics problems_;
};

}  // namespace

std::string to_text(const HybridConfig& config) {
  std::string text = "custom_quantize_layers: {}\n";
  if (!config.layers.empty()) {
    text = "custom_quantize_layers:\n";
    for (const CustomLayer& layer : config.layers) {
      text += fmt::format("    {}: {}{}{}\n", key_text(layer.name), layer.dtype, layer.comment.empty() ? "" : "  # ",
                          layer.comment);
    }
  }
  text += config.parameters.empty() ? "quantize_parameters: {}\n" : "quantize_parameters:\n";
  for (const TensorParameters& tensor : config.parameters) {
    text += fmt::format("    {}:\n        qtype: {}\n        qmethod: {}\n        dtype: {}\n", key_text(tensor.name),
                        tensor.qtype, tensor.qmethod, tensor.dtype);
    text += list_text("min", tensor.min) + list_text("max", tensor.max) + list_text("scale", tensor.scale) +
            list_text("zero_point", tensor.zero_point) + list_text("ori_min", tensor.ori_min) +
            list_text("ori_max", tensor.ori_max);
  }
  return text;
}

HybridConfig parse_hybrid_config(std::string_view text, const std::string& file) {
  return Parser(file).parse(parse_yaml_tree(
      text, file,
      "write names, numbers and lists, and indent with blanks, as step 1 did: one `    name: dtype` a line under "
      "custom_quantize_layers:"));
}

}  // namespace openrknn
