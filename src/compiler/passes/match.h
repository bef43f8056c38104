// Patterns of values: what an expression looks like, written as it is computed.
//
//   const Pattern x = any("x");
//   const std::optional<Match> found = match(graph, value, op("Mul", {x, op("Sigmoid", {x})}));
//
// Add, Mul, Max and Min match with their operands in either order. A name used twice must be the same value.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "compiler/passes/rewrite.h"

namespace openrknn::passes {

struct Pattern {
  enum class Kind : uint8_t { Any, Number, Constant, Op, Either };
  Kind kind = Kind::Any;
  std::string_view name = {};  ///< how the match calls the value or node; empty: not remembered
  std::string_view op = {};
  double number = 0;
  std::vector<Pattern> parts = {};
};
Pattern any(std::string_view name);
/// A constant with one element that is `value`, give or take 1e-4 of it (exporters round sqrt(2) as they like).
Pattern number(double value);
/// A value with known content.
Pattern constant(std::string_view name);
/// A node without fused activation and with exactly these inputs; `name` remembers the node.
Pattern op(std::string_view op, std::vector<Pattern> inputs, std::string_view name = {});
Pattern either(std::vector<Pattern> choices);
/// x / value, also written as x * (1 / value).
Pattern divided(const Pattern& x, double value);

struct Match {
  std::map<std::string_view, ValueId> values;
  std::map<std::string_view, NodeId> named;
  std::vector<NodeId> nodes;  ///< every node of the expression, once
  ValueId operator[](std::string_view name) const { return values.at(name); }
  NodeId node(std::string_view name) const { return named.at(name); }
};

/// The value as `pattern`, provided nothing outside reads what the expression computes on its way. All values
/// are floating and not quantized.
std::optional<Match> match(const Graph&, ValueId, const Pattern&);

/// Tries the patterns one after another on the nodes of these ops, the longest pattern first: what it leaves has less
/// to match. True if any call of `change` said true.
bool for_each_match(Graph&, std::initializer_list<std::string_view> ops, const std::vector<Pattern>&,
                    const std::function<bool(ValueId result, const Match&)>& change);

/// The node that computes `result` gets the op, inputs and attributes of `becomes`, and absorbs the rest of the matched
/// expression.
void replace(Graph&, const Match&, ValueId result, Node becomes);

/// An elementwise function of x that models spell out in several ways.
struct Function {
  std::string_view op;  ///< what it becomes
  Attributes attributes = {};
  std::vector<Pattern> spellings;  ///< of "x"
  /// Attributes of named nodes, where they matter; null: nothing more to ask.
  bool (*accepts)(const Graph&, const Match&) = nullptr;
};
/// Wherever a spelling matches with x of the result's own type, one node takes its place.
bool replace_function(Graph&, const PassContext&, std::string_view pass, const Function&);

/// Bounds of a Clip or Relu node; infinite where it has none.
std::pair<double, double> clip_bounds(const Node&);

}  // namespace openrknn::passes
