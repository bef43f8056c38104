// Transpose of Transpose: one with the composed permutation.
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

namespace openrknn::passes {

bool merge_transposes(Graph& graph, const PassContext& context) {
  return for_each_node(graph, {"Transpose"}, [&](NodeId id) {
    const ValueId between = graph[id].inputs[0];
    const NodeId first = producer(graph, between, "Transpose");
    if (first == NodeId::None) return false;
    note(context, "merge_transposes", graph, std::vector{first, id});
    const std::vector<int64_t> inner = ints_attribute(graph[first].attributes, "perm");
    std::vector<int64_t> perm = ints_attribute(graph[id].attributes, "perm");
    for (int64_t& d : perm) d = inner[static_cast<size_t>(d)];
    graph[id].attributes["perm"] = perm;
    graph.set_input(id, 0, graph[first].inputs[0]);
    if (graph.users(between).empty() && !graph.is_output(between)) graph.absorb(first, std::span(&id, 1));
    return true;
  });
}

}  // namespace openrknn::passes
