#include "core/executor/needed_nodes.h"

namespace openrknn {

std::vector<NodeId> needed_nodes(const Graph& graph) {
  std::vector<bool> needed(static_cast<size_t>(graph.node_count()));
  std::vector<ValueId> open = graph.outputs;
  while (!open.empty()) {
    const ValueId id = open.back();
    open.pop_back();
    if (id == ValueId::None || graph[id].constant || graph[id].producer == NodeId::None) continue;
    const NodeId producer = graph[id].producer;
    if (needed[static_cast<size_t>(producer)]) continue;
    needed[static_cast<size_t>(producer)] = true;
    open.insert(open.end(), graph[producer].inputs.begin(), graph[producer].inputs.end());
  }
  std::vector<NodeId> nodes;
  for (const NodeId id : graph.order()) {
    if (needed[static_cast<size_t>(id)]) nodes.push_back(id);
  }
  return nodes;
}

}  // namespace openrknn
