// Nodes whose inputs are all known are computed now; content that inference has proven needs no producer.
#include <algorithm>

#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

namespace openrknn::passes {
namespace {

/// A result larger than this and than all inputs together stays computed at run time: the model would only grow.
constexpr int64_t kLargestGrowth = 1 << 20;  // bytes

bool is_known(const Graph& graph, ValueId id) { return id == ValueId::None || graph[id].constant.has_value(); }

int64_t bytes_of(const Graph& graph, const std::vector<ValueId>& values) {
  int64_t total = 0;
  for (const ValueId id : values) {
    if (id == ValueId::None) continue;
    if (!is_static(graph[id].shape)) return INT64_MAX;
    total += byte_size(graph[id].dtype, element_count(graph[id].shape));
  }
  return total;
}

/// Fills in the content of the node's outputs; false if it cannot be had.
bool compute(Graph& graph, NodeId id, const PassContext& context) {
  const Node& node = graph[id];
  const auto known = [&](ValueId value) { return is_known(graph, value); };
  if (std::all_of(node.outputs.begin(), node.outputs.end(), known)) return true;
  if (!context.evaluate || !std::all_of(node.inputs.begin(), node.inputs.end(), known)) return false;
  const int64_t after = bytes_of(graph, node.outputs);
  if (after > kLargestGrowth && after > bytes_of(graph, node.inputs)) return false;
  std::optional<std::vector<Tensor>> content = context.evaluate(graph, id);
  if (!content || content->size() < node.outputs.size()) return false;
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] != ValueId::None) graph[node.outputs[i]].constant = std::move((*content)[i]);
  }
  return true;
}

}  // namespace

bool fold_constants(Graph& graph, const PassContext& context) {
  return for_each_node(graph, [&](NodeId id) {
    const std::vector<ValueId> outputs = graph[id].outputs;
    // An output of the graph keeps its producer: a port is computed, even if always to the same numbers.
    if (std::any_of(outputs.begin(), outputs.end(), [&](ValueId v) { return graph.is_output(v); })) return false;
    if (!compute(graph, id, context)) return false;
    note(context, "fold_constants", graph, std::span(&id, 1));
    for (const ValueId value : outputs) {
      if (value != ValueId::None) graph.make_constant(value, *graph[value].constant);
    }
    graph.absorb(id, {});
    return true;
  });
}

}  // namespace openrknn::passes
