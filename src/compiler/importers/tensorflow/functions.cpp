// Of one input, number by number, and what passes it on.
#include <fmt/format.h>

#include <limits>

#include "compiler/importers/tensorflow/layers.h"

namespace openrknn::tensorflow {
namespace {

Results unary(const Layer& layer, std::string_view op, Attributes attributes = {}) {
  layer.require_inputs(1, 1);
  const Placed x = layer.input(0);
  return {{layer.add(op, {x.id}, std::move(attributes)), x.form}};
}

template <const char* op>
Results unary(const Layer& layer) {
  return unary(layer, op);
}
constexpr char kAbs[] = "Abs", kAcos[] = "Acos", kAcosh[] = "Acosh", kAsin[] = "Asin", kAsinh[] = "Asinh",
               kAtan[] = "Atan", kAtanh[] = "Atanh", kBitwiseNot[] = "BitwiseNot", kCeil[] = "Ceil", kCos[] = "Cos",
               kCosh[] = "Cosh", kElu[] = "Elu", kErf[] = "Erf", kExp[] = "Exp", kLog[] = "Log", kNeg[] = "Neg",
               kNot[] = "Not", kReciprocal[] = "Reciprocal", kRelu[] = "Relu", kRound[] = "Round", kSelu[] = "Selu",
               kSigmoid[] = "Sigmoid", kSign[] = "Sign", kSin[] = "Sin", kSinh[] = "Sinh", kSoftplus[] = "Softplus",
               kSoftsign[] = "Softsign", kSqrt[] = "Sqrt", kTan[] = "Tan", kTanh[] = "Tanh";

Results same(const Layer& layer) { return {layer.input(0)}; }
Results same_each(const Layer& layer) { return layer.inputs; }

Results relu6(const Layer& layer) { return unary(layer, "Clip", {{"min", 0.0}, {"max", 6.0}}); }
Results leaky(const Layer& layer) { return unary(layer, "LeakyRelu", {{"alpha", layer.node.number("alpha", 0.2)}}); }

Results reciprocal_root(const Layer& layer) {
  layer.require_inputs(1, 1);
  const Placed x = layer.input(0);
  return {{layer.add("Reciprocal", {layer.add("Sqrt", {x.id})}), x.form}};
}
Results square(const Layer& layer) {
  layer.require_inputs(1, 1);
  const Placed x = layer.input(0);
  return {{layer.add("Mul", {x.id, x.id}), x.form}};
}
Results log_of_more(const Layer& layer) {  // log(1 + x)
  layer.require_inputs(1, 1);
  const Placed x = layer.input(0);
  return {{layer.add("Log", {layer.add("Add", {x.id, layer.scalar("one", 1)})}), x.form}};
}
Results exp_less_one(const Layer& layer) {
  layer.require_inputs(1, 1);
  const Placed x = layer.input(0);
  return {{layer.add("Sub", {layer.add("Exp", {x.id}), layer.scalar("one", 1)}), x.form}};
}
Results erf_complement(const Layer& layer) {
  layer.require_inputs(1, 1);
  const Placed x = layer.input(0);
  return {{layer.add("Sub", {layer.scalar("one", 1), layer.add("Erf", {x.id})}), x.form}};
}
Results is_nan(const Layer& layer) {
  layer.require_inputs(1, 1);
  const Placed x = layer.input(0);
  return {{layer.add("Not", {layer.add("Equal", {x.id, x.id})}), x.form}};
}
Results compared_with_infinity(const Layer& layer, std::string_view op) {
  layer.require_inputs(1, 1);
  const Placed x = layer.input(0);
  const ValueId infinity = layer.scalar("infinity", std::numeric_limits<double>::infinity());
  return {{layer.add(op, {layer.add("Abs", {x.id}), infinity}), x.form}};
}
Results is_infinite(const Layer& layer) { return compared_with_infinity(layer, "Equal"); }
Results is_finite(const Layer& layer) { return compared_with_infinity(layer, "Less"); }
Results half_of_squares(const Layer& layer) {
  layer.require_inputs(1, 1);
  const ValueId x = layer.in_source_form();
  Ints axes;
  for (int64_t d = 0; d < layer.rank(); ++d) axes.push_back(d);
  const ValueId sum =
      layer.add("ReduceSum", {layer.add("Mul", {x, x})}, {{"axes", std::move(axes)}, {"keepdims", int64_t{0}}});
  return {{layer.add("Mul", {sum, layer.scalar("half", 0.5)}), ImageForm::Source}};
}
Results softmax_layer(const Layer& layer) { return {softmax(layer, "Softmax", layer.input(0))}; }
Results log_softmax(const Layer& layer) { return {softmax(layer, "LogSoftmax", layer.input(0))}; }

Results cast_layer(const Layer& layer) {
  layer.require_inputs(1, 1);
  const AttributeValue* to = layer.node.find("DstT");
  const std::optional<DType> dtype = to == nullptr ? std::nullopt : dtype_of_type(to->type);
  if (!dtype) layer.refuse("the type it casts to holds no numbers");
  return {{layer.cast_to(computed_as(*dtype), layer.input(0).id), layer.input(0).form}};
}

/// Swish and the like, which came as functions of their own.
Results silu(const Layer& layer) { return unary(layer, "SiLU"); }

/// What is random stays so until something asks a question that has one answer: at a probability of 1 all is kept.
Results random_numbers(const Layer& layer) {
  const Shape shape = layer.ints(0, "the shape");
  for (const int64_t extent : shape)
    if (extent < 0 || extent > kMostExtent) layer.refuse(fmt::format("the shape {} is none", to_string(shape)));
  if (element_count(shape) > int64_t{1} << 28) layer.refuse(fmt::format("the shape {} is too large", to_string(shape)));
  const ValueId id =
      layer.builder().graph.add(Value{.name = layer.node.name + "/random", .dtype = DType::Float32, .shape = shape});
  layer.network.random.emplace(id, Random{});
  return {{id, ImageForm::Source}};
}

constexpr LayerRow kFunctionRows[] = {
    {"Abs", unary<kAbs>},
    {"Acos", unary<kAcos>},
    {"Acosh", unary<kAcosh>},
    {"Asin", unary<kAsin>},
    {"Asinh", unary<kAsinh>},
    {"Atan", unary<kAtan>},
    {"Atanh", unary<kAtanh>},
    {"Cast", cast_layer},
    {"Ceil", unary<kCeil>},
    {"CheckNumerics", same},
    {"Cos", unary<kCos>},
    {"Cosh", unary<kCosh>},
    {"Elu", unary<kElu>},
    {"EnsureShape", same},
    {"Erf", unary<kErf>},
    {"Erfc", erf_complement},
    {"Exp", unary<kExp>},
    {"Expm1", exp_less_one},
    {"Identity", same},
    {"IdentityN", same_each},
    {"Inv", unary<kReciprocal>},
    {"Invert", unary<kBitwiseNot>},
    {"IsFinite", is_finite},
    {"IsInf", is_infinite},
    {"IsNan", is_nan},
    {"L2Loss", half_of_squares},
    {"LeakyRelu", leaky},
    {"Log", unary<kLog>},
    {"Log1p", log_of_more},
    {"LogSoftmax", log_softmax},
    {"LogicalNot", unary<kNot>},
    {"Neg", unary<kNeg>},
    {"PlaceholderWithDefault", same},
    {"PreventGradient", same},
    {"RandomUniform", random_numbers},
    {"Reciprocal", unary<kReciprocal>},
    {"Relu", unary<kRelu>},
    {"Relu6", relu6},
    {"Rint", unary<kRound>},
    {"Round", unary<kRound>},
    {"Rsqrt", reciprocal_root},
    {"Selu", unary<kSelu>},
    {"Sigmoid", unary<kSigmoid>},
    {"Sign", unary<kSign>},
    {"Sin", unary<kSin>},
    {"Sinh", unary<kSinh>},
    {"Snapshot", same},
    {"Softmax", softmax_layer},
    {"Softplus", unary<kSoftplus>},
    {"Softsign", unary<kSoftsign>},
    {"Sqrt", unary<kSqrt>},
    {"Square", square},
    {"StopGradient", same},
    {"Tan", unary<kTan>},
    {"Tanh", unary<kTanh>},
    {"swish_f32", silu},
};

}  // namespace

std::span<const LayerRow> rows_of_functions() { return kFunctionRows; }

}  // namespace openrknn::tensorflow
