// Cross-layer equalization (Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction",
// 2019, section 4.1): channels between two layers are scaled so that the weights of both use their range alike.
//
// For layers A and B with nothing between them but functions f with f(s x) = s f(x) for s > 0, output channel i of A is
// divided by s[i] and input channel i of B multiplied by it, s[i] = sqrt(largest weight i of A / largest weight i of
// B), over all pairs until nothing moves. The function stays but for the rounding of the new weights.
#include <algorithm>
#include <cmath>
#include <vector>

#include "compiler/corrections/channel_source.h"
#include "compiler/corrections/float_corrections.h"
#include "compiler/passes/layer.h"

namespace openrknn::corrections {
namespace {

using passes::as_layer, passes::bias_of, passes::channel_weights, passes::ChannelWeight, passes::Layer,
    passes::scale_inputs, passes::scale_outputs, passes::set_bias, passes::used_once;

// Scales settle geometrically; a chain of n layers needs about n sweeps.
constexpr int kMostSweeps = 50;
constexpr double kSettled = 1e-3;
// Channels of very small weights are nearly dead: they would take all of the range for noise.
constexpr double kLargestScale = 1e4;

/// A layer and what its channels are multiplied by.
struct Scaled {
  Layer layer;
  std::vector<ChannelWeight> weights;
  std::vector<double> input, output;
};
struct ScaledPair {
  size_t first = 0, second = 0;  ///< of the layers
};
struct Chains {
  std::vector<Scaled> layers;
  std::vector<ScaledPair> pairs;
};

/// The layer before `value`, with only such functions in between, none of which has another reader.
std::optional<Layer> find_layer_keeping_scales(const Graph& graph, ValueId value) {
  while (value != ValueId::None && used_once(graph, value) && graph[value].producer != NodeId::None) {
    if (const std::optional<Layer> layer = as_layer(graph, graph[value].producer)) return layer;
    const Node& node = graph[graph[value].producer];
    if (!keeps_channel_scales(graph, node)) return std::nullopt;
    value = node.inputs[0];
  }
  return std::nullopt;
}

size_t add_layer(Chains& chains, const Graph& graph, const Layer& layer) {
  for (size_t i = 0; i < chains.layers.size(); ++i) {
    if (chains.layers[i].layer.node == layer.node) return i;
  }
  chains.layers.push_back({layer, channel_weights(graph, layer),
                           std::vector<double>(static_cast<size_t>(layer.inputs), 1.0),
                           std::vector<double>(static_cast<size_t>(layer.outputs), 1.0)});
  return chains.layers.size() - 1;
}

Chains chains_of(const Graph& graph) {
  Chains chains;
  for (const NodeId id : graph.order()) {
    const std::optional<Layer> second = as_layer(graph, id);
    if (!second) continue;
    const std::optional<Layer> first = find_layer_keeping_scales(graph, graph[id].inputs[0]);
    if (!first || first->outputs != second->inputs || first->outputs <= 0) continue;
    const size_t before = add_layer(chains, graph, *first);
    chains.pairs.push_back({before, add_layer(chains, graph, *second)});
  }
  return chains;
}

/// The largest weight of each channel of one side, as both sides' channels are scaled now.
std::vector<double> ranges(const Scaled& layer, bool of_outputs) {
  std::vector<double> result(of_outputs ? layer.output.size() : layer.input.size());
  for (const ChannelWeight& w : layer.weights) {
    double& range = result[static_cast<size_t>(of_outputs ? w.output : w.input)];
    range = std::max(
        range, w.largest * layer.output[static_cast<size_t>(w.output)] * layer.input[static_cast<size_t>(w.input)]);
  }
  return result;
}

/// Gives the largest relative change.
double equalize_pair(Scaled& first, Scaled& second) {
  const std::vector<double> out = ranges(first, true), in = ranges(second, false);
  double change = 0;
  for (size_t c = 0; c < out.size(); ++c) {
    if (out[c] == 0 || in[c] == 0) continue;
    const double wanted = second.input[c] * std::sqrt(out[c] / in[c]);
    const double scale = std::clamp(wanted, 1 / kLargestScale, kLargestScale);
    change = std::max(change, std::abs(std::log(scale / second.input[c])));
    second.input[c] = scale;
    first.output[c] = 1 / scale;
  }
  return change;
}

void apply(Graph& graph, const Scaled& scaled) {
  const Node& node = graph[scaled.layer.node];
  if (node.inputs.size() > 2 && node.inputs[2] != ValueId::None) {
    std::vector<double> bias = bias_of(graph, scaled.layer);
    for (size_t c = 0; c < bias.size(); ++c) bias[c] *= scaled.output[c];
    set_bias(graph, scaled.layer, bias);
  }
  scale_outputs(graph, scaled.layer, scaled.output);
  scale_inputs(graph, scaled.layer, scaled.input);
}

}  // namespace

bool equalize(Graph& graph, const CorrectionContext& context) {
  Chains chains = chains_of(graph);
  double change = 0, most = 0;
  for (int sweep = 0; sweep < kMostSweeps && (sweep == 0 || change > kSettled); ++sweep) {
    change = 0;
    for (const ScaledPair& pair : chains.pairs) {
      change = std::max(change, equalize_pair(chains.layers[pair.first], chains.layers[pair.second]));
    }
    most = std::max(most, change);
  }
  if (most <= kSettled) return false;  // they were alike
  for (const Scaled& scaled : chains.layers) apply(graph, scaled);
  for (const ScaledPair& pair : chains.pairs) {
    note(context, "equalize", graph,
         std::vector{chains.layers[pair.first].layer.node, chains.layers[pair.second].layer.node});
  }
  return true;
}

}  // namespace openrknn::corrections
