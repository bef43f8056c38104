#include "compiler/quantize/match_rules.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <regex>
#include <set>

#include "compiler/quantize/precision_rules.h"
#include "core/graph/custom.h"

namespace openrknn {
namespace {

using Kind = PrecisionRule::Kind;

/// A layer of the source model, or a node under its present name.
struct Layer {
  std::string_view tensor, node, op;
  std::vector<NodeId> nodes;
};

std::vector<Layer> layers_of(const Graph& golden) {
  std::vector<Layer> layers;
  for (const Origin& origin : golden.origins) layers.push_back({origin.tensor, origin.node, origin.op, {}});
  const std::vector<NodeId> order = golden.order();
  for (const NodeId id : order) {
    for (const int32_t origin : golden[id].origins) layers[static_cast<size_t>(origin)].nodes.push_back(id);
  }
  for (const NodeId id : order) {
    const Node& node = golden[id];
    for (const ValueId output : node.outputs) {
      if (output != ValueId::None) layers.push_back({golden[output].name, node.name, node.op, {id}});
    }
  }
  return layers;
}

bool takes_precision(const Graph& golden, NodeId id) { return gives_reals(golden, id) && golden[id].op != kCustomOp; }

using Predicate = std::function<bool(const Layer&)>;

// Longer ones are no names, and the automaton of an expression recurses over its text.
constexpr size_t kLongestPattern = 1000;

std::optional<std::regex> compile_regex(const PrecisionRule& rule, Diagnostics& problems) {
  std::string reason = fmt::format("it has {} characters, at most {} are taken", rule.pattern.size(), kLongestPattern);
  if (rule.pattern.size() <= kLongestPattern) {
    try {
#ifdef __GLIBCXX__
      // Breadth first: no expression takes exponential time, and no name a deep stack.
      return std::regex(rule.pattern, std::regex::ECMAScript | std::regex_constants::__polynomial);
#else
      return std::regex(rule.pattern);
#endif
    } catch (const std::regex_error& error) {
      reason = error.what();
    }
  }
  problems.add(Code::ConfigBadValue, {},
               fmt::format("precision rule '{}': not a regular expression: {}", to_string(rule), reason),
               "write it as ECMAScript does, without back references; or use glob:");
  return std::nullopt;
}

/// Empty: the rule's pattern is broken.
Predicate predicate_of(const PrecisionRule& rule, Diagnostics& problems) {
  const std::string& pattern = rule.pattern;
  const auto names = [](const Layer& layer, const auto& fits) { return fits(layer.tensor) || fits(layer.node); };
  switch (rule.kind) {
    case Kind::Tensor:
      return [=](const Layer& layer) { return layer.tensor == pattern; };
    case Kind::Glob:
      return [=](const Layer& layer) {
        return names(layer, [&](std::string_view name) { return matches_glob(name, pattern); });
      };
    case Kind::Regex:
      if (const std::optional<std::regex> regex = compile_regex(rule, problems)) {
        return [=](const Layer& layer) {
          return names(layer,
                       [&](std::string_view name) { return std::regex_match(name.begin(), name.end(), *regex); });
        };
      }
      return {};
    case Kind::OpType:
      return [=](const Layer& layer) { return layer.op == pattern; };
  }
  return {};
}

/// Levenshtein's.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

std::string near_names(std::string_view wanted, std::span<const Layer> layers) {
  constexpr size_t kMost = 3, kLongest = 200;
  std::set<std::pair<size_t, std::string_view>> near;
  if (wanted.size() > kLongest) return {};
  for (const Layer& layer : layers) {
    if (layer.nodes.empty()) continue;
    for (const std::string_view name : {layer.tensor, layer.node}) {
      if (name.empty() || name.size() > kLongest) continue;
      const bool holds = wanted.size() > 2 && name.find(wanted) != std::string_view::npos;
      const size_t distance = holds ? 1 : edit_distance(wanted, name);
      if (distance <= std::max<size_t>(2, wanted.size() / 3)) near.insert({distance, name});
    }
  }
  std::vector<std::string> list;
  for (const auto& [distance, name] : near) {
    if (list.size() < kMost) list.push_back(fmt::format("'{}'", name));
  }
  return list.empty() ? std::string() : fmt::format("did you mean {}? ", fmt::join(list, ", "));
}

void refuse_unknown(const Graph& golden, const PrecisionRule& rule, std::span<const Layer> layers,
                    Diagnostics& problems) {
  const ValueId value = golden.find(rule.pattern);
  std::string problem = "no layer has this name";
  if (value != ValueId::None && golden.is_input(value)) {
    problem = "this is an input of the model, not a layer";
  } else if (value != ValueId::None) {
    problem = "this is a constant, not a layer";
  } else if (std::any_of(layers.begin(), layers.end(), [&](const Layer& layer) {
               return layer.tensor == rule.pattern || layer.node == rule.pattern;
             })) {
    problem = "nothing computes this layer any more: it was folded into constants, or nobody needed it";
  }
  problems.add(Code::QuantizeUnknownLayer, Location{.file = {}, .node = {}, .tensor = rule.pattern},
               fmt::format("precision rule '{}': {}", to_string(rule), problem),
               near_names(rule.pattern, layers) + "name the output tensor of a layer of the source model");
}

}  // namespace

bool matches_glob(std::string_view text, std::string_view pattern) {
  size_t t = 0, p = 0, star = std::string_view::npos, resumed = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resumed = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resumed;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

std::string to_string(const PrecisionRule& rule) {
  constexpr std::string_view kPrefixes[] = {"", "glob:", "re:", "op:"};
  if (!rule.source.empty()) return rule.source;
  return fmt::format("{}{}={}", kPrefixes[static_cast<size_t>(rule.kind)], rule.pattern, numpy_name(rule.dtype));
}

std::vector<RuleMatch> match_rules(const Graph& golden, std::span<const PrecisionRule> rules, Diagnostics& problems) {
  std::vector<RuleMatch> matches;
  if (rules.empty()) return matches;
  const std::vector<Layer> layers = layers_of(golden);
  for (const PrecisionRule& rule : rules) {
    RuleMatch& match = matches.emplace_back();
    const Predicate fits = predicate_of(rule, problems);
    if (!fits) continue;
    std::set<NodeId> nodes;
    const auto take = [&](std::string_view name, std::span<const NodeId> found, bool is_origin) {
      bool adds = false, matters = false;
      for (const NodeId id : found) {
        if (rule.kind != Kind::Tensor && !takes_precision(golden, id)) continue;
        matters = true;
        adds = nodes.insert(id).second || adds;
      }
      const bool told = std::find(match.layers.begin(), match.layers.end(), name) != match.layers.end();
      if (matters && (adds || is_origin) && !told) match.layers.emplace_back(name);
    };
    for (size_t i = 0; i < layers.size(); ++i) {
      if (fits(layers[i])) take(layers[i].tensor, layers[i].nodes, i < golden.origins.size());
    }
    // A layer's own name comes second: another layer's tensor may have the same.
    for (size_t i = 0; i < layers.size() && rule.kind == Kind::Tensor && nodes.empty(); ++i) {
      if (layers[i].node == rule.pattern) take(layers[i].tensor, layers[i].nodes, i < golden.origins.size());
    }
    if (nodes.empty() && rule.kind == Kind::Tensor) {
      // A tensor that took another name when a node that only copied it went.
      const ValueId value = golden.find(rule.pattern);
      const NodeId producer = value == ValueId::None ? NodeId::None : golden[value].producer;
      if (producer != NodeId::None) take(rule.pattern, std::span(&producer, 1), true);
    }
    match.nodes.assign(nodes.begin(), nodes.end());
    if (nodes.empty() && rule.kind == Kind::Tensor) refuse_unknown(golden, rule, layers, problems);
  }
  return matches;
}

}  // namespace openrknn
