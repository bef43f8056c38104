// Values whose channels belong together form a space: what a layer gives, every channel-wise operator behind it, and
// what the next layers read. A channel leaves a whole space or none of it. It may leave if it is zero in all of the
// space, or if every layer that reads the space multiplies it with zeros.
#include "compiler/passes/prune_channels.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <set>

#include "compiler/passes/layer.h"
#include "core/graph/products.h"

namespace openrknn {
namespace {

using namespace passes;  // NOLINT(google-build-using-namespace)

// f(0) = 0: a zero channel stays one.
constexpr std::array<std::string_view, 14> kKeepZero = {"Relu", "LeakyRelu", "SiLU",     "HardSwish",  "Tanh",
                                                        "Gelu", "Mish",      "Elu",      "Neg",        "Abs",
                                                        "Sqrt", "MaxPool",   "Softsign", "AveragePool"};
constexpr std::array<std::string_view, 6> kLoseZero = {"Sigmoid", "HardSigmoid", "Softplus", "Exp", "Cos", "Erf"};
constexpr std::array<std::string_view, 3> kPools = {"GlobalAveragePool", "GlobalMaxPool", "Resize"};
constexpr std::array<std::string_view, 3> kPairs = {"Add", "Sub", "Mul"};

template <size_t N>
bool is_in(const std::array<std::string_view, N>& list, std::string_view op) {
  return std::ranges::find(list, op) != list.end();
}

/// The function keeps 0 and what is below it, if `also_below`, at 0.
bool gives_zero(const Node& node, std::string_view op, std::string_view prefix, double at) {
  if (op.empty()) return at == 0;
  if (op == "Relu") return at <= 0;
  if (op == "Clip") {
    const double low = float_attribute(node.attributes, fmt::format("{}min", prefix), -1e300);
    const double high = float_attribute(node.attributes, fmt::format("{}max", prefix), 1e300);
    return std::clamp(at, low, std::max(low, high)) == 0;
  }
  return at == 0 && (is_in(kKeepZero, op));
}

/// A convolution with one kernel a channel.
bool is_depthwise(const Graph& graph, const Node& node) {
  if (node.op != "Conv") return false;
  const int64_t channels = graph[node.inputs[0]].shape[1];
  return channels > 1 && int_attribute(node.attributes, "group", 1) == channels &&
         graph[node.outputs[0]].shape[1] == channels;
}

/// The layer, if all its inputs meet all its outputs.
std::optional<Layer> dense_layer(const Graph& graph, NodeId id) {
  const std::optional<Layer> layer = as_activated_layer(graph, id);
  if (!layer || int_attribute(graph[id].attributes, "group", 1) != 1) return std::nullopt;
  return layer;
}

class Spaces {
 public:
  explicit Spaces(const Graph& graph) : graph_(graph), parent_(static_cast<size_t>(graph.value_count())) {
    std::iota(parent_.begin(), parent_.end(), 0);
    for (const ValueId id : graph.inputs) block(id);
    for (const ValueId id : graph.outputs) block(id);
    for (const NodeId id : graph.order()) join(id);
  }

  struct Space {
    std::vector<std::pair<NodeId, Layer>> producers, readers;
    std::vector<NodeId> channelwise;
    int64_t channels = 0;
    bool blocked = false;
  };
  std::map<int, Space> take() {
    std::map<int, Space> spaces;
    for (const auto& [id, layer] : layers_) {
      const Node& node = graph_[id];
      spaces[find(node.outputs[0])].producers.emplace_back(id, layer);
      spaces[find(node.outputs[0])].channels = layer.outputs;
      spaces[find(node.inputs[0])].readers.emplace_back(id, layer);
    }
    for (const NodeId id : channelwise_) spaces[find(graph_[id].outputs[0])].channelwise.push_back(id);
    for (const ValueId id : blocked_) spaces[find(id)].blocked = true;
    return spaces;
  }

