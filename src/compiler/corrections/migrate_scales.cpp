// Scale migration (SmoothQuant, Xiao et al. 2022): activations have a few channels that are many times larger than the
// rest and take the range of the whole tensor, weights have not. Channel c of what layers read is divided by s[c],
// which goes into the constants of whoever computes it, and their weights of that channel are multiplied by s[c].
//
// s[c] = max|x[c]|^a / max|w[c]|^(1-a), a = 1/2: both sides get the same share. It is done where the noise that both
// roundings add to the layers' results, predicted from the extremes, becomes less.
#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "compiler/corrections/channel_source.h"
#include "compiler/corrections/float_corrections.h"
#include "compiler/passes/layer.h"

namespace openrknn::corrections {
namespace {

using passes::as_activated_layer, passes::channel_weights, passes::ChannelWeight, passes::is_float, passes::Layer,
    passes::scale_inputs;

/// Of the predicted noise, may remain at most: below 3 dB the prediction is not worth a change.
constexpr double kMostNoise = 0.5;
/// Where a layer takes the factor: 10 dB, true outliers. Channels of layers are as large as the samples make them,
/// those of a normalisation hardly depend on them.
constexpr double kMostNoiseOfLayer = 0.1;
/// A channel's mean square, from its largest number: between a uniform (1/3) and a normal distribution's (about 1/12).
constexpr double kMeanSquare = 1.0 / 6;
/// Of the largest channel: what is smaller counts as this.
constexpr double kSmallest = 1e-5;

/// A value that nothing but layers reads, and who can take its factors.
struct Site {
  ValueId value = ValueId::None;
  int64_t axis = 0;
  NodeId source = NodeId::None;
  std::vector<Layer> layers;
};

/// Where a layer has one scale, channels of its output that differ cost it more than they give the next.
std::vector<Site> sites_of(const Graph& graph, bool has_channel_scales) {
  std::vector<Site> sites;
  for (int64_t i = 0; i < graph.value_count(); ++i) {
    Site site{.value = ValueId{static_cast<int32_t>(i)}};
    if (graph.is_output(site.value) || graph.users(site.value).empty() || !is_float(graph, site.value)) continue;
    for (const NodeId user : graph.users(site.value)) {
      const std::vector<ValueId>& inputs = graph[user].inputs;
      const std::optional<Layer> layer = as_activated_layer(graph, user);
      if (layer && inputs[0] == site.value && std::count(inputs.begin(), inputs.end(), site.value) == 1) {
        site.layers.push_back(*layer);
      }
    }
    if (site.layers.size() != graph.users(site.value).size()) continue;
    site.axis = site.layers[0].input_axis;
    const bool agree = std::all_of(site.layers.begin(), site.layers.end(),
                                   [&](const Layer& layer) { return layer.input_axis == site.axis; });
    if (agree) site.source = channel_source(graph, site.value, site.axis);
    const bool is_free = has_channel_scales || !as_activated_layer(graph, site.source);
    if (site.source != NodeId::None && is_free) sites.push_back(std::move(site));
  }
  return sites;
}

using WeightsOfLayers = std::vector<std::vector<ChannelWeight>>;  // by layer

/// The largest number of each channel, at least `least`.
std::vector<double> raised(std::vector<double> largest, double least) {
  for (double& one : largest) one = std::max(one, least);
  return largest;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<int64_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// The noise of 8-bit codes in the layers' results, but for a factor.
double noise(const ChannelRanges& seen, const WeightsOfLayers& weights, const std::vector<double>& scale) {
  double lowest = 0, highest = 0;
  std::vector<double> square(seen.size());
  for (size_t c = 0; c < seen.size(); ++c) {
    lowest = std::min(lowest, seen[c].lowest / scale[c]);
    highest = std::max(highest, seen[c].highest / scale[c]);
    const double largest = std::max(std::abs(seen[c].lowest), std::abs(seen[c].highest)) / scale[c];
    square[c] = kMeanSquare * largest * largest;
  }
  double power = 0;
  for (const double one : square) power += one;
  const double step = highest - lowest;
  double total = 0;
  for (const std::vector<ChannelWeight>& layer : weights) {
    std::map<int64_t, double> range;  // by output channel: each has a scale of its own
    std::map<int64_t, double> inputs;
    for (const ChannelWeight& weight : layer) {
      const double scaled = weight.largest * scale[static_cast<size_t>(weight.input)];
      total += step * step * scaled * scaled;
      double& widest = range[weight.output];
      widest = std::max(widest, 2 * scaled);
      inputs[weight.output] += square[static_cast<size_t>(weight.input)];
    }
    for (const auto& [output, width] : range) total += width * width * inputs[output];
  }
  return total;
}

std::vector<double> scale_of(const ChannelRanges& seen, const WeightsOfLayers& weights) {
  std::vector<double> data(seen.size()), largest(seen.size());
  for (size_t c = 0; c < seen.size(); ++c) data[c] = std::max(std::abs(seen[c].lowest), std::abs(seen[c].highest));
  for (const std::vector<ChannelWeight>& layer : weights) {
    for (const ChannelWeight& weight : layer) {
      double& most = largest[static_cast<size_t>(weight.input)];
      most = std::max(most, weight.largest);
    }
  }
  // Outliers come down and nothing comes up, neither what is smaller than the median nor what weights make much of: an
  // input that the samples did not show, which a channel brought up holds soonest, would exceed the range.
  data = raised(data, std::max(median(data), kSmallest * *std::max_element(data.begin(), data.end())));
  const double usual = median(largest);
  for (double& one : largest) one = std::min(one, usual);
  largest = raised(largest, kSmallest * *std::max_element(largest.begin(), largest.end()));
  std::vector<double> scale(seen.size());
  for (size_t c = 0; c < scale.size(); ++c) scale[c] = std::sqrt(data[c] / largest[c]);
  return scale;
}

bool migrate(Graph& graph, const Site& site, const ChannelRanges& seen) {
  WeightsOfLayers weights;
  for (const Layer& layer : site.layers) weights.push_back(channel_weights(graph, layer));
  const std::vector<double> scale = scale_of(seen, weights), ones(seen.size(), 1.0);
  const bool usable = std::all_of(scale.begin(), scale.end(), [](double s) { return std::isfinite(s) && s > 0; });
  const double most = as_activated_layer(graph, site.source) ? kMostNoiseOfLayer : kMostNoise;
  if (!usable || noise(seen, weights, scale) > most * noise(seen, weights, ones)) return false;
  std::vector<double> inverse(scale.size());
  std::transform(scale.begin(), scale.end(), inverse.begin(), [](double s) { return 1 / s; });
  scale_channels(graph, site.source, site.axis, inverse);
  for (const Layer& layer : site.layers) scale_inputs(graph, layer, scale);
  return true;
}

}  // namespace

bool migrate_scales(Graph& graph, const CorrectionContext& context) {
  const std::vector<Site> sites = sites_of(graph, context.has_channel_scales);
  std::vector<ChannelsOf> asked;
  for (const Site& site : sites) asked.push_back({site.value, site.axis});
  const std::vector<ChannelRanges> seen = observe_channels(graph, asked, "migrate_scales", *context.observations);
  bool changed = false;
  for (size_t i = 0; i < sites.size(); ++i) {
    if (!migrate(graph, sites[i], seen[i])) continue;
    std::vector<NodeId> nodes = {sites[i].source};
    for (const Layer& layer : sites[i].layers) nodes.push_back(layer.node);
    note(context, "migrate_scales", graph, nodes);
    changed = true;
  }
  return changed;
}

}  // namespace openrknn::corrections
