// Operators of the domain com.microsoft that onnxruntime's quantizer writes in its QOperator format, by ONNX Runtime's
// documentation of contrib operators: each is the float operator between its codes.
#include <fmt/format.h>

#include <numeric>

#include "compiler/importers/onnx/codes.h"
#include "compiler/importers/onnx/operators.h"
#include "compiler/importers/onnx/window.h"

namespace openrknn::onnx {
namespace {

/// Codes, scale and zero point as three inputs in a row.
ValueId operand(Translation& t, size_t first) {
  return dequantized(t, t.input(first), t.input(first + 1), t.optional_input(first + 2), 1);
}
/// `real` as codes; scale and zero point are two inputs in a row, codes without zero point have the type `otherwise`.
void produce_codes(Translation& t, ValueId real, size_t scale, DType otherwise) {
  const ValueId zero_point = t.optional_input(scale + 1);
  produce_quantized(t, linear(t, real, t.input(scale), zero_point, 1),
                    zero_point == ValueId::None ? otherwise : t.dtype_of(zero_point));
}

void refuse_channels_last(const Translation& t) {
  if (t.integer("channels_last", 0) == 0) return;
  t.unsupported("channels_last is 1: this form is made while onnxruntime optimizes a model for one machine",
                "give the model as it was before that optimization");
}

void contrib_quantize(Translation& t) {
  const ValueId zero_point = t.optional_input(2);
  produce_quantized(t, linear(t, t.input(0), t.input(1), zero_point, t.integer("axis", 1)),
                    zero_point == ValueId::None ? DType::UInt8 : t.dtype_of(zero_point));
}
void contrib_dequantize(Translation& t) {
  Linear parts = linear(t, t.input(0), t.input(1), t.optional_input(2), t.integer("axis", 1));
  t.produce("DequantizeLinear", std::move(parts.inputs), std::move(parts.attributes));
}

void qlinear_sum(Translation& t) { produce_codes(t, t.emit("Add", {operand(t, 0), operand(t, 3)}), 6, t.dtype(0)); }
void qlinear_product(Translation& t) { produce_codes(t, t.emit("Mul", {operand(t, 0), operand(t, 3)}), 6, t.dtype(0)); }
void qlinear_where(Translation& t) {
  produce_codes(t, t.emit("Where", {t.input(0), operand(t, 1), operand(t, 4)}), 7, t.dtype(1));
}
void qlinear_sigmoid(Translation& t) { produce_codes(t, t.emit("Sigmoid", {operand(t, 0)}), 3, t.dtype(0)); }
void qlinear_leaky_relu(Translation& t) {
  produce_codes(t, t.emit("LeakyRelu", {operand(t, 0)}, {{"alpha", t.real("alpha", 0.01)}}), 3, t.dtype(0));
}

void qlinear_average_pool(Translation& t) {
  refuse_channels_last(t);
  const Window window = read_window(t, {});
  const bool same = window.auto_pad.starts_with("SAME");
  const Attributes attributes = {{"kernel_shape", window.kernel},
                                 {"strides", window.strides},
                                 {"pads", window.pads},
                                 {"dilations", window.dilations},
                                 {"ceil_mode", same ? int64_t{0} : t.integer("ceil_mode", 0)},
                                 {"count_include_pad", t.integer("count_include_pad", 0)}};
  produce_codes(t, t.emit("AveragePool", {operand(t, 0)}, attributes), 3, t.dtype(0));
}
void qlinear_global_average_pool(Translation& t) {
  refuse_channels_last(t);
  produce_codes(t, t.emit("GlobalAveragePool", {operand(t, 0)}), 3, t.dtype(0));
}
void qlinear_reduce_mean(Translation& t) {
  std::vector<int64_t> axes = t.integers("axes");
  if (axes.empty()) {
    axes.resize(static_cast<size_t>(t.rank(0)));
    std::iota(axes.begin(), axes.end(), 0);
  }
  const Attributes attributes = {{"axes", t.axes(std::move(axes), t.rank(0))}, {"keepdims", t.integer("keepdims", 1)}};
  produce_codes(t, t.emit("ReduceMean", {operand(t, 0)}, attributes), 3, t.dtype(0));
}

/// Before opset 13 of the default domain, which `opset` repeats, all dimensions from `axis` on are one vector.
void qlinear_softmax(Translation& t) {
  const int64_t axis = t.axis(t.integer("axis", -1), t.rank(0));
  const ValueId x = operand(t, 0);
  if (t.integer("opset", 13) >= 13) {
    return produce_codes(t, t.emit("Softmax", {x}, {{"axis", axis}}), 3, t.dtype(0));
  }
  const Shape shape = t.shape(0);
  const int64_t rows = element_count(Shape(shape.begin(), shape.begin() + axis));
  const int64_t columns = element_count(Shape(shape.begin() + axis, shape.end()));
  const ValueId flat = t.emit("Softmax", {t.reshape(x, {rows, columns})}, {{"axis", int64_t{1}}});
  produce_codes(t, t.reshape(flat, shape), 3, t.dtype(0));
}

/// Scale and zero point of the result come first, then three inputs an operand.
void qlinear_concat(Translation& t) {
  if (t.input_count() < 5 || (t.input_count() - 2) % 3 != 0) {
    t.fail(Code::ImportBadFile, fmt::format("{} inputs, expected two and then three for each operand", t.input_count()),
           "export the model again");
  }
  std::vector<ValueId> operands;
  for (size_t i = 2; i < t.input_count(); i += 3) operands.push_back(operand(t, i));
  const int64_t axis = t.axis(t.required_integer("axis"), t.rank(2));
  produce_codes(t, t.emit("Concat", std::move(operands), {{"axis", axis}}), 0, t.dtype(2));
}

/// alpha · (A' · B' + C), C Int32 at the product of the scales; without a result's scale the numbers themselves.
void qgemm(Translation& t) {
  const bool turn_a = t.integer("transA", 0) != 0, turn_b = t.integer("transB", 0) != 0;
  ValueId a = dequantized(t, t.input(0), one_number(t, t.input(1)), t.optional_input(2), 1);
  const ValueId b_scale = one_number(t, t.input(4));
  ValueId b = dequantized(t, t.input(3), b_scale, t.optional_input(5), turn_b ? 0 : 1);
  if (turn_a) a = t.transpose(a, {1, 0});
  if (turn_b) b = t.transpose(b, {1, 0});
  std::vector<ValueId> inputs = {a, b};
  ValueId rest = ValueId::None;
  if (t.has(6)) {
    const ValueId scale = t.emit("Mul", {one_number(t, t.input(1)), b_scale});
    const int64_t columns = t.shape_of(b)[1];
    if (element_count(t.shape(6)) == columns) {
      inputs.push_back(dequantized(t, t.reshape(t.input(6), {columns}), scale, ValueId::None, 0));
    } else {
      const int64_t last = t.rank(6) - 1;
      rest = dequantized(t, t.input(6), scale, ValueId::None, std::max<int64_t>(last, 0));
    }
  }
  ValueId y = t.emit("MatMul", std::move(inputs));
  if (rest != ValueId::None) y = t.emit("Add", {y, rest});
  if (const double alpha = t.real("alpha", 1.0); alpha != 1.0) y = t.emit("Mul", {y, t.scalar(alpha, DType::Float32)});
  if (!t.has(7)) return t.forward(y);
  produce_codes(t, y, 7, t.dtype(0));
}

void contrib_conv(Translation& t) {
  refuse_channels_last(t);
  find_operator("QLinearConv", 10)->translate(t);
}

constexpr OperatorRow kContribRows[] = {
    {"QuantizeLinear", 1, 1, contrib_quantize},
    {"DequantizeLinear", 1, 1, contrib_dequantize},
    {"QLinearAdd", 1, 1, qlinear_sum},
    {"QLinearMul", 1, 1, qlinear_product},
    {"QLinearWhere", 1, 1, qlinear_where},
    {"QLinearSigmoid", 1, 1, qlinear_sigmoid},
    {"QLinearLeakyRelu", 1, 1, qlinear_leaky_relu},
    {"QLinearAveragePool", 1, 1, qlinear_average_pool},
    {"QLinearGlobalAveragePool", 1, 1, qlinear_global_average_pool},
    {"QLinearReduceMean", 1, 1, qlinear_reduce_mean},
    {"QLinearSoftmax", 1, 1, qlinear_softmax},
    {"QLinearConcat", 1, 1, qlinear_concat},
    {"QLinearConv", 1, 1, contrib_conv},
    {"QGemm", 1, 1, qgemm},
};

}  // namespace

std::span<const OperatorRow> contrib_operators() { return kContribRows; }

}  // namespace openrknn::onnx
