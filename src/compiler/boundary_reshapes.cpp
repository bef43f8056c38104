#include "compiler/boundary_reshapes.h"

#include <fmt/format.h>

#include "core/graph/schema.h"

namespace openrknn {
namespace {

bool is_reshape(const Graph& graph, NodeId id) { return id != NodeId::None && graph[id].op == "Reshape"; }

/// The order in which the source lays the input out holds for its old dimensions only.
void forget_order(std::vector<std::vector<int>>& orders, size_t index) {
  if (index < orders.size()) orders[index].clear();
}

bool remove_from_input(Graph& graph, size_t index, std::vector<std::string>& warnings) {
  const ValueId input = graph.inputs[index];
  if (graph.users(input).size() != 1 || graph.is_output(input)) return false;
  const NodeId reshape = graph.users(input)[0];
  if (!is_reshape(graph, reshape)) return false;
  const ValueId result = graph[reshape].outputs[0];
  if (graph.is_output(result) || !is_static(graph[result].shape)) return false;
  warnings.push_back(fmt::format("remove_reshape: the shape of input '{}' is {} now, it was {}!", graph[input].name,
                                 to_string(graph[result].shape), to_string(graph[input].shape)));
  graph[input].shape = graph[result].shape;
  forget_order(graph.input_orders, index);
  graph[reshape].attributes["shape"] = graph[result].shape;  // gives its input back, until it is gone
  graph.redirect(result, input);
  graph.absorb(reshape, {});
  return true;
}

bool remove_from_output(Graph& graph, size_t index, std::vector<std::string>& warnings) {
  const ValueId output = graph.outputs[index];
  const NodeId reshape = graph[output].producer;
  if (!is_reshape(graph, reshape) || !graph.users(output).empty()) return false;
  const ValueId before = graph[reshape].inputs[0];
  const bool is_computed = graph[before].producer != NodeId::None && !graph[before].constant;
  if (!is_computed || graph.is_output(before) || !is_static(graph[before].shape)) return false;
  warnings.push_back(fmt::format("remove_reshape: the shape of output '{}' is {} now, it was {}!", graph[output].name,
                                 to_string(graph[before].shape), to_string(graph[output].shape)));
  forget_order(graph.output_orders, index);
  const NodeId producer = graph[before].producer;
  graph.redirect(output, before);  // which takes the output's name
  graph.absorb(reshape, std::span(&producer, 1));
  return true;
}

}  // namespace

void remove_boundary_reshapes(Graph& graph, std::vector<std::string>& warnings) {
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    while (remove_from_input(graph, i, warnings)) {
    }
  }
  for (size_t i = 0; i < graph.outputs.size(); ++i) {
    while (remove_from_output(graph, i, warnings)) {
    }
  }
}

}  // namespace openrknn
