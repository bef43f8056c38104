#include "compiler/corrections/channel_source.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "compiler/passes/layer.h"

namespace openrknn::corrections {
namespace {

using passes::along_axis, passes::as_activated_layer, passes::bias_of, passes::float_content, passes::Layer,
    passes::same_type, passes::scale_outputs, passes::set_bias, passes::used_once;

constexpr std::string_view kKeepScales[] = {"Relu",        "LeakyRelu",         "PRelu",        "MaxPool",
                                            "AveragePool", "GlobalAveragePool", "GlobalMaxPool"};

int64_t last_axis(const Graph& graph, ValueId value) { return static_cast<int64_t>(graph[value].shape.size()) - 1; }

/// No activation, or one that keeps scales.
bool has_scale_keeping_activation(const Node& node) {
  const std::string activation = string_attribute(node.attributes, "activation", "Relu");
  return activation == "Relu" ||
         (activation == "LeakyRelu" && float_attribute(node.attributes, "activation_alpha", 0.01) >= 0);
}

/// Which input of a Mul is a constant per channel of its result.
std::optional<size_t> channel_constant_side(const Graph& graph, const Node& node, int64_t axis) {
  const ValueId result = node.outputs[0];
  for (const size_t side : {size_t{1}, size_t{0}}) {
    if (same_type(graph, node.inputs[1 - side], result) &&
        along_axis(graph, node.inputs[side], graph[result].shape, axis)) {
      return side;
    }
  }
  return std::nullopt;
}

bool can_scale(const Graph& graph, NodeId id, int64_t axis) {
  const Node& node = graph[id];
  if (const std::optional<Layer> layer = as_activated_layer(graph, id)) {
    return layer->output_axis == axis && has_scale_keeping_activation(node);
  }
  if (node.op == "LayerNormalization") {
    const bool has_bias = node.inputs.size() > 2 && node.inputs[2] != ValueId::None;
    return axis == last_axis(graph, node.outputs[0]) && int_attribute(node.attributes, "axis", -1) == axis &&
           float_content(graph, node.inputs[1]) != nullptr &&
           (!has_bias || float_content(graph, node.inputs[2]) != nullptr);
  }
  if (node.op == "Mul")
    return has_scale_keeping_activation(node) && channel_constant_side(graph, node, axis).has_value();
  return false;
}

void multiply(Graph& graph, NodeId id, size_t input, const Shape& shape, const std::vector<double>& scale) {
  const ValueId former = graph[id].inputs[input];
  std::vector<double> values = to_doubles(*graph[former].constant);
  if (values.size() == 1) values.resize(scale.size(), values[0]);
  for (size_t c = 0; c < values.size(); ++c) values[c] *= scale[c];
  const std::string name = graph[former].name;
  graph.set_input(id, input, graph.add_constant(name, cast(Tensor::from<double>(shape, values), DType::Float32)));
}

}  // namespace

bool keeps_channel_scales(const Graph& graph, const Node& node) {
  if (std::find(std::begin(kKeepScales), std::end(kKeepScales), node.op) == std::end(kKeepScales)) return false;
  if (has_attribute(node.attributes, "activation") || node.outputs.size() != 1) return false;
  if (node.op == "LeakyRelu") return float_attribute(node.attributes, "alpha", 0.01) >= 0;
  return node.op != "PRelu" || float_content(graph, node.inputs[1]) != nullptr;
}

NodeId channel_source(const Graph& graph, ValueId value, int64_t axis) {
  for (NodeId id = graph[value].producer; id != NodeId::None; id = graph[value].producer) {
    if (can_scale(graph, id, axis)) return id;
    if (!keeps_channel_scales(graph, graph[id])) return NodeId::None;
    value = graph[id].inputs[0];
    if (!used_once(graph, value)) return NodeId::None;
  }
  return NodeId::None;
}

void scale_channels(Graph& graph, NodeId source, int64_t axis, const std::vector<double>& scale) {
  const auto channels = static_cast<int64_t>(scale.size());
  if (const std::optional<Layer> layer = as_activated_layer(graph, source)) {
    if (graph[source].inputs.size() > 2 && graph[source].inputs[2] != ValueId::None) {
      std::vector<double> bias = bias_of(graph, *layer);
      for (size_t c = 0; c < bias.size(); ++c) bias[c] *= scale[c];
      set_bias(graph, *layer, bias);
    }
    scale_outputs(graph, *layer, scale);
    return;
  }
  if (graph[source].op == "Mul") {
    const size_t side = *channel_constant_side(graph, graph[source], axis);
    Shape shape(graph[graph[source].outputs[0]].shape.size(), 1);
    shape[static_cast<size_t>(axis)] = channels;
    multiply(graph, source, side, shape, scale);
    return;
  }
  for (const size_t input : {size_t{1}, size_t{2}}) {  // LayerNormalization: scale, bias
    if (graph[source].inputs.size() > input && graph[source].inputs[input] != ValueId::None) {
      multiply(graph, source, input, {channels}, scale);
    }
  }
}

}  // namespace openrknn::corrections