 private:
  int find(ValueId id) {
    int at = static_cast<int>(id);
    while (parent_[static_cast<size_t>(at)] != at) {
      at = parent_[static_cast<size_t>(at)] = parent_[static_cast<size_t>(parent_[static_cast<size_t>(at)])];
    }
    return at;
  }
  void unite(ValueId a, ValueId b) { parent_[static_cast<size_t>(find(a))] = find(b); }
  void block(ValueId id) { blocked_.push_back(id); }

  bool has_channels(ValueId id) const { return graph_[id].shape.size() == 4; }

  /// A constant of one number, or of one a channel.
  bool is_per_channel(ValueId id, int64_t channels) const {
    const Value& value = graph_[id];
    if (float_content(graph_, id) == nullptr) return false;
    if (value.constant->size() == 1) return true;
    const Shape& shape = value.shape;
    return value.constant->size() == channels && shape.size() >= 3 && shape[shape.size() - 3] == channels;
  }

  void join(NodeId id) {
    const Node& node = graph_[id];
    if (const std::optional<Layer> layer = dense_layer(graph_, id)) {
      layers_.emplace_back(id, *layer);
      // Matrices hold their channels last, channel-wise operators below take the second dimension for them.
      if (node.op == "MatMul" && (has_channels(node.inputs[0]) || has_channels(node.outputs[0]))) {
        block(node.inputs[0]);
        block(node.outputs[0]);
      }
      return;
    }
    if (!join_channelwise(node)) {
      for (const auto* list : {&node.inputs, &node.outputs}) {
        for (const ValueId value : *list) {
          if (value != ValueId::None && !graph_[value].constant) block(value);
        }
      }
      return;
    }
    channelwise_.push_back(id);
  }

  bool join_channelwise(const Node& node) {
    if (node.outputs.size() != 1 || !has_channels(node.outputs[0])) return false;
    const ValueId y = node.outputs[0], x = node.inputs[0];
    const int64_t channels = graph_[y].shape[1];
    const auto fits = [&](ValueId value) { return has_channels(value) && graph_[value].shape[1] == channels; };
    const bool depthwise = is_depthwise(graph_, node) && as_activated_layer(graph_, producer_of(y)).has_value();
    if (depthwise || is_in(kKeepZero, node.op) || is_in(kLoseZero, node.op) || is_in(kPools, node.op) ||
        node.op == "Clip" || (node.op == "PRelu" && is_per_channel(node.inputs[1], channels))) {
      if (graph_[x].constant || !fits(x)) return false;
      unite(x, y);
      return true;
    }
    if (!is_in(kPairs, node.op)) return false;
    for (const ValueId input : node.inputs) {
      if (graph_[input].constant ? !is_per_channel(input, channels) : !fits(input)) return false;
    }
    for (const ValueId input : node.inputs) {
      if (!graph_[input].constant) unite(input, y);
    }
    return true;
  }
  NodeId producer_of(ValueId id) const { return graph_[id].producer; }

