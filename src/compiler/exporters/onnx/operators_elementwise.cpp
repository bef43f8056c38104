// Each element on its own: functions, also fused ones, arithmetic and conversions.
#include <algorithm>
#include <iterator>

#include "compiler/exporters/onnx/operators.h"

namespace openrknn::onnx_export {
namespace {

/// Functions with parameters, and what the parameters are if the graph leaves them out.
struct Parameter {
  std::string_view function, name;
  double fallback;
};
constexpr Parameter kParameters[] = {
    {"LeakyRelu", "alpha", double{0.01f}},
    {"Elu", "alpha", 1},
    {"Celu", "alpha", 1},
    {"ThresholdedRelu", "alpha", 1},
    {"Selu", "alpha", double{1.67326319f}},
    {"Selu", "gamma", double{1.05070102f}},
    {"HardSigmoid", "alpha", double{0.2f}},
    {"HardSigmoid", "beta", 0.5},
};

/// A curve; its table, if it has one, says the same in integers.
void function(Emission& e) { write_function(e, e.node.op, e.in(0), ""); }

void arithmetic(Emission& e) { write_with_activation(e, e.node.op, {e.in(0), e.in(1)}, {}); }

void with_attributes(Emission& e, std::initializer_list<std::string_view> names) {
  e.produce(e.node.op, e.all_inputs(), e.attributes(names));
}
void mod(Emission& e) { with_attributes(e, {"fmod"}); }
/// ONNX shifts unsigned numbers only.
void bit_shift(Emission& e) {
  if (is_signed(e.value(0).dtype)) return e.produce_own();
  with_attributes(e, {"direction"});
}

void cast(Emission& e) {
  e.produce("Cast", {e.in(0)}, {{"to", int64_t{element_type(type_in_file(e.result()).dtype)}}});
}

/// The number stays; how it is kept changes, and that is written behind every node.
void convert(Emission& e) { e.produce("Identity", {e.in(0)}); }

constexpr OperatorRow kElementwiseRows[] = {
    {"Relu", function},
    {"Clip", function},
    {"LeakyRelu", function},
    {"Elu", function},
    {"Selu", function},
    {"Celu", function},
    {"HardSigmoid", function},
    {"ThresholdedRelu", function},
    {"Sigmoid", function},
    {"Tanh", function},
    {"Softplus", function},
    {"Softsign", function},
    {"SiLU", function},
    {"HardSwish", function},
    {"Mish", function},
    {"Gelu", function},
    {"PRelu", write_same},
    {"Erf", write_same},
    {"Exp", write_same},
    {"Log", write_same},
    {"Sqrt", write_same},
    {"Reciprocal", write_same},
    {"Neg", write_same},
    {"Abs", write_same},
    {"Floor", write_same},
    {"Ceil", write_same},
    {"Round", write_same},
    {"Sign", write_same},
    {"Sin", write_same},
    {"Cos", write_same},
    {"Tan", write_same},
    {"Asin", write_same},
    {"Acos", write_same},
    {"Atan", write_same},
    {"Sinh", write_same},
    {"Cosh", write_same},
    {"Asinh", write_same},
    {"Acosh", write_same},
    {"Atanh", write_same},
    {"Not", write_same},
    {"BitwiseNot", write_same},
    {"Add", arithmetic},
    {"Sub", arithmetic},
    {"Mul", arithmetic},
    {"Div", arithmetic},
    {"Pow", write_same},
    {"Mod", mod},
    {"Max", write_same},
    {"Min", write_same},
    {"Equal", write_same},
    {"Greater", write_same},
    {"GreaterOrEqual", write_same},
    {"Less", write_same},
    {"LessOrEqual", write_same},
    {"And", write_same},
    {"Or", write_same},
    {"Xor", write_same},
    {"BitwiseAnd", write_same},
    {"BitwiseOr", write_same},
    {"BitwiseXor", write_same},
    {"BitShift", bit_shift},
    {"Where", write_same},
    {"Cast", cast},
    {"Convert", convert},
};

}  // namespace

void write_same(Emission& e) { e.produce(e.node.op, e.all_inputs()); }

void write_function(Emission& e, std::string_view function, const std::string& x, std::string_view prefix) {
  const auto key = [&](std::string_view name) { return std::string(prefix) + std::string(name); };
  if (function == "SiLU") return e.produce("Mul", {x, e.emit("Sigmoid", {x})});
  if (function == "Clip") {
    const DType dtype = type_in_file(e.result()).dtype;
    const auto bound = [&](std::string_view name) {
      return e.has_attribute(key(name)) ? e.number(e.real(key(name), 0), dtype, name) : std::string();
    };
    const std::string low = bound("min");
    return e.produce("Clip", {x, low, bound("max")});
  }
  std::vector<NamedAttribute> attributes;
  for (const Parameter& row : kParameters) {
    if (row.function == function) {
      attributes.push_back({std::string(row.name), e.real(key(row.name), row.fallback)});
    }
  }
  if (function == "Gelu") attributes.push_back({"approximate", e.text(key("approximate"), "none")});
  e.produce(function, {x}, std::move(attributes));
}

void write_with_activation(Emission& e, std::string_view op, std::vector<std::string> inputs,
                           std::vector<NamedAttribute> attributes) {
  const std::string activation = e.text("activation", "");
  if (activation.empty()) return e.produce(op, std::move(inputs), std::move(attributes));
  const std::string linear = e.emit(op, std::move(inputs), std::move(attributes));
  write_function(e, activation, linear, "activation_");
}

std::span<const OperatorRow> elementwise_operators() { return kElementwiseRows; }

}  // namespace openrknn::onnx_export
