// Of one input, number by number.
#include "compiler/importers/tflite/layers.h"

namespace openrknn::tflite {
namespace {

Results unary(const Layer& layer, std::string_view op, Attributes attributes = {}) {
  layer.require_inputs(1, 1);
  const Placed x = layer.real(0);
  return {{layer.add(op, {x.id}, std::move(attributes)), x.form}};
}

template <const char* op>
Results unary(const Layer& layer) {
  return unary(layer, op);
}

constexpr char kAbs[] = "Abs", kCeil[] = "Ceil", kCos[] = "Cos", kElu[] = "Elu", kExp[] = "Exp", kFloor[] = "Floor",
               kHardSwish[] = "HardSwish", kLog[] = "Log", kNeg[] = "Neg", kNot[] = "Not", kRelu[] = "Relu",
               kRound[] = "Round", kSigmoid[] = "Sigmoid", kSign[] = "Sign", kSin[] = "Sin", kSqrt[] = "Sqrt",
               kTanh[] = "Tanh";

Results clip(const Layer& layer, double low, double high) {
  return unary(layer, "Clip", {{"min", low}, {"max", high}});
}
Results relu_n1_to_1(const Layer& layer) { return clip(layer, -1, 1); }
Results relu_0_to_1(const Layer& layer) { return clip(layer, 0, 1); }
Results relu6(const Layer& layer) { return clip(layer, 0, 6); }

Results leaky_relu(const Layer& layer) {
  const auto* options = layer.options<file::LeakyReluOptions>();
  return unary(layer, "LeakyRelu", {{"alpha", static_cast<double>(options == nullptr ? 0 : options->alpha())}});
}

Results gelu(const Layer& layer) {
  const auto* options = layer.options<file::GeluOptions>();
  const bool is_approximate = options != nullptr && options->approximate();
  return unary(layer, "Gelu", {{"approximate", std::string(is_approximate ? "tanh" : "none")}});
}

Results square(const Layer& layer) {
  layer.require_inputs(1, 1);
  const Placed x = layer.real(0);
  return {{layer.add("Mul", {x.id, x.id}), x.form}};
}

Results reciprocal_root(const Layer& layer) {
  layer.require_inputs(1, 1);
  const Placed x = layer.real(0);
  return {{layer.add("Reciprocal", {layer.add("Sqrt", {x.id})}), x.form}};
}

Results softmax_layer(const Layer& layer) {
  layer.require_inputs(1, 1);
  const auto* options = layer.options<file::SoftmaxOptions>();
  Placed x = layer.real(0);
  const float beta = options == nullptr ? 1 : options->beta();
  if (beta != 1) x.id = layer.add("Mul", {x.id, layer.scalar("beta", beta)});
  return {softmax(layer, "Softmax", x)};
}

Results log_softmax(const Layer& layer) {
  layer.require_inputs(1, 1);
  return {softmax(layer, "LogSoftmax", layer.real(0))};
}

Results prelu(const Layer& layer) {
  layer.require_inputs(2, 2);
  const Placed both[] = {layer.real(0), layer.real(1)};
  std::vector<ValueId> operands;
  const ImageForm form = layer.layout().align(both, operands);
  return {{layer.add("PRelu", std::move(operands)), form}};
}

// x / sqrt(max(sum of squares, 1e-6)) over the last dimension: l2normalization.h of the reference kernels.
Results l2_normalization(const Layer& layer) {
  layer.require_inputs(1, 1);
  const auto* options = layer.options<file::FusedOptions>();
  const Placed x = layer.real(0);
  const int64_t axis = dimension_in(x.form, layer.axis(-1, layer.rank()));
  const ValueId sum = layer.add("ReduceSumSquare", {x.id}, {{"axes", Ints{axis}}, {"keepdims", int64_t{1}}});
  const ValueId length = layer.add("Sqrt", {layer.add("Clip", {sum}, {{"min", 1e-6}})});
  const ValueId y = layer.add("Div", {x.id, length});
  return {{layer.activated(y, options == nullptr ? 0 : options->fused_activation()), x.form}};
}

// alpha is that of each square, where the graph's is divided by how many there are.
Results local_response(const Layer& layer) {
  layer.require_inputs(1, 1);
  const auto* options = layer.options<file::LocalResponseNormalizationOptions>();
  if (options == nullptr || options->radius() < 0 || options->radius() > kMostExtent) layer.refuse("it has no radius");
  const int64_t size = 2 * static_cast<int64_t>(options->radius()) + 1;
  const ValueId y = layer.add("LRN", {layer.channels_first(0)},
                              {{"size", size},
                               {"alpha", static_cast<double>(options->alpha()) * static_cast<double>(size)},
                               {"beta", static_cast<double>(options->beta())},
                               {"bias", static_cast<double>(options->bias())}});
  return {{y, ImageForm::ChannelsFirst}};
}

constexpr LayerRow kFunctionRows[] = {
    {8, "FLOOR", unary<kFloor>},
    {11, "L2_NORMALIZATION", l2_normalization},
    {13, "LOCAL_RESPONSE_NORMALIZATION", local_response},
    {14, "LOGISTIC", unary<kSigmoid>},
    {19, "RELU", unary<kRelu>},
    {20, "RELU_N1_TO_1", relu_n1_to_1},
    {21, "RELU6", relu6},
    {25, "SOFTMAX", softmax_layer},
    {28, "TANH", unary<kTanh>},
    {47, "EXP", unary<kExp>},
    {50, "LOG_SOFTMAX", log_softmax},
    {54, "PRELU", prelu},
    {59, "NEG", unary<kNeg>},
    {66, "SIN", unary<kSin>},
    {73, "LOG", unary<kLog>},
    {75, "SQRT", unary<kSqrt>},
    {76, "RSQRT", reciprocal_root},
    {87, "LOGICAL_NOT", unary<kNot>},
    {92, "SQUARE", square},
    {98, "LEAKY_RELU", leaky_relu},
    {101, "ABS", unary<kAbs>},
    {104, "CEIL", unary<kCeil>},
    {108, "COS", unary<kCos>},
    {111, "ELU", unary<kElu>},
    {116, "ROUND", unary<kRound>},
    {117, "HARD_SWISH", unary<kHardSwish>},
    {150, "GELU", gelu},
    {152, "RELU_0_TO_1", relu_0_to_1},
    {158, "SIGN", unary<kSign>},
};

}  // namespace

std::span<const LayerRow> rows_of_functions() { return kFunctionRows; }

}  // namespace openrknn::tflite
