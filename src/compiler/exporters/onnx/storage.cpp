// How a value is kept between nodes: float32 as it is, codes between QuantizeLinear and DequantizeLinear, float16
// between two Casts. What nodes compute is float32 in all three.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/exporters/onnx/emission.h"
#include "core/graph/quant_runs.h"

namespace openrknn::onnx_export {
namespace {

Tensor as_type(const std::vector<int32_t>& codes, const Shape& shape, DType dtype) {
  if (bit_width(dtype) >= 8) return cast(Tensor::from<int32_t>(shape, codes), dtype);
  Tensor packed = Tensor::zeros(dtype, shape);
  const std::span<std::byte> bytes = packed.mutable_bytes();
  for (size_t i = 0; i < codes.size(); ++i) {
    bytes[i / 2] |= static_cast<std::byte>((codes[i] & 15) << (i % 2 * 4));
  }
  return packed;
}

/// Scale and zero point of every block along the input channels: the rank of the weights, blocks where channels were.
struct Blocks {
  Shape shape;
  std::vector<float> scale;
  std::vector<int32_t> zero_point;
  int64_t axis = 0;
};
Blocks blocks_of(const Shape& weights, const QuantParams& quant) {
  const auto channels = static_cast<size_t>(quant.axis), inputs = channels == 0 ? 1 : channels - 1;
  const int64_t groups = (weights[inputs] + quant.group - 1) / quant.group;
  Blocks blocks{.shape = weights, .axis = static_cast<int64_t>(inputs)};
  blocks.shape[inputs] = groups;
  const int64_t count = element_count(blocks.shape);
  for (int64_t i = 0; i < count; ++i) {
    int64_t rest = i, channel = 0, group = 0;
    for (size_t d = blocks.shape.size(); d-- > 0; rest /= blocks.shape[d]) {
      if (d == channels) channel = rest % blocks.shape[d];
      if (d == inputs) group = rest % blocks.shape[d];
    }
    const auto at = static_cast<size_t>(channel * groups + group);
    blocks.scale.push_back(static_cast<float>(quant.scale[at]));
    blocks.zero_point.push_back(quant.zero_point[at]);
  }
  return blocks;
}

}  // namespace

bool is_coded(const Value& value) { return value.quant.has_value() && !is_floating(value.dtype); }

TensorType type_in_file(const Value& value) {
  const bool real = is_coded(value) || is_floating(value.dtype);
  return {real ? DType::Float32 : value.dtype, value.shape};
}

/// Scale and zero point as inputs of QuantizeLinear and DequantizeLinear; `attributes` gets what they need beside them.
std::vector<std::string> Scope::parameters(const std::string& prefix, const Value& value, const Shape& shape,
                                           std::vector<NamedAttribute>& attributes) {
  const QuantParams& quant = *value.quant;
  Shape extents;
  std::vector<float> scale(quant.scale.begin(), quant.scale.end());
  std::vector<int32_t> zero_point = quant.zero_point;
  if (quant.axis >= 0 && quant.group > 0 && shape.size() >= 2) {
    Blocks blocks = blocks_of(shape, quant);
    extents = blocks.shape;
    scale = std::move(blocks.scale);
    zero_point = std::move(blocks.zero_point);
    attributes.push_back({"axis", blocks.axis});
    attributes.push_back({"block_size", quant.group});
  } else if (quant.axis >= 0 && !shape.empty()) {
    extents = {static_cast<int64_t>(scale.size())};
    attributes.push_back({"axis", static_cast<int64_t>(quant.axis)});
  }
  std::vector<std::string> names = {add_initializer(prefix + "_scale", Tensor::from<float>(extents, scale))};
  // Biases have none: ONNX allows codes of 32 bits the zero point 0 only.
  if (bit_width(value.dtype) <= 16) {
    names.push_back(add_initializer(prefix + "_zero_point", as_type(zero_point, extents, value.dtype)));
  }
  return names;
}

std::string Scope::dequantized(const std::string& codes, const std::string& wanted, const Value& value,
                               const Shape& shape) {
  std::vector<NamedAttribute> attributes;
  std::vector<std::string> inputs = parameters(wanted, value, shape, attributes);
  inputs.insert(inputs.begin(), codes);
  add_node({.op = "DequantizeLinear",
            .name = wanted + "_DequantizeLinear",
            .inputs = std::move(inputs),
            .outputs = {wanted},
            .attributes = std::move(attributes)});
  declare(wanted, {DType::Float32, shape});
  return wanted;
}

std::string Scope::through_codes(const std::string& real, const Value& value, const std::string& wanted) {
  std::vector<NamedAttribute> attributes;
  std::vector<std::string> inputs = parameters(wanted, value, value.shape, attributes);
  const std::string codes = file.tensor_name(wanted + "_quantized");
  std::vector<std::string> quantize = inputs, dequantize = std::move(inputs);
  quantize.insert(quantize.begin(), real);
  dequantize.insert(dequantize.begin(), codes);
  add_node({.op = "QuantizeLinear",
            .name = wanted + "_QuantizeLinear",
            .inputs = std::move(quantize),
            .outputs = {codes},
            .attributes = attributes});
  add_node({.op = "DequantizeLinear",
            .name = wanted + "_DequantizeLinear",
            .inputs = std::move(dequantize),
            .outputs = {wanted},
            .attributes = std::move(attributes)});
  return wanted;
}

std::string Scope::through_half(const std::string& real, const Value&, const std::string& wanted) {
  const std::string half = file.tensor_name(wanted + "_float16");
  const auto cast = [&](const std::string& from, const std::string& to, DType dtype) {
    add_node({.op = "Cast",
              .name = to + "_Cast",
              .inputs = {from},
              .outputs = {to},
              .attributes = {{"to", int64_t{element_type(dtype)}}}});
  };
  cast(real, half, DType::Float16);
  cast(half, wanted, DType::Float32);
  return wanted;
}

const std::string& Scope::own_name(ValueId id) const {
  const auto given = own_names_.find(id);
  return given == own_names_.end() ? graph[id].name : given->second;
}

std::string Scope::read(ValueId id) {
  const auto known = names_.find(id);
  if (known != names_.end()) return known->second;
  const Value& value = graph[id];
  if (value.constant && value.producer == NodeId::None) return names_[id] = read_constant(id);
  return names_[id] = own_name(id);
}

std::string Scope::read_constant(ValueId id) {
  const Value& value = graph[id];
  const std::string name = own_name(id);
  const auto keep = [&](Tensor content) {
    initializers.push_back({name, std::move(content)});
    return name;
  };
  if (is_half(value)) {
    const std::string wide = file.tensor_name(name + "_float32");
    add_node({.op = "Cast",
              .name = wide + "_Cast",
              .inputs = {keep(*value.constant)},
              .outputs = {wide},
              .attributes = {{"to", int64_t{element_type(DType::Float32)}}}});
    return wide;
  }
  if (!is_coded(value)) return keep(is_floating(value.dtype) ? cast(*value.constant, DType::Float32) : *value.constant);
  // Codes of 64 bits (biases of Int16 layers) have no DequantizeLinear: their numbers are written.
  if (value.dtype == DType::Int64) {
    std::vector<double> numbers = to_doubles(*value.constant);
    for_quant_runs(value.shape, *value.quant, [&](int64_t begin, int64_t count, size_t at) {
      for (int64_t i = begin; i < begin + count; ++i) {
        numbers[static_cast<size_t>(i)] =
            (numbers[static_cast<size_t>(i)] - value.quant->zero_point[at]) * value.quant->scale[at];
      }
    });
    return keep(cast(Tensor::from<double>(value.shape, numbers), DType::Float32));
  }
  return dequantized(keep(*value.constant), file.tensor_name(name + "_dequantized"), value, value.shape);
}

std::string Scope::written(ValueId id) {
  const Value& value = graph[id];
  const std::string final_name = read(id);
  if (!is_coded(value) && !is_half(value)) return final_name;
  const auto [row, is_new] = written_.emplace(id, "");
  if (is_new) row->second = file.tensor_name(final_name + "_real");
  return row->second;
}

void Scope::store(ValueId id) {
  const Value& value = graph[id];
  const std::string final_name = read(id);
  if (is_coded(value)) through_codes(written(id), value, final_name);
  if (is_half(value)) through_half(written(id), value, final_name);
  declare(final_name, type_in_file(value));
}

void Scope::take_input(ValueId id, const std::string& name) {
  const Value& value = graph[id];
  names_[id] = name;
  if (is_coded(value)) names_[id] = through_codes(name, value, file.tensor_name(name + "_dequantized"));
  if (is_half(value)) names_[id] = through_half(name, value, file.tensor_name(name + "_rounded"));
}

}  // namespace openrknn::onnx_export
