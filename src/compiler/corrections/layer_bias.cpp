#include "compiler/corrections/layer_bias.h"

namespace openrknn::corrections {

bool has_bias(const Node& node) { return node.inputs.size() > 2 && node.inputs[2] != ValueId::None; }

void put_bias(Graph& graph, NodeId id, Tensor bias, std::optional<QuantParams> quant) {
  const bool had = has_bias(graph[id]);
  const bool own = had && graph.users(graph[id].inputs[2]).size() == 1 && !graph.is_output(graph[id].inputs[2]);
  if (!own) {
    std::vector<ValueId> inputs = graph[id].inputs;
    if (inputs.size() < 3) inputs.resize(3, ValueId::None);
    const std::string name = had ? graph[inputs[2]].name : graph[id].name + "_bias";
    inputs[2] = graph.add_constant(name, bias);
    graph.set_inputs(id, std::move(inputs));
  }
  Value& value = graph[graph[id].inputs[2]];
  value.dtype = bias.dtype();
  value.constant = std::move(bias);
  value.quant = std::move(quant);
}

}  // namespace openrknn::corrections
