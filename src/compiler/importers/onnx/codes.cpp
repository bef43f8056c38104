#include "compiler/importers/onnx/codes.h"

#include <fmt/format.h>

namespace openrknn::onnx {

ValueId one_number(Translation& t, ValueId value) {
  return value != ValueId::None && element_count(t.shape_of(value)) == 1 ? t.reshape(value, {}) : value;
}

Linear linear(Translation& t, ValueId x, ValueId scale, ValueId zero_point, int64_t axis, int64_t block_size) {
  const auto rank = static_cast<int64_t>(t.shape_of(x).size());
  const Shape given = t.shape_of(scale);
  if (block_size == 0) {
    scale = one_number(t, scale);
    zero_point = one_number(t, zero_point);
  }
  const Shape scales = t.shape_of(scale);
  if (zero_point != ValueId::None && t.shape_of(zero_point).empty() && !scales.empty()) {  // one for all the scales
    zero_point = t.emit("Expand", {t.reshape(zero_point, Shape(scales.size(), 1))}, {{"shape", scales}});
  }
  Linear linear{{x, scale}, {}};
  if (zero_point != ValueId::None) linear.inputs.push_back(zero_point);
  if (t.shape_of(scale).empty()) return linear;
  if (block_size == 0 && given.size() != 1) {
    t.fail(Code::ImportShapeMismatch,
           fmt::format("scale has shape {}, expected one number or a vector", to_string(given)));
  }
  linear.attributes.emplace("axis", t.axis(axis, rank));
  if (block_size != 0) linear.attributes.emplace("block_size", block_size);
  return linear;
}

ValueId dequantized(Translation& t, ValueId codes, ValueId scale, ValueId zero_point, int64_t axis) {
  Linear parts = linear(t, codes, scale, zero_point, axis);
  return t.emit("DequantizeLinear", std::move(parts.inputs), std::move(parts.attributes));
}

void produce_quantized(Translation& t, Linear parts, DType to) {
  parts.attributes.emplace("to", static_cast<int64_t>(to));
  t.produce("QuantizeLinear", std::move(parts.inputs), std::move(parts.attributes));
}

}  // namespace openrknn::onnx