  const Graph& graph_;
  std::vector<int> parent_;
  std::vector<ValueId> blocked_;
  std::vector<std::pair<NodeId, Layer>> layers_;
  std::vector<NodeId> channelwise_;
};

/// Channels of the layer's output whose weights are all zero and whose result is.
std::vector<bool> zero_outputs(const Graph& graph, NodeId id, const Layer& layer) {
  std::vector<bool> zero(static_cast<size_t>(layer.outputs), true);
  for (const ChannelWeight& weight : channel_weights(graph, layer)) {
    if (weight.largest != 0) zero[static_cast<size_t>(weight.output)] = false;
  }
  const std::vector<double> bias = bias_of(graph, layer);
  const std::string function = string_attribute(graph[id].attributes, "activation", "");
  for (size_t c = 0; c < zero.size(); ++c) {
    zero[c] = zero[c] && gives_zero(graph[id], function, "activation_", bias[c]);
  }
  return zero;
}

/// Channels that stay zero where they are zero.
std::vector<bool> kept_zeros(const Graph& graph, NodeId id, int64_t channels) {
  const Node& node = graph[id];
  std::vector<bool> kept(static_cast<size_t>(channels), true);
  const auto clear_unless = [&](const auto& keeps) {
    for (size_t c = 0; c < kept.size(); ++c) kept[c] = kept[c] && keeps(c);
  };
  if (is_in(kLoseZero, node.op)) clear_unless([](size_t) { return false; });
  if (node.op == "Clip") clear_unless([&](size_t) { return gives_zero(node, "Clip", "", 0); });
  if (node.op == "Conv") {
    const std::vector<double> bias = bias_of(graph, *as_activated_layer(graph, id));
    const std::string function = string_attribute(node.attributes, "activation", "");
    clear_unless([&](size_t c) { return gives_zero(node, function, "activation_", bias[c]); });
  }
  if (node.op == "Add" || node.op == "Sub") {
    for (const ValueId input : node.inputs) {
      if (!graph[input].constant) continue;
      const std::vector<double> numbers = to_doubles(*graph[input].constant);
      clear_unless([&](size_t c) { return numbers[numbers.size() == 1 ? 0 : c] == 0; });
    }
  }
  const std::string function = string_attribute(node.attributes, "activation", "");
  if (is_in(kPairs, node.op)) clear_unless([&](size_t) { return gives_zero(node, function, "activation_", 0); });
  return kept;
}

/// The channels of a space that may leave it.
std::vector<bool> removable(const Graph& graph, const Spaces::Space& space) {
  const auto count = static_cast<size_t>(space.channels);
  std::vector<bool> zero(count, true), unread(count, !space.readers.empty());
  for (const auto& [id, layer] : space.producers) {
    const std::vector<bool> of_layer = zero_outputs(graph, id, layer);
    for (size_t c = 0; c < count; ++c) zero[c] = zero[c] && of_layer[c];
  }
  for (const NodeId id : space.channelwise) {
    const std::vector<bool> kept = kept_zeros(graph, id, space.channels);
    for (size_t c = 0; c < count; ++c) zero[c] = zero[c] && kept[c];
  }
  for (const auto& [id, layer] : space.readers) {
    for (const ChannelWeight& weight : channel_weights(graph, layer)) {
      if (weight.largest != 0) unread[static_cast<size_t>(weight.input)] = false;
    }
  }
  std::vector<bool> result(count);
  for (size_t c = 0; c < count; ++c) result[c] = zero[c] || unread[c];
  if (std::ranges::find(result, false) == result.end() && count > 0) result[0] = false;
  return result;
}

/// The tensor without some indices of one axis.
Tensor without(const Tensor& tensor, size_t axis, const std::vector<bool>& leaving) {
  Shape shape = tensor.shape();
  const auto kept = static_cast<int64_t>(std::ranges::count(leaving, false));
  const int64_t extent = shape[axis];
  int64_t outer = 1, inner = 1;
  for (size_t i = 0; i < axis; ++i) outer *= shape[i];
  for (size_t i = axis + 1; i < shape.size(); ++i) inner *= shape[i];
  shape[axis] = kept;
  Tensor result(DType::Float32, shape);
  const std::span<const float> from = tensor.values<float>();
  const std::span<float> to = result.mutable_values<float>();
  auto next = to.begin();
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t c = 0; c < extent; ++c) {
      if (leaving[static_cast<size_t>(c)]) continue;
      const auto row = from.begin() + (o * extent + c) * inner;
      next = std::copy(row, row + inner, next);
    }
  }
  return result;
}

void cut(Graph& graph, NodeId id, size_t input, size_t axis, const std::vector<bool>& leaving) {
  if (input >= graph[id].inputs.size() || graph[id].inputs[input] == ValueId::None) return;
  const Value& former = graph[graph[id].inputs[input]];
  if (former.constant->size() == 1 && leaving.size() != 1) return;  // one number for all channels
  const std::string name = former.name;
  graph.set_input(id, input, graph.add_constant(name, without(*former.constant, axis, leaving)));
}

