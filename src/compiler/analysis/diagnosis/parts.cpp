#include "compiler/analysis/diagnosis/parts.h"

#include <algorithm>
#include <cmath>

#include "compiler/analysis/graph_stream.h"
#include "compiler/quantize/precision_rules.h"
#include "core/executor/needed_nodes.h"
#include "core/executor/run.h"
#include "core/graph/custom.h"
#include "core/model/ports.h"

namespace openrknn {
namespace {

double noise_between(const Tensor& wanted, const Tensor& got) {
  const std::vector<double> a = to_doubles(wanted), b = to_doubles(got);
  double noise = 0;
  for (size_t i = 0; i < a.size(); ++i) noise += (a[i] - b[i]) * (a[i] - b[i]);
  return noise;
}

bool runs_alone(const Node& node) {
  return node.op != kCustomOp &&
         std::none_of(node.attributes.begin(), node.attributes.end(), [](const auto& attribute) {
           return std::holds_alternative<std::shared_ptr<const Graph>>(attribute.second);
         });
}

/// The first result of golden's node for these inputs (one per input of the node; None has an empty tensor).
Tensor run_node(const Subject& subject, NodeId id, const std::vector<Tensor>& inputs) {
  const Node& node = subject.golden[id];
  Graph alone;
  Node copy{.name = node.name, .op = node.op, .attributes = node.attributes};
  std::vector<Tensor> fed;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (node.inputs[i] == ValueId::None) {
      copy.inputs.push_back(ValueId::None);
      continue;
    }
    const Value& value = subject.golden[node.inputs[i]];
    if (value.constant) {  // kernels may take constants only
      copy.inputs.push_back(alone.add_constant(value.name, inputs[i]));
      continue;
    }
    const ValueId input = alone.add(Value{.name = value.name, .dtype = value.dtype, .shape = value.shape});
    alone.inputs.push_back(input);
    copy.inputs.push_back(input);
    fed.push_back(inputs[i]);
  }
  for (const ValueId output : node.outputs) {
    if (output == ValueId::None) {
      copy.outputs.push_back(ValueId::None);
      continue;
    }
    const Value& value = subject.golden[output];
    copy.outputs.push_back(alone.add(Value{.name = value.name, .dtype = value.dtype, .shape = value.shape}));
  }
  alone.outputs = {copy.outputs[0]};
  alone.add(std::move(copy));
  return run_graph(alone, Arithmetic{}, fed, subject.pool)[0];
}

}  // namespace

Numbers golden_numbers(const Subject& subject, int64_t sample, const std::set<ValueId>& wanted) {
  const Graph& golden = subject.golden;
  Weights weights;
  GraphStream stream(golden, plan(golden, Arithmetic{}, {.fuse = false, .custom_code = subject.custom}, weights),
                     subject.pool);
  stream.start(subject.samples.get(sample));
  Numbers numbers;
  const auto keep = [&](ValueId id) {
    if (!wanted.contains(id) || numbers.contains(id)) return;
    stream.advance(golden[id].name);
    numbers.emplace(id, logical_tensor(stream.values(golden[id].name)));
  };
  for (const ValueId id : golden.inputs) keep(id);
  for (const NodeId node : needed_nodes(golden)) {
    for (const ValueId id : golden[node].outputs) {
      if (id != ValueId::None && !golden[id].constant) keep(id);
    }
  }
  return numbers;
}

Tensor coded(const Tensor& real, const Value& built) {
  if (built.quant) return dequantize_tensor(quantize_tensor(real, *built.quant, built.dtype), *built.quant);
  return is_floating(built.dtype) ? cast(cast(real, built.dtype), DType::Float32) : real;
}

std::vector<ValueId> values_of_parts(const Graph& golden, NodeId id) {
  std::vector<ValueId> values = golden[id].inputs;
  values.insert(values.end(), golden[id].outputs.begin(), golden[id].outputs.end());
  std::erase_if(values, [&](ValueId value) { return value == ValueId::None || golden[value].constant.has_value(); });
  return values;
}

