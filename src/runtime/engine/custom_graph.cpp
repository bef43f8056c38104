#include "runtime/engine/custom_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/base/error.h"
#include "core/graph/custom.h"
#include "core/graph/quant_runs.h"
#include "core/kernels/fixed_point.h"

namespace openrknn {
namespace {

bool is_float32(const Value& value) {
  return !value.quant && (!is_floating(value.dtype) || value.dtype == DType::Float32);
}

/// Stored by lower() for the built-in arithmetic: codes without a scale are nothing the source model knows.
bool is_lowered_table(const Value& value) {
  const bool wide = value.dtype == DType::Int32 && value.shape == Shape{kWideTableSize};
  return value.constant && !value.quant && (value.dtype == DType::Int8 || value.dtype == DType::Int16 || wide);
}

/// real = (code - zero point) * scale, as float32.
Tensor real_numbers(const Value& value) {
  const Tensor& content = *value.constant;
  if (!value.quant) return is_float32(value) ? content : cast(content, DType::Float32);
  const QuantParams& quant = *value.quant;
  const std::vector<double> codes = to_doubles(content);
  Tensor real(DType::Float32, value.shape);
  const std::span<float> out = real.mutable_values<float>();
  for_quant_runs(value.shape, quant, [&](int64_t begin, int64_t count, size_t index) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(begin + count); ++i) {
      out[i] = static_cast<float>((codes[i] - quant.zero_point[index]) * quant.scale[index]);
    }
  });
  return real;
}

CustomTensor make_tensor(const Value& value, Device& device) {
  CustomTensor tensor{value.name, is_float32(value) ? value.dtype : DType::Float32, value.shape, {}};
  tensor.memory = device.allocate(byte_size(tensor.dtype, element_count(tensor.shape)));
  if (value.constant && tensor.memory->size() > 0) {
    const Tensor real = real_numbers(value);
    std::memcpy(tensor.memory->data(), real.bytes().data(), real.bytes().size());
  }
  return tensor;
}

/// The value's numbers as float32.
ValueId converted(Graph& graph, ValueId id) {
  const Value& value = graph[id];
  if (is_float32(value)) return id;
  const std::string name = value.name + "__float32";
  if (value.constant && value.producer == NodeId::None) return graph.add_constant(name, real_numbers(value));
  const ValueId real = graph.add(Value{.name = name, .dtype = DType::Float32, .shape = value.shape});
  graph.add(Node{.name = graph[real].name, .op = "Convert", .inputs = {id}, .outputs = {real}});
  return real;
}

/// The node gives float32 numbers from now on; a Convert makes the value its readers know.
void give_float32(Graph& graph, NodeId id, size_t output) {
  const ValueId known = graph[id].outputs[output];
  if (known == ValueId::None || is_float32(graph[known])) return;
  const std::string name = graph[known].name + "__float32";
  const ValueId real = graph.add(Value{.name = name, .dtype = DType::Float32, .shape = graph[known].shape});
  graph.add(Node{.name = graph[known].name, .op = "Convert", .inputs = {real}, .outputs = {known}});  // takes it over
  graph.set_output(id, output, real);
}

}  // namespace

std::vector<ValueId> source_inputs(const Graph& graph, const Node& node) {
  std::vector<ValueId> inputs;
  for (const ValueId id : node.inputs) {
    if (!node.fixed || id == ValueId::None || !is_lowered_table(graph[id])) inputs.push_back(id);
  }
  return inputs;
}

CustomSite make_site(const Graph& graph, NodeId id, std::string type, Device& device) {
  const Node& node = graph[id];
  CustomSite site{std::move(type), node.name, {}, {}, {}};
  for (const auto& [name, attribute] : node.attributes) {
    if (is_users_attribute(name)) site.attributes.emplace(name, attribute);
  }
  for (const ValueId input : source_inputs(graph, node)) {
    site.inputs.push_back(input == ValueId::None ? CustomTensor() : make_tensor(graph[input], device));
  }
  for (const ValueId output : node.outputs) {
    site.outputs.push_back(output == ValueId::None ? CustomTensor() : make_tensor(graph[output], device));
  }
  return site;
}

void replace_builtin(Graph& graph, NodeId id, std::string type) {
  std::vector<ValueId> inputs = source_inputs(graph, graph[id]);
  for (ValueId& input : inputs) {
    if (input != ValueId::None) input = converted(graph, input);
  }
  graph.set_inputs(id, std::move(inputs));
  std::vector<std::string> types;
  for (size_t i = 0; i < graph[id].outputs.size(); ++i) {
    give_float32(graph, id, i);
    const ValueId output = graph[id].outputs[i];
    types.push_back(output == ValueId::None ? custom_output_text(DType::Float32, {})
                                            : custom_output_text(graph[output].dtype, graph[output].shape));
  }
  Node& node = graph[id];
  node.op = std::string(kCustomOp);
  node.fixed.reset();
  node.attributes.insert_or_assign(std::string(kCustomType), std::move(type));
  node.attributes.insert_or_assign(std::string(kCustomOutputs), std::move(types));
}

std::vector<std::string> custom_types(const Graph& graph) {
  std::vector<std::string> types;
  for (const NodeId id : graph.order()) {
    const std::string_view type = custom_type(graph[id]);
    if (!type.empty() && std::find(types.begin(), types.end(), type) == types.end()) types.emplace_back(type);
  }
  return types;
}

}  // namespace openrknn
