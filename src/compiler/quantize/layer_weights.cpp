#include "compiler/quantize/layer_weights.h"

#include <fmt/format.h>

#include <utility>

#include "compiler/quantize/precision_rules.h"
#include "core/base/hash.h"
#include "core/model/ports.h"

namespace openrknn {
namespace {

bool gives_codes(const GivenParameters& given, ValueId id) {
  const auto found = given.find(id);
  return found != given.end() && found->second.codes;
}

}  // namespace

LayerWeights::LayerWeights(const Graph& golden, const PrecisionMap& precision, const QuantizeOptions& options)
    : golden_(golden), precision_(precision), options_(options) {}

void LayerWeights::search(const RangeClasses& classes, const GivenParameters& given, ThreadPool& pool) {
  struct Layer {
    NodeId id;
    double input_scale;
    CodedLayer coded;
  };
  std::vector<Layer> layers;
  std::vector<std::pair<NodeId, HalfLayer>> halves;
  for (const NodeId id : golden_.order()) {
    const std::vector<ValueId>& inputs = golden_[id].inputs;
    if (role_of(golden_, id, 1) != InputRole::Weights || !is_plain_constant(golden_, inputs[1])) continue;
    if (!computes_codes(precision_, id)) {
      if (may_code_half(id)) halves.emplace_back(id, HalfLayer{});
    } else if (!gives_codes(given, inputs[1]) && !is_plain_constant(golden_, inputs[0])) {
      layers.push_back({id, classes.params(inputs[0], precision_.at(id).dtype).scale[0], {}});
    }
  }
  pool.parallel_for(static_cast<int64_t>(layers.size()), [&](int64_t i, int) {
    Layer& layer = layers[static_cast<size_t>(i)];
    layer.coded = integer_layer(layer.id, layer.input_scale);
  });
  pool.parallel_for(static_cast<int64_t>(halves.size()), [&](int64_t i, int) {
    auto& [id, weights] = halves[static_cast<size_t>(i)];
    weights = half_layer(id);
  });
  for (Layer& layer : layers) layers_.insert({{layer.id, layer.input_scale}, std::move(layer.coded)});
  for (auto& [id, weights] : halves) halves_.insert({id, std::move(weights)});
}

CodedLayer LayerWeights::take(NodeId id, double input_scale) {
  auto ahead = layers_.extract({id, input_scale});
  return ahead.empty() ? integer_layer(id, input_scale) : std::move(ahead.mapped());
}

HalfLayer LayerWeights::take_half(NodeId id) {
  auto ahead = halves_.extract(id);
  return ahead.empty() ? half_layer(id) : std::move(ahead.mapped());
}

CodedLayer LayerWeights::integer_layer(NodeId id, double input_scale) const {
  const Node& golden = golden_[id];
  const ValueId weights = golden.inputs[1];
  const ValueId bias = golden.inputs.size() > 2 ? golden.inputs[2] : ValueId::None;
  const Tensor* bias_content = bias == ValueId::None ? nullptr : &*golden_[bias].constant;
  const Location where{.file = {}, .node = golden.name, .tensor = golden_[weights].name};
  const DType codes = precision_.at(id).dtype;
  const int axis = weight_axis(golden_, id);
  // A vector of weights is one column: it has one output channel.
  const bool column = golden_[weights].shape.size() == 1;
  const WeightSpec spec{.method = column ? QuantizedMethod::Layer : options_.method,
                        .dtype = codes,
                        .symmetric = options_.symmetric_weights,
                        .power_of_two = options_.activations.power_of_two,
                        .clip = options_.clip_weights};
  const Tensor& real = *golden_[weights].constant;
  if (options_.cache == nullptr) return quantize_layer(real, bias_content, axis, input_scale, spec, where);
  const std::string key =
      fmt::format("{} {} {} {} {:a} {} {} {} {} {}", hash64(real.bytes()), to_string(real.shape()),
                  bias_content == nullptr ? 0 : hash64(bias_content->bytes()), axis, input_scale,
                  static_cast<int>(spec.method), name(spec.dtype), spec.symmetric, spec.power_of_two, spec.clip);
  LayerCache& cache = *options_.cache;
  {
    const std::scoped_lock lock(cache.mutex);
    const auto found = cache.layers.find(key);
    if (found != cache.layers.end()) return found->second;
  }
  CodedLayer layer = quantize_layer(real, bias_content, axis, input_scale, spec, where);
  const std::scoped_lock lock(cache.mutex);
  return cache.layers.emplace(key, std::move(layer)).first->second;
}

/// The executor reads the codes as float16 (docs/arithmetic.md).
HalfLayer LayerWeights::half_layer(NodeId id) const {
  const ValueId weights = golden_[id].inputs[1];
  Location where = golden_.where(id);
  where.tensor = golden_[weights].name;
  const bool column = golden_[weights].shape.size() == 1;
  const WeightOnlySpec spec{.method = column ? QuantizedMethod::Layer : options_.method,
                            .dtype = *options_.coded_weights,
                            .symmetric = options_.symmetric_weights,
                            .group = column ? 0 : options_.group,
                            .clip = options_.clip_weights};
  Coded coded = quantize_weights(*golden_[weights].constant, weight_axis(golden_, id), spec, where);
  const HalfConstant read = to_half(dequantize_tensor(coded.codes, coded.quant), false);
  const bool is_worth = is_worth_coding(*golden_[weights].constant, coded);
  return {std::move(coded), read.overflowing, read.worst, is_worth};
}

bool LayerWeights::is_worth_coding(const Tensor& real, const Coded& coded) const {
  if (real.size() < options_.fewest_coded) return false;
  if (!options_.most_coding_error) return true;
  const Tensor all = real.dtype() == DType::Float32 ? real : cast(real, DType::Float32);
  const Tensor read = dequantize_tensor(coded.codes, coded.quant);
  const std::span<const float> wanted = all.values<float>(), kept = read.values<float>();
  double square = 0, error = 0;
  for (size_t i = 0; i < wanted.size(); ++i) {
    const double number = static_cast<double>(wanted[i]), difference = number - static_cast<double>(kept[i]);
    square += number * number;
    error += difference * difference;
  }
  return error <= *options_.most_coding_error * square;
}

}  // namespace openrknn
