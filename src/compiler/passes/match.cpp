#include "compiler/passes/match.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace openrknn::passes {
namespace {

constexpr double kTolerance = 1e-4;

bool is_commutative(std::string_view op) { return op == "Add" || op == "Mul" || op == "Max" || op == "Min"; }

/// Every way in which `value` can be read as `pattern`, on top of what `state` already fixed. Expressions are small,
/// so that listing the ways is simpler than backtracking.
std::vector<Match> extend(const Graph& graph, const Match& state, ValueId value, const Pattern& pattern);

std::vector<Match> extend_inputs(const Graph& graph, const Match& state, const std::vector<ValueId>& inputs,
                                 const std::vector<Pattern>& patterns) {
  std::vector<Match> states = {state};
  for (size_t i = 0; i < patterns.size(); ++i) {
    std::vector<Match> next;
    for (const Match& one : states) {
      for (Match& longer : extend(graph, one, inputs[i], patterns[i])) next.push_back(std::move(longer));
    }
    states = std::move(next);
  }
  return states;
}

std::vector<Match> extend_op(const Graph& graph, Match state, ValueId value, const Pattern& pattern) {
  const NodeId id = producer(graph, value, pattern.op);
  if (id == NodeId::None || !is_float(graph, value)) return {};
  std::vector<ValueId> inputs = graph[id].inputs;
  while (!inputs.empty() && inputs.back() == ValueId::None) inputs.pop_back();
  if (inputs.size() != pattern.parts.size()) return {};
  if (!pattern.name.empty()) {
    const auto [found, added] = state.named.emplace(pattern.name, id);
    if (!added && found->second != id) return {};
  }
  if (std::find(state.nodes.begin(), state.nodes.end(), id) == state.nodes.end()) state.nodes.push_back(id);
  std::vector<Match> ways = extend_inputs(graph, state, inputs, pattern.parts);
  if (is_commutative(pattern.op) && inputs.size() == 2 && inputs[0] != inputs[1]) {
    std::swap(inputs[0], inputs[1]);
    for (Match& way : extend_inputs(graph, state, inputs, pattern.parts)) ways.push_back(std::move(way));
  }
  return ways;
}

std::vector<Match> extend(const Graph& graph, const Match& state, ValueId value, const Pattern& pattern) {
  if (value == ValueId::None) return {};
  switch (pattern.kind) {
    case Pattern::Kind::Constant:
      if (content(graph, value) == nullptr) return {};
      [[fallthrough]];
    case Pattern::Kind::Any: {
      Match longer = state;
      const auto [found, added] = longer.values.emplace(pattern.name, value);
      if (!added && found->second != value) return {};
      return {std::move(longer)};
    }
    case Pattern::Kind::Number: {
      const std::optional<double> got = scalar(graph, value);
      if (!got || std::abs(*got - pattern.number) > kTolerance * std::abs(pattern.number)) return {};
      return {state};
    }
    case Pattern::Kind::Op:
      return extend_op(graph, state, value, pattern);
    case Pattern::Kind::Either: {
      std::vector<Match> ways;
      for (const Pattern& choice : pattern.parts) {
        for (Match& way : extend(graph, state, value, choice)) ways.push_back(std::move(way));
      }
      return ways;
    }
  }
  return {};
}

/// Nothing outside the match reads what it computes on the way to `result`.
bool is_closed(const Graph& graph, const Match& match, ValueId result) {
  const auto inside = [&](NodeId id) {
    return std::find(match.nodes.begin(), match.nodes.end(), id) != match.nodes.end();
  };
  for (const NodeId id : match.nodes) {
    for (const ValueId output : graph[id].outputs) {
      if (output == result || output == ValueId::None) continue;
      const std::span<const NodeId> users = graph.users(output);
      if (graph.is_output(output) || !std::all_of(users.begin(), users.end(), inside)) return false;
    }
  }
  return true;
}

}  // namespace

Pattern any(std::string_view name) { return {.kind = Pattern::Kind::Any, .name = name}; }
Pattern number(double value) { return {.kind = Pattern::Kind::Number, .number = value}; }
Pattern constant(std::string_view name) { return {.kind = Pattern::Kind::Constant, .name = name}; }
Pattern op(std::string_view op, std::vector<Pattern> inputs, std::string_view name) {
  return {.kind = Pattern::Kind::Op, .name = name, .op = op, .parts = std::move(inputs)};
}
Pattern either(std::vector<Pattern> choices) { return {.kind = Pattern::Kind::Either, .parts = std::move(choices)}; }
Pattern divided(const Pattern& x, double value) {
  return either({op("Div", {x, number(value)}), op("Mul", {x, number(1 / value)})});
}

std::optional<Match> match(const Graph& graph, ValueId value, const Pattern& pattern) {
  for (Match& way : extend(graph, {}, value, pattern)) {
    if (is_closed(graph, way, value)) return std::move(way);
  }
  return std::nullopt;
}

bool for_each_match(Graph& graph, std::initializer_list<std::string_view> ops, const std::vector<Pattern>& patterns,
                    const std::function<bool(ValueId result, const Match&)>& change) {
  bool changed = false;
  for (const Pattern& pattern : patterns) {
    const bool here = for_each_node(graph, ops, [&](NodeId id) {
      const ValueId result = graph[id].outputs[0];
      const std::optional<Match> found = match(graph, result, pattern);
      return found && change(result, *found);
    });
    changed = here || changed;
  }
  return changed;
}

void replace(Graph& graph, const Match& match, ValueId result, Node becomes) {
  const NodeId root = graph[result].producer;
  graph[root].op = std::move(becomes.op);
  graph[root].attributes = std::move(becomes.attributes);
  graph.set_inputs(root, std::move(becomes.inputs));
  // Users go before what they read: a node may only be absorbed once nothing reads it.
  std::vector<NodeId> left = match.nodes;
  std::erase(left, root);
  while (!left.empty()) {
    const auto free = std::find_if(left.begin(), left.end(), [&](NodeId id) {
      const std::vector<ValueId>& outputs = graph[id].outputs;
      return std::all_of(outputs.begin(), outputs.end(), [&](ValueId v) { return graph.users(v).empty(); });
    });
    if (free == left.end()) fail(Code::Internal, graph.where(root), "a replaced expression is still in use");
    graph.absorb(*free, std::span(&root, 1));
    left.erase(free);
  }
}

bool replace_function(Graph& graph, const PassContext& context, std::string_view pass, const Function& function) {
  return for_each_node(graph, [&](NodeId id) {
    if (graph[id].outputs.size() != 1) return false;
    const ValueId result = graph[id].outputs[0];
    for (const Pattern& spelling : function.spellings) {
      const std::optional<Match> found = match(graph, result, spelling);
      if (!found || !same_type(graph, result, (*found)["x"])) continue;
      if (function.accepts && !function.accepts(graph, *found)) continue;
      note(context, pass, graph, found->nodes);
      Node node;
      node.op = function.op;
      node.inputs = {(*found)["x"]};
      node.attributes = function.attributes;
      replace(graph, *found, result, std::move(node));
      return true;
    }
    return false;
  });
}

std::pair<double, double> clip_bounds(const Node& node) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (node.op == "Relu") return {0, kInfinity};
  return {float_attribute(node.attributes, "min", -kInfinity), float_attribute(node.attributes, "max", kInfinity)};
}

}  // namespace openrknn::passes
