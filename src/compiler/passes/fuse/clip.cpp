// Min and Max with a number become Clip; Clips and Relus in a row become one; Clip from 0 up is Relu.
#include <algorithm>
#include <cmath>
#include <limits>

#include "compiler/passes/match.h"
#include "compiler/passes/passes.h"

namespace openrknn::passes {
namespace {

void become_clip(Graph& graph, NodeId id, ValueId x, std::pair<double, double> bounds) {
  Node& node = graph[id];
  node.op = bounds == std::pair(0.0, std::numeric_limits<double>::infinity()) ? "Relu" : "Clip";
  node.attributes.clear();
  if (node.op == "Clip") {
    if (std::isfinite(bounds.first)) node.attributes["min"] = bounds.first;
    if (std::isfinite(bounds.second)) node.attributes["max"] = bounds.second;
  }
  graph.set_inputs(id, {x});
}

bool clip_by_constant(Graph& graph, NodeId id) {
  for (const size_t side : {size_t{1}, size_t{0}}) {
    const std::optional<double> bound = scalar(graph, graph[id].inputs[side]);
    const ValueId x = graph[id].inputs[1 - side];
    if (!bound || std::isnan(*bound) || !same_type(graph, x, graph[id].outputs[0])) continue;
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    const bool upper = graph[id].op == "Min";
    become_clip(graph, id, x, upper ? std::pair(-kInfinity, *bound) : std::pair(*bound, kInfinity));
    return true;
  }
  return false;
}

bool join_clips(Graph& graph, NodeId id) {
  const ValueId between = graph[id].inputs[0];
  const NodeId first = producer(graph, between, {"Clip", "Relu"});
  if (first == NodeId::None || !used_once(graph, between)) return false;
  const auto [low, high] = clip_bounds(graph[first]);
  const auto [lower, upper] = clip_bounds(graph[id]);
  const std::pair bounds(std::max(low, lower), std::min(high, upper));
  if (!(bounds.first <= bounds.second)) return false;
  become_clip(graph, id, graph[first].inputs[0], bounds);
  graph.absorb(first, std::span(&id, 1));
  return true;
}

}  // namespace

bool min_max_to_clip(Graph& graph, const PassContext& context) {
  return for_each_node(graph, {"Min", "Max", "Clip", "Relu"}, [&](NodeId id) {
    const std::string& op = graph[id].op;
    if (!is_float(graph, graph[id].outputs[0])) return false;
    const bool two_operands = op == "Min" || op == "Max";
    const bool changed = two_operands ? clip_by_constant(graph, id) : join_clips(graph, id);
    if (changed) note(context, "min_max_to_clip", graph, std::span(&id, 1));
    return changed;
  });
}

}  // namespace openrknn::passes
