// Functions that networks have between their layers.
#include <fmt/format.h>

#include "compiler/importers/torchscript/operators.h"

namespace openrknn::torchscript {
namespace {

constexpr char kMish[] = "Mish", kRelu[] = "Relu", kSelu[] = "Selu", kSiLU[] = "SiLU", kSoftsign[] = "Softsign",
               kTanh[] = "Tanh";

Value clip(const Call& call, ValueId x, std::optional<double> least, std::optional<double> most) {
  if (!is_floating(call.dtype(x))) {
    if (least) x = call.add("Max", {x, call.scalar(*least, call.dtype(x))});
    if (most) x = call.add("Min", {x, call.scalar(*most, call.dtype(x))});
    return box(x);
  }
  if (least == 0.0 && !most) return box(call.add("Relu", {x}));
  Attributes bounds;
  if (least) bounds.emplace("min", *least);
  if (most) bounds.emplace("max", *most);
  return box(call.add("Clip", {x}, std::move(bounds)));
}

/// Bounds may be numbers or tensors. Of an integer tensor bounds that are floats make floats.
Value clamp(const Call& call) {
  ValueId x = call.cast(call.tensor(0), result_type(call, call.arguments));
  if (!call.is_tensor(1) && !call.is_tensor(2)) {
    const auto bound = [&](size_t i) { return call.has(i) ? std::optional(call.number(i)) : std::nullopt; };
    return clip(call, x, bound(1), bound(2));
  }
  if (call.has(1)) x = call.add("Max", {x, call.cast(call.tensor(1), call.dtype(x))});
  if (call.has(2)) x = call.add("Min", {x, call.cast(call.tensor(2), call.dtype(x))});
  return box(x);
}
Value clamp_min(const Call& call) {
  return clamp({.run = call.run, .op = call.op, .arguments = {call.at(0), call.at(1)}});
}
Value clamp_max(const Call& call) {
  return clamp({.run = call.run, .op = call.op, .arguments = {call.at(0), None{}, call.at(1)}});
}

Value hardtanh(const Call& call) { return clip(call, call.floating(0), call.number(1, -1), call.number(2, 1)); }
Value relu6(const Call& call) { return clip(call, call.floating(0), 0, 6); }

Value prelu(const Call& call) {
  const ValueId x = call.floating(0), slope = call.floating(1);
  const int64_t count = element_count(call.shape(slope));
  Shape shape(call.rank(x) < 2 ? 0 : static_cast<size_t>(call.rank(x)) - 1, 1);
  if (shape.empty() && count != 1) call.refuse("slopes of channels that are not there");
  if (!shape.empty()) shape[0] = count;
  return box(call.add("PRelu", {x, call.reshape(slope, std::move(shape))}));
}

Value leaky_relu(const Call& call) {
  return box(call.add("LeakyRelu", {call.floating(0)}, {{"alpha", call.number(1, 0.01)}}));
}
Value elu(const Call& call) {
  if (call.number(3, 1) != 1) call.refuse("an input's scale other than 1 is not supported");
  const ValueId y = call.add("Elu", {call.floating(0)}, {{"alpha", call.number(1, 1)}});
  return box(call.number(2, 1) == 1 ? y : call.add("Mul", {y, call.scalar(call.number(2))}));
}
Value celu(const Call& call) { return box(call.add("Celu", {call.floating(0)}, {{"alpha", call.number(1, 1)}})); }
Value gelu(const Call& call) {
  return box(call.add("Gelu", {call.floating(0)}, {{"approximate", call.text(1, "none")}}));
}
Value hard_sigmoid(const Call& call) {
  return box(call.add("HardSigmoid", {call.floating(0)}, {{"alpha", 1.0 / 6}, {"beta", 0.5}}));
}
/// log(1 + exp(beta · x)) / beta, and x itself beyond the threshold, where float32 has no difference.
Value softplus(const Call& call) {
  const ValueId x = call.floating(0);
  const double beta = call.number(1, 1);
  if (beta == 1) return box(call.add("Softplus", {x}));
  const ValueId curve = call.add("Softplus", {call.add("Mul", {x, call.scalar(beta)})});
  return box(call.add("Mul", {curve, call.scalar(1 / beta)}));
}
Value log_sigmoid(const Call& call) {
  return box(call.add("Neg", {call.add("Softplus", {call.add("Neg", {call.floating(0)})})}));
}
Value threshold(const Call& call) {
  const ValueId x = call.floating(0);
  if (call.number(2) == 0 && call.number(1) == 0) return box(call.add("Relu", {x}));
  const ValueId is_above = call.add("Greater", {x, call.scalar(call.number(1))});
  return box(call.add("Where", {is_above, x, call.scalar(call.number(2))}));
}
/// 0 within lambda, x beyond.
Value hard_shrink(const Call& call) {
  const ValueId x = call.floating(0);
  const ValueId is_beyond = call.add("Greater", {call.add("Abs", {x}), call.scalar(call.number(1, 0.5))});
  return box(call.add("Where", {is_beyond, x, call.scalar(0)}));
}
/// x without what of it lies within lambda.
Value soft_shrink(const Call& call) {
  const ValueId x = call.floating(0);
  const double lambda = call.number(1, 0.5);
  const ValueId within = call.add("Clip", {x}, {{"min", -lambda}, {"max", lambda}});
  return box(call.add("Sub", {x, within}));
}
Value glu(const Call& call) {
  const ValueId x = call.floating(0);
  const int64_t axis = call.axis_of(1, x, -1), extent = call.extent(x, axis);
  if (extent % 2 != 0) call.refuse(fmt::format("{} numbers have no halves", extent));
  const ValueId first = call.slice(x, axis, 0, extent / 2), second = call.slice(x, axis, extent / 2, extent);
  return box(call.add("Mul", {first, call.add("Sigmoid", {second})}));
}

Value softmax(const Call& call, std::string_view node) {
  const ValueId x = call.floating(0);
  if (call.rank(x) == 0) call.refuse("of a number");
  return box(call.add(node, {x}, {{"axis", call.axis_of(1, x, -1)}}));
}
Value soft_max(const Call& call) { return softmax(call, "Softmax"); }
Value log_soft_max(const Call& call) { return softmax(call, "LogSoftmax"); }

/// Nothing is dropped once a model is trained.
Value dropout(const Call& call) {
  if (call.flag(2)) call.refuse("the model is in training mode", "call model.eval() before it is saved");
  return call.at(0);
}

constexpr OperatorRow kActivationRows[] = {
    {"aten::alpha_dropout", "input p train", dropout},
    {"aten::celu", "self alpha", celu},
    {"aten::clamp", "self min max", clamp},
    {"aten::clamp_max", "self max", clamp_max},
    {"aten::clamp_min", "self min", clamp_min},
    {"aten::clip", "self min max", clamp},
    {"aten::dropout", "input p train", dropout},
    {"aten::elu", "self alpha scale input_scale", elu},
    {"aten::feature_alpha_dropout", "input p train", dropout},
    {"aten::feature_dropout", "input p train", dropout},
    {"aten::gelu", "self approximate", gelu},
    {"aten::glu", "self dim", glu},
    {"aten::hardshrink", "self lambd", hard_shrink},
    {"aten::hardsigmoid", "self", hard_sigmoid},
    {"aten::hardswish", "self", function_of_floats<kHardSwish>},
    {"aten::hardtanh", "self min_val max_val", hardtanh},
    {"aten::leaky_relu", "self negative_slope", leaky_relu},
    {"aten::log_sigmoid", "self", log_sigmoid},
    {"aten::log_softmax", "self dim dtype", log_soft_max},
    {"aten::mish", "self", function_of_floats<kMish>},
    {"aten::prelu", "self weight", prelu},
    {"aten::_prelu_kernel", "self weight", prelu},
    {"aten::relu", "self", function_of_floats<kRelu>},
    {"aten::relu6", "self", relu6},
    {"aten::selu", "self", function_of_floats<kSelu>},
    {"aten::sigmoid", "self", function_of_floats<kSigmoid>},
    {"aten::silu", "self", function_of_floats<kSiLU>},
    {"aten::softmax", "self dim dtype", soft_max},
    {"aten::_log_softmax", "self dim half_to_float", log_soft_max},
    {"aten::_softmax", "self dim half_to_float", soft_max},
    {"aten::softplus", "self beta threshold", softplus},
    {"aten::softshrink", "self lambd", soft_shrink},
    {"aten::softsign", "self", function_of_floats<kSoftsign>},
    {"aten::tanh", "self", function_of_floats<kTanh>},
    {"aten::threshold", "self threshold value", threshold},
};

}  // namespace

std::span<const OperatorRow> rows_of_activations() { return kActivationRows; }

}  // namespace openrknn::torchscript
