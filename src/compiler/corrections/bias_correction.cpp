// Bias correction (Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019,
// section 4.2, the empirical form): layer after layer, the bias takes up the difference between the mean results of
// golden and of the quantized graph whose earlier layers are corrected already.
//
// A mean result is weights · mean input + bias, so what is watched is what layers read, before any activation.
#include <algorithm>
#include <cmath>
#include <memory>

#include "compiler/corrections/corrections.h"
#include "compiler/corrections/input_moments.h"
#include "compiler/corrections/layer_bias.h"
#include "compiler/corrections/observe.h"
#include "compiler/quantize/weight_params.h"
#include "core/model/ports.h"

namespace openrknn {
namespace {

using namespace corrections;

/// Runs of the quantized graph. Layers are dealt to them in order; of those in one run all but the first ones on their
/// path take up the errors of their own weights alone, as what comes from before them is being corrected.
constexpr size_t kMostRuns = 16;
/// More samples tell means no better.
constexpr int64_t kMostSamples = 64;

struct Correctable {
  ProductLayer layer;
  std::vector<double> golden_mean;  // [groups][depth]
};

/// Σ of inputs over samples, exact in any order.
struct InputSums {
  const ProductLayer* layer;
  ExactGrid grid;
  std::vector<double> sums;
  double unit = 1;
};

/// Mean inputs of layers of `graph`, each at its value in `inputs`.
std::vector<std::vector<double>> mean_inputs(const Graph& graph, std::span<const Correctable> layers,
                                             const std::vector<ValueId>& inputs, const std::vector<double>& largest,
                                             const Observation& how, Weights& weights) {
  std::vector<InputSums> all;
  for (size_t i = 0; i < layers.size(); ++i) {
    const ProductLayer& layer = layers[i].layer;
    const double bound = largest[i] * static_cast<double>(layer.positions() * how.count());
    all.push_back({&layer, ExactGrid(bound), std::vector<double>(static_cast<size_t>(layer.groups * layer.depth))});
  }
  observe(graph, {inputs.begin(), inputs.end()}, how, weights, [&](const Shown& shown) {
    how.pool.parallel_for(static_cast<int64_t>(all.size()), [&](int64_t i, int) {
      InputSums& one = all[static_cast<size_t>(i)];
      if (inputs[static_cast<size_t>(i)] != shown.id) return;
      one.unit = shown.unit;
      const std::vector<double> sums = input_sums(*one.layer, shown.numbers);
      for (size_t k = 0; k < sums.size(); ++k) one.sums[k] += one.grid.round(sums[k]);
    });
  });
  std::vector<std::vector<double>> means;
  for (InputSums& one : all) {
    const double share = one.unit / static_cast<double>(one.layer->positions() * how.count());
    for (double& sum : one.sums) sum *= share;
    means.push_back(std::move(one.sums));
  }
  return means;
}

/// Σ weights · mean input of every output channel.
std::vector<double> mean_products(const ProductLayer& layer, std::span<const double> weights,
                                  std::span<const double> mean) {
  std::vector<double> results;
  for (int64_t g = 0; g < layer.groups; ++g) {
    for (int64_t c = 0; c < layer.channels; ++c) {
      double sum = 0;
      for (int64_t k = 0; k < layer.depth; ++k) {
        sum += weights[static_cast<size_t>(layer.weight(g, c, k))] * mean[static_cast<size_t>(g * layer.depth + k)];
      }
      results.push_back(sum);
    }
  }
  return results;
}

std::vector<double> real_values(const Value& value) {
  return to_doubles(value.quant ? dequantize_tensor(*value.constant, *value.quant) : *value.constant);
}

/// The layer's bias becomes `wanted`, in the form its node reads.
void set_bias(Graph& graph, NodeId id, const std::vector<double>& wanted) {
  const Value& weights = graph[graph[id].inputs[1]];
  const Value& input = graph[graph[id].inputs[0]];
  const auto count = static_cast<int64_t>(wanted.size());
  std::optional<QuantParams> quant;
  Tensor bias;
  if (input.quant) {
    const bool wide = input.dtype == DType::Int16;
    const double most = largest_bias(input.dtype);
    std::vector<int64_t> codes;
    quant.emplace();
    quant->axis = 0;
    for (size_t i = 0; i < wanted.size(); ++i) {
      const double scale = input.quant->scale[0] * weights.quant->scale[i % weights.quant->scale.size()];
      quant->scale.push_back(scale);
      quant->zero_point.push_back(0);
      codes.push_back(static_cast<int64_t>(std::clamp(std::nearbyint(wanted[i] / scale), -most, most)));
    }
    bias = cast(Tensor::from<int64_t>({count}, codes), wide ? DType::Int64 : DType::Int32);
  } else {
    bias = Tensor(DType::Float32, {count});
    std::ranges::transform(wanted, bias.mutable_values<float>().begin(),
                           [](double v) { return static_cast<float>(v); });
  }
  put_bias(graph, id, std::move(bias), std::move(quant));
}

/// The node reads, directly or not, what one of `before` gives.
bool depends_on(const Graph& golden, std::span<const NodeId> order, NodeId id, const std::set<NodeId>& before) {
  std::set<NodeId> reached = before;
  for (const NodeId node : order) {
    const bool reads = std::ranges::any_of(golden[node].inputs, [&](ValueId input) {
      return input != ValueId::None && reached.contains(golden[input].producer);
    });
    if (node == id) return reads;
    if (reads) reached.insert(node);
  }
  return false;
}

/// What the node's bias is without quantization; zeros where it has none.
std::vector<double> golden_bias(const Graph& golden, NodeId id, const ProductLayer& layer) {
  const Node& node = golden[id];
  if (!has_bias(node)) return std::vector<double>(static_cast<size_t>(layer.results()));
  return to_doubles(*golden[node.inputs[2]].constant);
}

/// The layer has quantized weights here and a bias that can be another.
std::optional<ProductLayer> correctable_layer(const Graph& golden, const Graph& quantized, NodeId id) {
  std::optional<ProductLayer> layer = product_layer(golden, id);
  const bool counts = layer && quantized[quantized[id].inputs[1]].quant && has_constant_bias(golden, id);
  return counts ? layer : std::nullopt;
}

double largest_input(const ProductLayer& layer, const CorrectionData& data) {
  const auto seen = data.ranges.find(data.golden[layer.input].name);
  if (seen == data.ranges.end()) {
    fail(Code::QuantizeNoStatistics, Location{.tensor = data.golden[layer.input].name}, "was not calibrated");
  }
  return std::max(std::abs(static_cast<double>(seen->second.lowest)),
                  std::abs(static_cast<double>(seen->second.highest)));
}

/// Of so many runs over the samples, golden's included: one bar.
Observation observation_of(const CorrectionData& data, size_t runs) {
  Observation how{data.samples, data.pool, {}, data.custom, kMostSamples};
  if (!data.progress) return how;
  how.progress = [&progress = data.progress, done = std::make_shared<int64_t>(0),
                  total = static_cast<int64_t>(runs) * how.count()](int64_t) {
    progress("correct biases", ++*done, total);
  };
  return how;
}

void take_golden_means(std::vector<Correctable>& layers, std::span<const double> largest, const CorrectionData& data,
                       const Observation& how) {
  std::vector<ValueId> inputs;
  for (const Correctable& layer : layers) inputs.push_back(layer.layer.input);
  Weights weights;
  std::vector<std::vector<double>> means =
      mean_inputs(data.golden, layers, inputs, {largest.begin(), largest.end()}, how, weights);
  for (size_t i = 0; i < layers.size(); ++i) layers[i].golden_mean = std::move(means[i]);
}

}  // namespace

GoldenMeans golden_means(const CorrectionData& data) {
  std::vector<Correctable> layers;
  std::vector<double> largest;
  for (const NodeId id : data.golden.order()) {
    const std::optional<ProductLayer> layer = product_layer(data.golden, id);
    if (!layer || !data.ranges.contains(data.golden[layer->input].name)) continue;
    largest.push_back(largest_input(*layer, data));
    layers.push_back({*layer, {}});
  }
  take_golden_means(layers, largest, data, observation_of(data, 1));
  GoldenMeans means;
  for (Correctable& layer : layers) means.emplace(layer.layer.node, std::move(layer.golden_mean));
  return means;
}

void correct_biases_of_weights(Graph& quantized, const Graph& golden, const GoldenMeans& means) {
  for (const auto& [id, mean] : means) {
    const std::optional<ProductLayer> layer = correctable_layer(golden, quantized, id);
    if (!layer) continue;
    std::vector<double> bias = golden_bias(golden, id, *layer);
    const std::vector<double> real = mean_products(*layer, to_doubles(*golden[golden[id].inputs[1]].constant), mean);
    const std::vector<double> coded = mean_products(*layer, real_values(quantized[quantized[id].inputs[1]]), mean);
    for (size_t c = 0; c < bias.size(); ++c) bias[c] += real[c] - coded[c];
    set_bias(quantized, id, bias);
  }
}

void correct_biases(Graph& quantized, const Target& target, const CorrectionData& data) {
  const Graph& golden = data.golden;
  std::vector<Correctable> layers;
  std::vector<double> largest;
  const std::vector<NodeId> order = golden.order();
  for (const NodeId id : order) {
    const std::optional<ProductLayer> layer = correctable_layer(golden, quantized, id);
    if (!layer) continue;
    largest.push_back(largest_input(*layer, data));
    layers.push_back({*layer, {}});
  }
  const size_t runs = std::min(kMostRuns, layers.size());
  Observation how = observation_of(data, 1 + runs);
  take_golden_means(layers, largest, data, how);

  how.arithmetic = arithmetic_of(target);
  Weights weights;
  for (size_t run = 0; run < runs; ++run) {
    const size_t first = run * layers.size() / runs, end = (run + 1) * layers.size() / runs;
    const std::span<const Correctable> now(layers.data() + first, end - first);
    Graph lowered = quantized;
    lower(lowered, target);
    std::vector<ValueId> here;
    std::vector<double> bounds;
    for (size_t i = first; i < end; ++i) {
      here.push_back(quantized[layers[i].layer.node].inputs[0]);
      // Codes are whole numbers; floats may leave golden's range by a little.
      const Value& input = quantized[here.back()];
      bounds.push_back(input.quant ? static_cast<double>(highest_code(input.dtype)) * 4 : largest[i] * 4);
    }
    const std::vector<std::vector<double>> seen = mean_inputs(lowered, now, here, bounds, how, weights);
    std::set<NodeId> corrected;
    for (size_t i = 0; i < now.size(); ++i) {
      const NodeId id = now[i].layer.node;
      const std::vector<double> real = to_doubles(*golden[golden[id].inputs[1]].constant);
      const std::vector<double> coded = real_values(quantized[quantized[id].inputs[1]]);
      const bool follows = depends_on(golden, order, id, corrected);
      std::vector<double> bias = mean_products(now[i].layer, real, follows ? seen[i] : now[i].golden_mean);
      const std::vector<double> given = mean_products(now[i].layer, coded, seen[i]);
      const std::vector<double> own = golden_bias(golden, id, now[i].layer);
      for (size_t c = 0; c < bias.size(); ++c) bias[c] += own[c] - given[c];
      set_bias(quantized, id, bias);
      corrected.insert(id);
    }
  }
}

}  // namespace openrknn
