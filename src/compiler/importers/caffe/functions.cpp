// Functions of single numbers.
#include <cmath>

#include "compiler/importers/caffe/layers.h"

namespace openrknn::caffe {
namespace {

Results unary(const Layer& layer, std::string_view op, Attributes attributes = {}) {
  layer.require_inputs(1, 1);
  return {layer.add(op, {layer.inputs[0]}, std::move(attributes))};
}

/// scale * x + shift, without what changes nothing.
ValueId affine(const Layer& layer, ValueId x, double scale, double shift) {
  if (scale != 1) x = layer.add("Mul", {x, layer.scalar("scale", scale)});
  return shift == 0 ? x : layer.add("Add", {x, layer.scalar("shift", shift)});
}

Results relu(const Layer& layer) {
  const double slope = layer.options("relu_param").number("negative_slope", 0);
  return slope == 0 ? unary(layer, "Relu") : unary(layer, "LeakyRelu", {{"alpha", slope}});
}

Results prelu(const Layer& layer) {
  layer.require_inputs(1, 1);
  const bool is_shared = layer.options("prelu_param").boolean("channel_shared", false);
  if (layer.rank() < 2) layer.refuse("the input has no channels");
  Shape shape(static_cast<size_t>(layer.rank()), 1);
  if (!is_shared) shape[1] = layer.shape()[1];
  return {layer.add("PRelu", {layer.inputs[0], layer.weights(0, "slope", std::move(shape))})};
}

Results swish(const Layer& layer) {
  layer.require_inputs(1, 1);
  const ValueId x = layer.inputs[0];
  const ValueId inner = affine(layer, x, layer.options("swish_param").number("beta", 1), 0);
  return {layer.add("Mul", {x, layer.add("Sigmoid", {inner})})};
}

// (shift + scale * x) ^ power
Results power(const Layer& layer) {
  layer.require_inputs(1, 1);
  const Message& options = layer.options("power_param");
  const double exponent = options.number("power", 1);
  const ValueId x = affine(layer, layer.inputs[0], options.number("scale", 1), options.number("shift", 0));
  if (exponent == 1) return {x};
  if (exponent == 2) return {layer.add("Mul", {x, x})};
  return {layer.add("Pow", {x, layer.scalar("power", exponent)})};
}

// base ^ (shift + scale * x); a base of -1 is e
Results exponential(const Layer& layer) {
  layer.require_inputs(1, 1);
  const Message& options = layer.options("exp_param");
  const double base = options.number("base", -1), rate = base == -1 ? 1 : std::log(base);
  if (base != -1 && base <= 0) layer.refuse("base has to be above 0, or -1 for e");
  const ValueId x =
      affine(layer, layer.inputs[0], rate * options.number("scale", 1), rate * options.number("shift", 0));
  return {layer.add("Exp", {x})};
}

// log to the base of (shift + scale * x)
Results logarithm(const Layer& layer) {
  layer.require_inputs(1, 1);
  const Message& options = layer.options("log_param");
  const double base = options.number("base", -1);
  if (base != -1 && (base <= 0 || base == 1)) layer.refuse("base has to be above 0 and not 1, or -1 for e");
  const ValueId x = affine(layer, layer.inputs[0], options.number("scale", 1), options.number("shift", 0));
  return {affine(layer, layer.add("Log", {x}), base == -1 ? 1 : 1 / std::log(base), 0)};
}

Results clip(const Layer& layer) {
  const Message& options = layer.options("clip_param");
  if (!options.has("min") || !options.has("max")) layer.refuse("clip_param needs min and max");
  return unary(layer, "Clip", {{"min", options.number("min", 0)}, {"max", options.number("max", 0)}});
}

Results hard_sigmoid(const Layer& layer) {
  const Message& options = layer.options("hard_sigmoid_param");
  return unary(layer, "HardSigmoid", {{"alpha", options.number("alpha", 0.2)}, {"beta", options.number("beta", 0.5)}});
}

Results elu(const Layer& layer) {
  return unary(layer, "Elu", {{"alpha", layer.options("elu_param").number("alpha", 1)}});
}

constexpr LayerRow kFunctionRows[] = {
    {"AbsVal", [](const Layer& layer) { return unary(layer, "Abs"); }},
    {"BNLL", [](const Layer& layer) { return unary(layer, "Softplus"); }},
    {"Clip", clip},
    {"Dropout", [](const Layer& layer) { return Results{layer.inputs.at(0)}; }},
    {"ELU", elu},
    {"Exp", exponential},
    {"HardSigmoid", hard_sigmoid},
    {"HardSwish", [](const Layer& layer) { return unary(layer, "HardSwish"); }},
    {"Log", logarithm},
    {"Mish", [](const Layer& layer) { return unary(layer, "Mish"); }},
    {"PReLU", prelu},
    {"Power", power},
    {"ReLU", relu},
    {"ReLU6",
     [](const Layer& layer) {
       return unary(layer, "Clip", {{"min", 0.0}, {"max", 6.0}});
     }},
    {"Sigmoid", [](const Layer& layer) { return unary(layer, "Sigmoid"); }},
    {"Swish", swish},
    {"TanH", [](const Layer& layer) { return unary(layer, "Tanh"); }},
};

}  // namespace

std::span<const LayerRow> rows_of_functions() { return kFunctionRows; }

}  // namespace openrknn::caffe
