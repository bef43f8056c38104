// Reshape of Reshape: only the last shape counts.
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

namespace openrknn::passes {

bool merge_reshapes(Graph& graph, const PassContext& context) {
  return for_each_node(graph, {"Reshape"}, [&](NodeId id) {
    const ValueId between = graph[id].inputs[0];
    const NodeId first = producer(graph, between, "Reshape");
    if (first == NodeId::None) return false;
    note(context, "merge_reshapes", graph, std::vector{first, id});
    graph.set_input(id, 0, graph[first].inputs[0]);
    if (graph.users(between).empty() && !graph.is_output(between)) graph.absorb(first, std::span(&id, 1));
    return true;
  });
}

}  // namespace openrknn::passes
