#include "compiler/passes/rewrite.h"

#include <algorithm>

namespace openrknn::passes {

bool for_each_node(Graph& graph, const std::function<bool(NodeId)>& change) {
  bool changed = false;
  for (const NodeId id : graph.order()) {
    if (graph.alive(id)) changed = change(id) || changed;
  }
  return changed;
}

bool for_each_node(Graph& graph, std::initializer_list<std::string_view> ops,
                   const std::function<bool(NodeId)>& change) {
  return for_each_node(
      graph, [&](NodeId id) { return std::find(ops.begin(), ops.end(), graph[id].op) != ops.end() && change(id); });
}

NodeId producer(const Graph& graph, ValueId value, std::string_view op) { return producer(graph, value, {op}); }

NodeId producer(const Graph& graph, ValueId value, std::initializer_list<std::string_view> ops) {
  if (value == ValueId::None) return NodeId::None;
  const NodeId id = graph[value].producer;
  if (id == NodeId::None || std::find(ops.begin(), ops.end(), graph[id].op) == ops.end()) return NodeId::None;
  return has_attribute(graph[id].attributes, "activation") ? NodeId::None : id;
}

bool used_once(const Graph& graph, ValueId value) { return graph.users(value).size() == 1 && !graph.is_output(value); }

bool same_type(const Graph& graph, ValueId a, ValueId b) {
  return graph[a].dtype == graph[b].dtype && graph[a].shape == graph[b].shape && graph[a].quant == graph[b].quant;
}

bool is_float(const Graph& graph, ValueId value) { return is_floating(graph[value].dtype) && !graph[value].quant; }

const Tensor* content(const Graph& graph, ValueId value) {
  if (value == ValueId::None || !graph[value].constant || graph[value].quant) return nullptr;
  return &*graph[value].constant;
}

const Tensor* float_content(const Graph& graph, ValueId value) {
  const Tensor* tensor = content(graph, value);
  return tensor && tensor->dtype() == DType::Float32 ? tensor : nullptr;
}

std::optional<double> scalar(const Graph& graph, ValueId value) {
  const Tensor* tensor = content(graph, value);
  if (tensor == nullptr || tensor->size() != 1 || !is_floating(tensor->dtype())) return std::nullopt;
  return to_doubles(*tensor)[0];
}

bool bypass(Graph& graph, NodeId node, ValueId same) {
  const ValueId result = graph[node].outputs[0];
  const NodeId heir = graph[same].producer;
  const bool has_own_name = graph.is_input(same) || graph.is_output(same) || heir == NodeId::None;
  if (graph.is_output(result) && has_own_name) return false;
  graph.redirect(result, same);
  graph.absorb(node, heir == NodeId::None ? std::span<const NodeId>() : std::span(&heir, 1));
  return true;
}

void note(const PassContext& context, std::string_view pass, const Graph& graph, std::span<const NodeId> nodes) {
  if (!context.note) return;
  std::string line(pass);
  for (size_t i = 0; i < nodes.size(); ++i) line += (i == 0 ? ": " : " + ") + graph[nodes[i]].name;
  context.note(line);
}

}  // namespace openrknn::passes
