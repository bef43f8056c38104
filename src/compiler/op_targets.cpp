#include "compiler/op_targets.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/vendor_names.h"
#include "core/graph/custom.h"
#include "core/targets/placement.h"

namespace openrknn {
namespace {

/// A tensor that still exists is computed by one node; of others, all that their layer became.
std::vector<NodeId> nodes_of_tensor(const Graph& graph, std::string_view name) {
  if (const ValueId value = graph.find(name); value != ValueId::None && graph[value].producer != NodeId::None) {
    return {graph[value].producer};
  }
  return graph.computing(name);
}

std::vector<NodeId> nodes_of_type(const Graph& graph, std::string_view type) {
  const std::string_view op = operator_named(type);
  std::vector<NodeId> nodes;
  for (const NodeId id : graph.order()) {
    const Node& node = graph[id];
    const bool was = std::ranges::any_of(
        node.origins, [&](int32_t origin) { return graph.origins[static_cast<size_t>(origin)].op == type; });
    if (node.op == op || shown_op(node) == type || (was && node.origins.size() == 1)) nodes.push_back(id);
  }
  return nodes;
}

class Placer {
 public:
  Placer(Graph& graph, const Target& target, std::vector<std::string>& warnings)
      : graph_(graph), target_(target), warnings_(warnings) {}

  void place(const OpTarget& entry, const std::vector<NodeId>& nodes) {
    for (const NodeId id : nodes) {
      Node& node = graph_[id];
      if (entry.place == Placement::Cpu || entry.place == Placement::Gpu) {
        if (!has_cpu_kernel(node.op, family_of(target_))) {
          warnings_.push_back(fmt::format("op_target: {} has no CPU kernel of {}: '{}' stays where it is",
                                          target_.display_name, shown_op(node), node.name));
          continue;
        }
        if (entry.place == Placement::Gpu) {
          warnings_.push_back(fmt::format("op_target: there are no GPU kernels: '{}' runs on the CPU", node.name));
        }
      }
      node.placement = Placement::Auto;
      if (entry.place == Placement::Npu) warn_of_limits(id);
      node.placement = entry.place;
    }
  }

 private:
  void warn_of_limits(NodeId id) {
    const NodePlacement possible = place_node(graph_, id, target_, computing_type(graph_, graph_[id]));
    if (possible.place == Place::Npu) return;
    warnings_.push_back(
        fmt::format("op_target: '{}' is asked onto the NPU, but is {}", graph_[id].name, to_string(possible, target_)));
  }

  Graph& graph_;
  const Target& target_;
  std::vector<std::string>& warnings_;
};

}  // namespace

void place_layers(Graph& graph, const Target& target, const std::vector<OpTarget>& entries,
                  std::vector<std::string>& warnings) {
  Placer placer(graph, target, warnings);
  std::vector<std::pair<const OpTarget*, std::vector<NodeId>>> named;
  for (const OpTarget& entry : entries) {
    if (const std::string layer = layer_named(graph, entry.key); !layer.empty()) {
      named.emplace_back(&entry, nodes_of_tensor(graph, layer));
    } else if (const std::vector<NodeId> nodes = nodes_of_type(graph, entry.key); !nodes.empty()) {
      placer.place(entry, nodes);
    } else {
      warnings.push_back(
          fmt::format("op_target: '{}' is neither a tensor nor an operator type of this model, ignored", entry.key));
    }
  }
  for (const auto& [entry, nodes] : named) placer.place(*entry, nodes);
}

}  // namespace openrknn
