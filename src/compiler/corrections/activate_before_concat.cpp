// A Sigmoid behind a Concat: the layers whose results are joined round to one int8 scale first, and the function blows
// up what they lost. In front of the Concat it becomes part of each layer, which computes it from sixteen bits.
// Detection heads join the logits of all scales and activate them once. The same for Tanh and HardSigmoid; every bit
// stays.
#include <algorithm>
#include <iterator>
#include <string_view>
#include <vector>

#include "compiler/corrections/float_corrections.h"
#include "compiler/passes/layer.h"

namespace openrknn::corrections {
namespace {

using passes::for_each_node, passes::layer_before, passes::used_once;

constexpr std::string_view kMoves[] = {"Concat", "Reshape", "Transpose"};

/// An input of a move, computed by a layer for it alone.
struct Edge {
  NodeId move = NodeId::None;
  size_t input = 0;
};

/// The layers' edges behind which nothing but moves lead to `value`; false if anything else does.
bool find_edges(const Graph& graph, ValueId value, std::vector<Edge>& edges) {
  if (!used_once(graph, value) || graph[value].producer == NodeId::None) return false;
  const NodeId move = graph[value].producer;
  const Node& node = graph[move];
  if (std::find(std::begin(kMoves), std::end(kMoves), node.op) == std::end(kMoves)) return false;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const ValueId input = node.inputs[i];
    if (std::count(node.inputs.begin(), node.inputs.end(), input) > 1) return false;
    if (layer_before(graph, input)) {
      edges.push_back({move, i});
    } else if (!find_edges(graph, input, edges)) {
      return false;
    }
  }
  return true;
}

bool move_forward(Graph& graph, const CorrectionContext& context, NodeId id) {
  const Node function = graph[id];
  std::vector<Edge> edges;
  if (graph.is_output(function.outputs[0]) && graph.is_output(function.inputs[0])) return false;
  if (!find_edges(graph, function.inputs[0], edges)) return false;
  note(context, "activate_before_concat", graph, std::vector{id});
  std::vector<NodeId> parts;
  for (const Edge& edge : edges) {
    const ValueId plain = graph[edge.move].inputs[edge.input];
    Value value{.name = graph[plain].name + "_activated", .dtype = graph[plain].dtype, .shape = graph[plain].shape};
    const ValueId activated = graph.add(std::move(value));
    parts.push_back(graph.add(Node{.name = function.name,
                                   .op = function.op,
                                   .inputs = {plain},
                                   .outputs = {activated},
                                   .attributes = function.attributes}));
    graph.set_input(edge.move, edge.input, activated);
  }
  graph.redirect(function.outputs[0], function.inputs[0]);
  graph.absorb(id, parts);
  return true;
}

}  // namespace

bool activate_before_concat(Graph& graph, const CorrectionContext& context) {
  return for_each_node(graph, {"Sigmoid", "HardSigmoid", "Tanh"},
                       [&](NodeId id) { return move_forward(graph, context, id); });
}

}  // namespace openrknn::corrections
