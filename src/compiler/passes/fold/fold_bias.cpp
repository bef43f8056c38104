// layer + c becomes the layer's bias, if it has none yet: the kernel adds it last, with the same rounding.
#include "compiler/passes/layer.h"
#include "compiler/passes/passes.h"

namespace openrknn::passes {

bool fold_bias(Graph& graph, const PassContext& context) {
  return for_each_node(graph, {"Add"}, [&](NodeId id) {
    if (has_attribute(graph[id].attributes, "activation")) return false;
    for (const size_t side : {size_t{0}, size_t{1}}) {
      const ValueId sum = graph[id].inputs[side], addend = graph[id].inputs[1 - side];
      const std::optional<Layer> layer = layer_before(graph, sum, Weights::OrGiven);
      if (!layer || !same_type(graph, sum, graph[id].outputs[0])) continue;
      const std::vector<ValueId>& inputs = graph[layer->node].inputs;
      if (inputs.size() > 2 && inputs[2] != ValueId::None) continue;
      const auto bias = along_axis(graph, addend, graph[sum].shape, layer->output_axis);
      if (!bias) continue;
      note(context, "fold_bias", graph, std::vector{layer->node, id});
      set_bias(graph, *layer, *bias);
      swallow(graph, *layer, id);
      return true;
    }
    return false;
  });
}

}  // namespace openrknn::passes
