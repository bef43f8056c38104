// x * c in front of a layer, c one number or one per input channel, goes into the weights. Padding stays right: 0 * c
// is 0.
#include <algorithm>
#include <cmath>

#include "compiler/passes/layer.h"
#include "compiler/passes/passes.h"

namespace openrknn::passes {

bool fold_input_scale(Graph& graph, const PassContext& context) {
  return for_each_node(graph, {"Conv", "ConvTranspose", "MatMul"}, [&](NodeId id) {
    const ValueId scaled = graph[id].inputs[0];
    const NodeId mul = producer(graph, scaled, "Mul");
    const std::optional<Layer> layer = as_layer(graph, id);
    if (mul == NodeId::None || !layer || !used_once(graph, scaled)) return false;
    for (const size_t side : {size_t{0}, size_t{1}}) {
      const ValueId x = graph[mul].inputs[side];
      if (!same_type(graph, x, scaled)) continue;
      const auto factor = along_axis(graph, graph[mul].inputs[1 - side], graph[x].shape, layer->input_axis);
      if (!factor || !std::all_of(factor->begin(), factor->end(), [](double f) { return std::isfinite(f); })) continue;
      note(context, "fold_input_scale", graph, std::vector{mul, id});
      scale_inputs(graph, *layer, *factor);
      graph.set_input(id, 0, x);
      graph.absorb(mul, std::span(&id, 1));
      return true;
    }
    return false;
  });
}

}  // namespace openrknn::passes
