// BatchNormalization after a layer: y = (x - mean) * s + bias with s = scale / sqrt(variance + epsilon) goes into the
// layer's weights (times s) and bias.
#include <cmath>

#include "compiler/passes/layer.h"
#include "compiler/passes/passes.h"

namespace openrknn::passes {

bool fold_batch_norm(Graph& graph, const PassContext& context) {
  return for_each_node(graph, {"BatchNormalization"}, [&](NodeId id) {
    const std::optional<Layer> layer = layer_before(graph, graph[id].inputs[0]);
    if (!layer || layer->output_axis != 1) return false;  // a MatMul's channels are dimension 1 in rank 2 only
    std::vector<double> parameters[4];                    // scale, bias, mean, variance
    for (size_t i = 0; i < 4; ++i) {
      const Tensor* tensor = float_content(graph, graph[id].inputs[i + 1]);
      if (tensor == nullptr) return false;
      parameters[i] = to_doubles(*tensor);
    }
    const auto& [scale, shift, mean, variance] = parameters;
    const double epsilon = float_attribute(graph[id].attributes, "epsilon", 1e-5);
    std::vector<double> factor(scale.size()), bias = bias_of(graph, *layer);
    for (size_t c = 0; c < factor.size(); ++c) {
      factor[c] = scale[c] / std::sqrt(variance[c] + epsilon);
      bias[c] = (bias[c] - mean[c]) * factor[c] + shift[c];
      if (!std::isfinite(factor[c]) || !std::isfinite(bias[c])) return false;  // left for whoever reports bad weights
    }
    note(context, "fold_batch_norm", graph, std::vector{layer->node, id});
    scale_outputs(graph, *layer, factor);
    set_bias(graph, *layer, bias);
    swallow(graph, *layer, id);
    return true;
  });
}

}  // namespace openrknn::passes