void cut_space(Graph& graph, const Spaces::Space& space, const std::vector<bool>& leaving) {
  for (const auto& [id, layer] : space.producers) {
    const std::string& op = graph[id].op;
    cut(graph, id, 1, op == "Conv" ? 0 : 1, leaving);  // Conv [O, I], ConvTranspose [I, O], MatMul [K, N]
    cut(graph, id, 2, 0, leaving);
  }
  for (const auto& [id, layer] : space.readers) cut(graph, id, 1, graph[id].op == "Conv" ? 1 : 0, leaving);
  const auto kept = static_cast<int64_t>(std::ranges::count(leaving, false));
  for (const NodeId id : space.channelwise) {
    Node& node = graph[id];
    if (node.op == "Conv") {
      node.attributes["group"] = kept;
      cut(graph, id, 1, 0, leaving);
      cut(graph, id, 2, 0, leaving);
      continue;
    }
    if (node.op == "Resize") {
      std::vector<int64_t> sizes = ints_attribute(node.attributes, "sizes");
      if (sizes.size() == 4) sizes[1] = kept;
      node.attributes["sizes"] = sizes;
    }
    for (size_t i = 0; i < graph[id].inputs.size(); ++i) {
      const ValueId input = graph[id].inputs[i];
      if (!graph[input].constant) continue;
      cut(graph, id, i, graph[input].shape.size() - (graph[input].shape.size() >= 3 ? 3 : 1), leaving);
    }
  }
  for (const NodeId id : graph.order()) infer(graph, id);
}

int64_t weights_of(const Graph& graph) {
  std::set<ValueId> seen;
  int64_t total = 0;
  for (const NodeId id : graph.order()) {
    for (const ValueId input : graph[id].inputs) {
      if (input != ValueId::None && graph[input].constant && seen.insert(input).second) {
        total += graph[input].constant->size();
      }
    }
  }
  return total;
}

int64_t all_products(const Graph& graph) {
  int64_t total = 0;
  for (const NodeId id : graph.order()) total += products_of(graph, graph[id]);
  return total;
}

}  // namespace

PruningResult prune_channels(Graph& graph, const PassContext& context) {
  PruningResult result{.all_weights = weights_of(graph), .all_products = all_products(graph)};
  bool changed = true;
  while (changed) {  // a layer without channels that nobody reads may leave others unread
    changed = false;
    for (const auto& [root, space] : Spaces(graph).take()) {
      if (space.blocked || space.channels < 2 || space.producers.empty()) continue;
      const std::vector<bool> leaving = removable(graph, space);
      const auto count = static_cast<int64_t>(std::ranges::count(leaving, true));
      if (count == 0) continue;
      if (context.note) {
        context.note(fmt::format("model_pruning: {} of {} channels of {}", count, space.channels,
                                 graph[space.producers.front().first].name));
      }
      cut_space(graph, space, leaving);
      result.channels += count;
      changed = true;
      break;  // the spaces hold what was before
    }
  }
  graph.remove_unused();
  result.weights = result.all_weights - weights_of(graph);
  result.products = result.all_products - all_products(graph);
  return result;
}

std::string pruning_text(const PruningResult& result) {
  if (result.channels == 0) return "";
  const auto line = [](std::string_view label, int64_t saved, int64_t all, double unit, std::string_view name) {
    return fmt::format("    {}: -{:.5f}{} (-{:.1f}%)", label, static_cast<double>(saved) / unit, name,
                       all > 0 ? 100.0 * static_cast<double>(saved) / static_cast<double>(all) : 0.0);
  };
  return "model_pruning results:\n" + line("Weight", result.weights * 4, result.all_weights * 4, 1e6, " MB") + "\n" +
         line("GFLOPs", result.products * 2, result.all_products * 2, 1e9, "");
}

}  // namespace openrknn
