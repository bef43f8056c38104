// What follows a layer as a constant per channel goes into its weights and bias: layer * c, layer + c on top of a
// bias, c - layer, and the Div that division by a constant could not turn into Mul.
#include <cmath>

#include "compiler/passes/layer.h"
#include "compiler/passes/passes.h"

namespace openrknn::passes {
namespace {

/// y = x * factor + term, per channel.
struct Affine {
  std::vector<double> factor, term;
};

std::optional<Affine> affine_of(std::string_view op, bool layer_first, const std::vector<double>& c) {
  Affine affine{std::vector<double>(c.size(), 1), std::vector<double>(c.size(), 0)};
  for (size_t i = 0; i < c.size(); ++i) {
    if (op == "Mul") affine.factor[i] = c[i];
    if (op == "Div") affine.factor[i] = 1 / c[i];
    if (op == "Add") affine.term[i] = c[i];
    if (op == "Sub") affine.factor[i] = layer_first ? 1 : -1;
    if (op == "Sub") affine.term[i] = layer_first ? -c[i] : c[i];
    if (!std::isfinite(affine.factor[i]) || !std::isfinite(affine.term[i])) return std::nullopt;
  }
  return affine;
}

}  // namespace

bool fold_affine(Graph& graph, const PassContext& context) {
  return for_each_node(graph, {"Mul", "Div", "Add", "Sub"}, [&](NodeId id) {
    if (has_attribute(graph[id].attributes, "activation")) return false;
    for (const size_t side : {size_t{0}, size_t{1}}) {
      const std::string& op = graph[id].op;
      if (op == "Div" && side == 1) continue;
      const ValueId x = graph[id].inputs[side];
      const std::optional<Layer> layer = layer_before(graph, x);
      if (!layer || !same_type(graph, x, graph[id].outputs[0])) continue;
      const auto constant = along_axis(graph, graph[id].inputs[1 - side], graph[x].shape, layer->output_axis);
      const auto affine = constant ? affine_of(op, side == 0, *constant) : std::nullopt;
      if (!affine) continue;
      note(context, "fold_affine", graph, std::vector{layer->node, id});
      std::vector<double> bias = bias_of(graph, *layer);
      const bool had_bias = graph[layer->node].inputs.size() > 2 && graph[layer->node].inputs[2] != ValueId::None;
      for (size_t c = 0; c < bias.size(); ++c) bias[c] = bias[c] * affine->factor[c] + affine->term[c];
      if (op != "Add") scale_outputs(graph, *layer, affine->factor);
      if (had_bias || op == "Add" || op == "Sub") set_bias(graph, *layer, bias);
      swallow(graph, *layer, id);
      return true;
    }
    return false;
  });
}

}  // namespace openrknn::passes