std::vector<PartError> part_errors(const Subject& subject, NodeId id, const Numbers& numbers) {
  const Graph &golden = subject.golden, &built = subject.built;
  const Node& node = golden[id];
  const ValueId result = node.outputs[0];
  const auto wanted = numbers.find(result);
  if (wanted == numbers.end() || !is_real(golden, result) || !runs_alone(node)) return {};
  std::vector<Tensor> inputs;
  for (const ValueId input : node.inputs) {
    if (input == ValueId::None) {
      inputs.emplace_back();
    } else if (golden[input].constant) {
      inputs.push_back(*golden[input].constant);
    } else {
      const auto known = numbers.find(input);
      if (known == numbers.end()) return {};
      inputs.push_back(known->second);
    }
  }
  std::vector<PartError> errors;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const ValueId input = node.inputs[i], form = built[id].inputs[i];
    if (input == ValueId::None || form == ValueId::None) continue;
    const InputRole role = role_of(golden, id, i);
    if (role != InputRole::Data && role != InputRole::Weights) continue;
    const Value& held = built[form];
    // Constants in one scale for all weigh nothing beside layers' weights; groups have no form that is read back here.
    const bool is_weights = golden[input].constant.has_value();
    if (is_weights && (role != InputRole::Weights || !held.constant || !held.quant || held.quant->group > 0)) continue;
    std::vector<Tensor> changed = inputs;
    changed[i] = is_weights ? dequantize_tensor(*held.constant, *held.quant) : coded(inputs[i], held);
    const double noise = noise_between(wanted->second, run_node(subject, id, changed));
    errors.push_back({is_weights ? Part::Weights : Part::Input, input, form, noise});
  }
  const double noise = noise_between(wanted->second, coded(wanted->second, built[result]));
  errors.push_back({Part::Result, result, result, noise});
  std::stable_sort(errors.begin(), errors.end(),
                   [](const PartError& a, const PartError& b) { return a.noise > b.noise; });
  return errors;
}

CodingError coding_error(const Tensor& real, const Value& built) {
  CodingError error;
  const std::vector<double> numbers = to_doubles(real), held = to_doubles(coded(real, built));
  const auto [low, high] = std::minmax_element(held.begin(), held.end());
  error.elements = static_cast<int64_t>(numbers.size());
  if (numbers.empty()) return error;
  const double scale = built.quant ? built.quant->scale[0] : 0;
  error.lowest = *std::min_element(numbers.begin(), numbers.end());
  error.highest = *std::max_element(numbers.begin(), numbers.end());
  for (size_t i = 0; i < numbers.size(); ++i) {
    const double difference = numbers[i] - held[i];
    error.noise += difference * difference;
    // Half a step is rounding; what is further off met the end of the codes.
    if (!built.quant || std::abs(difference) <= 0.5 * scale * (1 + 1e-6)) continue;
    if (held[i] != *low && held[i] != *high) continue;
    ++error.clipped;
    error.clipped_noise += difference * difference;
  }
  return error;
}

ChannelSpread channel_spread(const Tensor& real, int64_t axis) {
  const Shape& shape = real.shape();
  const int64_t channels = shape[static_cast<size_t>(axis)];
  int64_t inner = 1;
  for (size_t d = static_cast<size_t>(axis) + 1; d < shape.size(); ++d) inner *= shape[d];
  std::vector<double> largest(static_cast<size_t>(channels), 0);
  const std::vector<double> numbers = to_doubles(real);
  for (size_t i = 0; i < numbers.size(); ++i) {
    double& channel = largest[i / static_cast<size_t>(inner) % static_cast<size_t>(channels)];
    channel = std::max(channel, std::abs(numbers[i]));
  }
  ChannelSpread spread{.channels = channels};
  if (channels == 0) return spread;
  spread.loudest = std::max_element(largest.begin(), largest.end()) - largest.begin();
  spread.largest = largest[static_cast<size_t>(spread.loudest)];
  const auto middle = largest.begin() + channels / 2;
  std::nth_element(largest.begin(), middle, largest.end());
  spread.median = *middle;
  return spread;
}

ChannelSpread channel_spread(const Tensor& real) {
  if (real.rank() < 2) return {};
  // Of three dimensions, convolutions count channels along the second and transformers along the last; there are fewer
  // of them than of positions or boxes.
  const bool last = real.rank() == 3 && real.shape()[2] < real.shape()[1];
  return channel_spread(real, last ? 2 : 1);
}

}  // namespace openrknn
