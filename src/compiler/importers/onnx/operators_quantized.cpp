// Operators that compute with integer codes. QuantizeLinear and DequantizeLinear have operators of their own; the
// layers are written with them or with exact integer products.
#include <fmt/format.h>

#include "compiler/importers/onnx/codes.h"
#include "compiler/importers/onnx/operators.h"
#include "compiler/importers/onnx/window.h"

namespace openrknn::onnx {
namespace {

DType required_type(const Translation& t, ElementType type) {
  const std::optional<DType> dtype = ir_dtype(type);
  if (!dtype) {
    t.fail(Code::ImportUnsupportedType,
           fmt::format("codes of type {} are not supported: {}", name(type), type_refusal(type)));
  }
  return *dtype;
}

// `saturate` speaks of float8 alone; `precision` is float32 here whatever the file says.
void quantize_linear(Translation& t) {
  const ValueId zero_point = t.optional_input(2);
  DType to = DType::UInt8;
  if (zero_point != ValueId::None) {
    to = t.dtype_of(zero_point);
  } else if (const int64_t type = t.integer("output_dtype", 0); type != 0) {
    to = required_type(t, static_cast<ElementType>(type));
  }
  produce_quantized(t, linear(t, t.input(0), t.input(1), zero_point, t.integer("axis", 1), t.integer("block_size", 0)),
                    to);
}

void dequantize_linear(Translation& t) {
  Linear parts =
      linear(t, t.input(0), t.input(1), t.optional_input(2), t.integer("axis", 1), t.integer("block_size", 0));
  t.produce("DequantizeLinear", std::move(parts.inputs), std::move(parts.attributes));
}

/// The range of x with 0 in it, in 255 steps of uint8.
void dynamic_quantize_linear(Translation& t) {
  const ValueId x = t.input(0), flat = t.reshape(x, {element_count(t.shape(0))});
  const ValueId zero = t.scalar(0, DType::Float32);
  const Attributes all = {{"axes", std::vector<int64_t>{0}}, {"keepdims", int64_t{0}}};
  const ValueId most = t.emit("Max", {t.emit("ReduceMax", {flat}, all), zero});
  const ValueId least = t.emit("Min", {t.emit("ReduceMin", {flat}, all), zero});
  const ValueId range = t.emit("Sub", {most, least});
  // All zeros: any scale will do.
  const ValueId scale = t.emit("Where", {t.emit("Equal", {range, zero}), t.scalar(1, DType::Float32),
                                         t.emit("Div", {range, t.scalar(255, DType::Float32)})});
  const ValueId steps = t.emit("Round", {t.emit("Sub", {zero, t.emit("Div", {least, scale})})});
  const ValueId zero_point = t.cast(t.emit("Clip", {steps}, {{"min", 0.0}, {"max", 255.0}}), DType::UInt8);
  t.forward(t.emit("QuantizeLinear", {x, scale, zero_point}, {{"to", static_cast<int64_t>(DType::UInt8)}}), 0);
  t.forward(scale, 1);
  t.forward(zero_point, 2);
}

/// Codes as Int32 less their zero point. `along_rows`: a vector of zero points has one a row, not one a column.
ValueId centred(Translation& t, ValueId codes, ValueId zero_point, bool along_rows) {
  const ValueId wide = t.cast(codes, DType::Int32);
  if (zero_point == ValueId::None) return wide;
  ValueId offset = one_number(t, t.cast(zero_point, DType::Int32));
  const Shape shape = t.shape_of(offset);
  if (along_rows && shape.size() == 1) offset = t.reshape(offset, {shape[0], 1});
  return t.emit("Sub", {wide, offset});
}

void matmul_integer(Translation& t) {
  t.produce("MatMul",
            {centred(t, t.input(0), t.optional_input(2), true), centred(t, t.input(1), t.optional_input(3), false)});
}

/// The exact product, times one float32 factor: scale of a · scale of b / scale of y.
void qlinear_matmul(Translation& t) {
  const ValueId product =
      t.emit("MatMul", {centred(t, t.input(0), t.input(2), true), centred(t, t.input(3), t.input(5), false)});
  ValueId a_scale = one_number(t, t.input(1));
  if (t.shape_of(a_scale).size() == 1) a_scale = t.reshape(a_scale, {t.shape_of(a_scale)[0], 1});
  const ValueId y_scale = one_number(t, t.input(6));
  if (!t.shape_of(y_scale).empty()) {
    t.unsupported(fmt::format("y_scale has shape {}, expected one number", to_string(t.shape(6))),
                  "quantize the result with one scale");
  }
  const ValueId factor = t.emit("Div", {t.emit("Mul", {a_scale, one_number(t, t.input(4))}), y_scale});
  const ValueId real = t.emit("Mul", {t.cast(product, DType::Float32), factor});
  produce_quantized(t, linear(t, real, t.scalar(1, DType::Float32), t.input(7), 0), t.dtype(7));
}

std::vector<int64_t> kernel_of(const Translation& t, size_t weights) {
  const Shape& w = t.shape(weights);
  if (w.size() < 3) {
    t.fail(Code::ImportShapeMismatch, fmt::format("weights have shape {}, expected rank 3 or more", to_string(w)));
  }
  return {w.begin() + 2, w.end()};
}
Attributes conv_attributes(const Translation& t, const Window& window) {
  return {{"kernel_shape", window.kernel},
          {"strides", window.strides},
          {"pads", window.pads},
          {"dilations", window.dilations},
          {"group", t.integer("group", 1)}};
}

/// Zero points of the weights are one, or one an output channel. Padding counts as the zero point: 0 once subtracted.
void conv_integer(Translation& t) {
  const Window window = read_window(t, kernel_of(t, 1));
  ValueId offset = one_number(t, t.optional_input(3));
  if (offset != ValueId::None && !t.shape_of(offset).empty()) {
    Shape shape(t.shape(1).size(), 1);
    shape[0] = t.shape_of(offset)[0];
    offset = t.reshape(offset, shape);
  }
  t.produce("Conv", {centred(t, t.input(0), t.optional_input(2), false), centred(t, t.input(1), offset, false)},
            conv_attributes(t, window));
}

/// The float layer between its codes.
void qlinear_conv(Translation& t) {
  const Window window = read_window(t, kernel_of(t, 3));
  const ValueId x_scale = one_number(t, t.input(1)), w_scale = one_number(t, t.input(4));
  std::vector<ValueId> inputs = {dequantized(t, t.input(0), x_scale, t.input(2), 1),
                                 dequantized(t, t.input(3), w_scale, t.input(5), 0)};
  if (t.has(8)) {
    inputs.push_back(dequantized(t, t.input(8), t.emit("Mul", {x_scale, w_scale}), ValueId::None, 0));
  }
  const ValueId y = t.emit("Conv", std::move(inputs), conv_attributes(t, window));
  produce_quantized(t, linear(t, y, t.input(6), t.input(7), 1), t.dtype(7));
}

constexpr OperatorRow kQuantizedRows[] = {
    {"QuantizeLinear", 10, 28, quantize_linear},
    {"DequantizeLinear", 10, 28, dequantize_linear},
    {"DynamicQuantizeLinear", 11, 28, dynamic_quantize_linear},
    {"MatMulInteger", 10, 28, matmul_integer},
    {"ConvInteger", 10, 28, conv_integer},
    {"QLinearMatMul", 10, 28, qlinear_matmul},
    {"QLinearConv", 10, 28, qlinear_conv},
};

}  // namespace

std::span<const OperatorRow> quantized_operators() { return kQuantizedRows; }

}  // namespace openrknn::onnx
