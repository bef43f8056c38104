#include "compiler/passes/layer.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace openrknn::passes {
namespace {

/// Output and input channel of every weight, by its flat index.
struct WeightChannels {
  std::function<int64_t(int64_t)> output, input;
};

WeightChannels weight_channels(const Node& node, const Shape& w) {
  if (node.op == "MatMul") {  // [K, N]
    const int64_t columns = w[1];
    return {[=](int64_t i) { return i % columns; }, [=](int64_t i) { return i / columns; }};
  }
  const int64_t group = int_attribute(node.attributes, "group", 1);
  const int64_t second = w[1], kernel = element_count(Shape(w.begin() + 2, w.end()));
  const int64_t first_per_group = w[0] / group;
  const auto first = [=](int64_t i) { return i / (second * kernel); };
  // The second dimension counts within the group of the first.
  const auto grouped = [=](int64_t i) { return first(i) / first_per_group * second + i / kernel % second; };
  if (node.op == "Conv") return {first, grouped};  // [O, I/group, …]
  return {grouped, first};                         // ConvTranspose: [I, O/group, …]
}

void scale_weights(Graph& graph, NodeId id, const std::function<int64_t(int64_t)>& channel,
                   const std::vector<double>& scale) {
  const ValueId former = graph[id].inputs[1];
  const Tensor& weights = *graph[former].constant;
  const std::span<const float> in = weights.values<float>();
  Tensor scaled(DType::Float32, weights.shape());
  const std::span<float> out = scaled.mutable_values<float>();
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<float>(in[i] * scale[static_cast<size_t>(channel(static_cast<int64_t>(i)))]);
  }
  const std::string name = graph[former].name;
  graph.set_input(id, 1, graph.add_constant(name, std::move(scaled)));
}

}  // namespace

std::optional<Layer> as_layer(const Graph& graph, NodeId id, Weights which) {
  if (id == NodeId::None || has_attribute(graph[id].attributes, "activation")) return std::nullopt;
  return as_activated_layer(graph, id, which);
}

std::optional<Layer> as_activated_layer(const Graph& graph, NodeId id, Weights which) {
  if (id == NodeId::None) return std::nullopt;
  const Node& node = graph[id];
  const bool matmul = node.op == "MatMul";
  if (!matmul && node.op != "Conv" && node.op != "ConvTranspose") return std::nullopt;
  const Value& given = graph[node.inputs[1]];
  const bool stays = which == Weights::OrGiven && given.quant && given.constant && given.dtype == DType::Float32;
  const Tensor* weights = stays ? &*given.constant : float_content(graph, node.inputs[1]);
  const bool has_bias = node.inputs.size() > 2 && node.inputs[2] != ValueId::None;
  if (weights == nullptr || (has_bias && float_content(graph, node.inputs[2]) == nullptr)) return std::nullopt;
  if (matmul && weights->rank() != 2) return std::nullopt;
  const Shape &x = graph[node.inputs[0]].shape, &y = graph[node.outputs[0]].shape;
  Layer layer;
  layer.node = id;
  layer.input_axis = matmul ? static_cast<int64_t>(x.size()) - 1 : 1;
  layer.output_axis = matmul ? static_cast<int64_t>(y.size()) - 1 : 1;
  layer.inputs = x[static_cast<size_t>(layer.input_axis)];
  layer.outputs = y[static_cast<size_t>(layer.output_axis)];
  return layer;
}

std::optional<Layer> layer_before(const Graph& graph, ValueId value, Weights which) {
  if (value == ValueId::None || !used_once(graph, value)) return std::nullopt;
  return as_layer(graph, graph[value].producer, which);
}

std::optional<std::vector<double>> along_axis(const Graph& graph, ValueId id, const Shape& shape, int64_t axis) {
  const Tensor* tensor = float_content(graph, id);
  if (tensor == nullptr || tensor->rank() > static_cast<int64_t>(shape.size())) return std::nullopt;
  const size_t missing = shape.size() - tensor->shape().size();
  const size_t channel = static_cast<size_t>(axis);
  for (size_t d = 0; d < tensor->shape().size(); ++d) {
    const int64_t extent = tensor->shape()[d];
    const bool allowed = extent == 1 || (d + missing == channel && extent == shape[channel]);
    if (!allowed) return std::nullopt;
  }
  if (shape[channel] < 0) return std::nullopt;  // depends on data
  std::vector<double> values = to_doubles(*tensor);
  if (values.size() == 1) values.resize(static_cast<size_t>(shape[channel]), values[0]);
  return values;
}

std::vector<double> bias_of(const Graph& graph, const Layer& layer) {
  const Node& node = graph[layer.node];
  if (node.inputs.size() <= 2 || node.inputs[2] == ValueId::None) {
    return std::vector<double>(static_cast<size_t>(layer.outputs));
  }
  return to_doubles(*graph[node.inputs[2]].constant);
}

void set_bias(Graph& graph, const Layer& layer, const std::vector<double>& bias) {
  const Node& node = graph[layer.node];
  const bool has_bias = node.inputs.size() > 2 && node.inputs[2] != ValueId::None;
  const std::string name = has_bias ? graph[node.inputs[2]].name : node.name + "_bias";
  const Tensor content = cast(Tensor::from<double>({layer.outputs}, bias), DType::Float32);
  graph.set_input(layer.node, 2, graph.add_constant(name, content));
}

std::vector<ChannelWeight> channel_weights(const Graph& graph, const Layer& layer) {
  const Node& node = graph[layer.node];
  const Tensor& weights = *graph[node.inputs[1]].constant;
  const WeightChannels channels = weight_channels(node, weights.shape());
  const int64_t kernel = element_count(Shape(weights.shape().begin() + 2, weights.shape().end()));
  const std::span<const float> values = weights.values<float>();
  std::vector<ChannelWeight> result;
  for (int64_t i = 0; i < weights.size(); i += kernel) {
    ChannelWeight one{channels.output(i), channels.input(i)};
    for (const float w : values.subspan(static_cast<size_t>(i), static_cast<size_t>(kernel))) {
      one.largest = std::max(one.largest, std::abs(static_cast<double>(w)));
      one.sum += static_cast<double>(w);
    }
    result.push_back(one);
  }
  return result;
}

void scale_outputs(Graph& graph, const Layer& layer, const std::vector<double>& scale) {
  const Node& node = graph[layer.node];
  scale_weights(graph, layer.node, weight_channels(node, graph[node.inputs[1]].shape).output, scale);
}

void scale_inputs(Graph& graph, const Layer& layer, const std::vector<double>& scale) {
  const Node& node = graph[layer.node];
  scale_weights(graph, layer.node, weight_channels(node, graph[node.inputs[1]].shape).input, scale);
}

void swallow(Graph& graph, const Layer& layer, NodeId next) {
  graph.set_output(layer.node, 0, graph[next].outputs[0]);
  graph.absorb(next, std::span(&layer.node, 1));
}

}  // namespace openrknn::passes
