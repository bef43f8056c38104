// High-bias absorption (Nagel et al. 2019, section 4.1.3): a channel that is never below c in front of a Relu wastes
// the codes from 0 to c. Relu(x - c) = Relu(x) - c wherever x >= c, so c moves from the bias of the layer before into
// that of the layer behind.
//
// c is taken from the samples: below the lowest number the channel showed, so that nothing changes for them. An input
// that goes lower than c is clipped there, so no more is moved than makes the tensor's range narrower. Padding behind
// would pad with 0 where c was meant, which no bias can mend: such layers are left alone.
#include <algorithm>
#include <vector>

#include "compiler/corrections/float_corrections.h"
#include "compiler/passes/layer.h"

namespace openrknn::corrections {
namespace {

using passes::as_layer, passes::bias_of, passes::channel_weights, passes::ChannelWeight, passes::Layer,
    passes::set_bias, passes::used_once;

/// Narrowing the range by less would buy less than a tenth of a bit.
constexpr double kLeastGain = 1.0 / 16;
/// Of a channel's span, this stays below the lowest number it showed: other inputs go lower.
constexpr double kMargin = 1.0 / 8;

struct LayerPair {
  Layer first, second;
};

bool has_padding(const Node& node) {
  const std::vector<int64_t> pads = ints_attribute(node.attributes, "pads");
  return std::any_of(pads.begin(), pads.end(), [](int64_t pad) { return pad != 0; });
}

/// f(x - c) = f(x) - c for every channel's constant c (for Relu: where x >= c).
bool keeps_shifts(const Node& node) {
  if (node.outputs.size() != 1) return false;
  if (node.op == "Relu" || node.op == "MaxPool" || node.op == "GlobalMaxPool" || node.op == "GlobalAveragePool") {
    return true;
  }
  return node.op == "AveragePool" &&
         (int_attribute(node.attributes, "count_include_pad", 0) == 0 || !has_padding(node));
}

/// Every result sees all weights of its channels.
bool sees_whole_kernel(const Node& node) { return node.op == "MatMul" || (node.op == "Conv" && !has_padding(node)); }

std::optional<Layer> find_layer_keeping_shifts(const Graph& graph, ValueId value) {
  while (value != ValueId::None && used_once(graph, value) && graph[value].producer != NodeId::None) {
    if (const std::optional<Layer> layer = as_layer(graph, graph[value].producer)) return layer;
    const Node& node = graph[graph[value].producer];
    if (!keeps_shifts(node)) return std::nullopt;
    value = node.inputs[0];
  }
  return std::nullopt;
}

std::vector<LayerPair> pairs_of(const Graph& graph) {
  std::vector<LayerPair> pairs;
  for (const NodeId id : graph.order()) {
    const std::optional<Layer> second = as_layer(graph, id);
    if (!second || !sees_whole_kernel(graph[id])) continue;
    const std::optional<Layer> first = find_layer_keeping_shifts(graph, graph[id].inputs[0]);
    if (first && first->outputs == second->inputs) pairs.push_back({*first, *second});
  }
  return pairs;
}

/// What the channel never falls below, with some room.
double floor_of(const ChannelRange& channel) {
  const double lowest = channel.lowest, highest = channel.highest;
  return std::max(0.0, lowest - kMargin * (highest - lowest));
}

/// What is taken from each channel; empty if the range would not become narrower.
std::vector<double> absorbed(const ChannelRanges& seen) {
  double highest = 0, narrowed = 0;
  for (const ChannelRange& channel : seen) {
    const double most = std::max(0.0F, channel.highest);
    highest = std::max(highest, most);
    narrowed = std::max(narrowed, most - floor_of(channel));
  }
  if (highest - narrowed < highest * kLeastGain) return {};
  std::vector<double> result;
  for (const ChannelRange& channel : seen) {
    result.push_back(std::clamp(static_cast<double>(channel.highest) - narrowed, 0.0, floor_of(channel)));
  }
  return result;
}

void move(Graph& graph, const LayerPair& pair, const std::vector<double>& shift) {
  std::vector<double> before = bias_of(graph, pair.first), behind = bias_of(graph, pair.second);
  for (size_t c = 0; c < before.size(); ++c) before[c] -= shift[c];
  for (const ChannelWeight& weight : channel_weights(graph, pair.second)) {
    behind[static_cast<size_t>(weight.output)] += weight.sum * shift[static_cast<size_t>(weight.input)];
  }
  set_bias(graph, pair.first, before);
  set_bias(graph, pair.second, behind);
}

}  // namespace

bool absorb_bias(Graph& graph, const CorrectionContext& context) {
  const std::vector<LayerPair> pairs = pairs_of(graph);
  std::vector<ChannelsOf> asked;
  for (const LayerPair& pair : pairs) asked.push_back({graph[pair.first.node].outputs[0], pair.first.output_axis});
  const std::vector<ChannelRanges> seen = observe_channels(graph, asked, "absorb_bias", *context.observations);
  bool changed = false;
  for (size_t i = 0; i < pairs.size(); ++i) {
    const std::vector<double> shift = absorbed(seen[i]);
    if (shift.empty()) continue;
    move(graph, pairs[i], shift);
    note(context, "absorb_bias", graph, std::vector{pairs[i].first.node, pairs[i].second.node});
    changed = true;
  }
  return changed;
}

}  // namespace openrknn::corrections
