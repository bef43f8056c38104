// QuantizeLinear and DequantizeLinear: plain operators between floats and codes. The scale is one number (shape []),
// one an index of `axis` (shape [extent]), or one for every block of `block_size` indices (the input's rank).
#include <fmt/format.h>

#include "core/graph/schemas/helpers.h"
#include "core/graph/schemas/tables.h"

namespace openrknn::schemas {
namespace {

constexpr AttributeSpec kQuantize[] = {
    {"to", AttributeType::Int, true, "number of the DType of the codes: 4, 8 or 16 bits"},
    {"axis", AttributeType::Int, false, "dimension the scales run along, 0..rank-1; default: 0"},
    {"block_size", AttributeType::Int, false, "indices of axis that share a scale; default 0: no blocks"},
};
constexpr AttributeSpec kDequantize[] = {
    {"axis", AttributeType::Int, false, "dimension the scales run along, 0..rank-1; default: 0"},
    {"block_size", AttributeType::Int, false, "indices of axis that share a scale; default 0: no blocks"},
    {"to", AttributeType::Int, false, "number of the DType of the output, f32 (default) or f16"},
};

bool is_code(DType dtype) { return is_integer(dtype) && bit_width(dtype) <= 16; }

void check_parameters(const Inference& inference, DType codes) {
  require_real(inference, 1);
  const Shape &x = inference.shape(0), &scale = inference.shape(1);
  const int64_t block = int_attribute(inference.attributes(), "block_size", 0);
  if (block < 0 || block > kLargestParameter) {
    inference.fail(fmt::format("block_size is {}, expected 0 (no blocks) or more", block));
  }
  Shape expected;
  if (!scale.empty()) {
    const size_t axis = static_cast<size_t>(axis_of(inference, "axis", 0, static_cast<int64_t>(x.size())));
    expected = block == 0 ? Shape{x[axis]} : x;
    if (block != 0 && x[axis] >= 0) expected[axis] = (x[axis] + block - 1) / block;
  }
  if (scale.size() != expected.size() || !std::equal(scale.begin(), scale.end(), expected.begin(), fits)) {
    inference.fail(fmt::format("scale has shape {}, expected {} for input {} and block_size {}", to_string(scale),
                               to_string(expected), to_string(x), block));
  }
  if (!inference.has(2)) return;
  if (inference.dtype(2) != codes || inference.shape(2) != scale) {
    inference.fail(fmt::format("zero point is {}{}, expected {}{}", name(inference.dtype(2)),
                               to_string(inference.shape(2)), name(codes), to_string(scale)));
  }
}

void infer_quantize(Inference& inference) {
  if (inference.dtype(0) != DType::Int32) require_real(inference, 0);
  const int64_t to = int_attribute(inference.attributes(), "to", -1);
  if (to < 0 || to >= kDTypeCount || !is_code(static_cast<DType>(to))) {
    inference.fail(fmt::format("attribute 'to' is {}, expected the number of an integer DType of 4 to 16 bits", to));
  }
  check_parameters(inference, static_cast<DType>(to));
  inference.set(0, static_cast<DType>(to), inference.shape(0));
}

void infer_dequantize(Inference& inference) {
  const DType codes = inference.dtype(0);
  if (!is_code(codes) && codes != DType::Int32) {
    inference.fail(fmt::format("input 0 has type {}, expected an integer type of 4 to 16 bits or i32", name(codes)));
  }
  const auto to = static_cast<DType>(int_attribute(inference.attributes(), "to", 0));
  if (to != DType::Float32 && to != DType::Float16) {
    inference.fail(fmt::format("attribute 'to' is {}, expected the number of f32 or f16", static_cast<int>(to)));
  }
  check_parameters(inference, codes);
  inference.set(0, to, inference.shape(0));
}

const OpSchema kQuantizationSchemas[] = {
    {.name = "QuantizeLinear",
     .attributes = kQuantize,
     .inputs = {2, 3},
     .outputs = {1, 1},
     .layout = LayoutRule::Logical,
     .quant = QuantRule::Index,
     .infer = infer_quantize,
     .summary = "Codes of x: x / scale rounded half to even, plus the zero point, saturated; inputs x, scale, zero "
                "point."},
    {.name = "DequantizeLinear",
     .attributes = kDequantize,
     .inputs = {2, 3},
     .outputs = {1, 1},
     .layout = LayoutRule::Logical,
     .quant = QuantRule::Index,
     .infer = infer_dequantize,
     .summary = "Numbers that codes stand for: (x - zero point) * scale; inputs x, scale, zero point."},
};

}  // namespace

std::span<const OpSchema> quantization() { return kQuantizationSchemas; }

}  // namespace openrknn::schemas
