// Elementwise ops of one operand.
#include <fmt/format.h>

#include "core/graph/schemas/helpers.h"
#include "core/graph/schemas/tables.h"

namespace openrknn::schemas {
namespace {

constexpr AttributeSpec kClip[] = {
    {"min", AttributeType::Float, false, "lower bound; absent: none"},
    {"max", AttributeType::Float, false, "upper bound; absent: none"},
};
constexpr AttributeSpec kLeakyRelu[] = {{"alpha", AttributeType::Float, false, "slope below 0; default 0.01"}};
constexpr AttributeSpec kElu[] = {{"alpha", AttributeType::Float, false, "default 1"}};
constexpr AttributeSpec kSelu[] = {
    {"alpha", AttributeType::Float, false, "default 1.67326319217681884765625"},
    {"gamma", AttributeType::Float, false, "default 1.05070102214813232421875"},
};
constexpr AttributeSpec kHardSigmoid[] = {
    {"alpha", AttributeType::Float, false, "slope; default 0.2"},
    {"beta", AttributeType::Float, false, "value at 0; default 0.5"},
};
constexpr AttributeSpec kThresholdedRelu[] = {{"alpha", AttributeType::Float, false, "threshold; default 1"}};
constexpr AttributeSpec kGelu[] = {
    {"approximate", AttributeType::String, false, "\"none\" (default: by erf) or \"tanh\""}};
constexpr AttributeSpec kCast[] = {{"to", AttributeType::Int, true, "number of the DType of the output"}};

void infer_function(Inference& inference) {
  require_real(inference, 0);
  infer_same(inference);
}

void infer_gelu(Inference& inference) {
  choice_of(inference, "approximate", {"none", "tanh"});
  infer_function(inference);
}

void infer_clip(Inference& inference) {
  const Attributes& attributes = inference.attributes();
  if (has_attribute(attributes, "min") && has_attribute(attributes, "max")) {
    const double low = float_attribute(attributes, "min", 0), high = float_attribute(attributes, "max", 0);
    if (!(low <= high)) inference.fail(fmt::format("Clip has min {} and max {}, expected min <= max", low, high));
  }
  infer_same(inference);
}

void infer_prelu(Inference& inference) {
  require_equal_types(inference, 0, 1);
  const Shape& x = inference.shape(0);
  const Shape out = broadcast_shapes(inference, x, inference.shape(1));
  if (out.size() != x.size() || !std::equal(out.begin(), out.end(), x.begin(), fits)) {
    inference.fail(fmt::format("slope has shape {}, expected one that broadcasts to the input's {}",
                               to_string(inference.shape(1)), to_string(x)));
  }
  infer_same(inference);
}

void infer_cast(Inference& inference) {
  const int64_t to = int_attribute(inference.attributes(), "to", 0);
  if (to < 0 || to >= kDTypeCount) {
    inference.fail(fmt::format("attribute 'to' is {}, expected a DType number 0 to {}", to, kDTypeCount - 1));
  }
  inference.set(0, static_cast<DType>(to), inference.shape(0));
}

void infer_bitwise_not(Inference& inference) {
  require_integer(inference, 0);
  infer_same(inference);
}

/// Floats of 16 and 64 bits are float32 in a golden graph: their bits are not there.
void infer_bit_cast(Inference& inference) {
  infer_cast(inference);
  const DType from = inference.dtype(0), to = inference.outputs[0].dtype;
  if (bit_width(from) != bit_width(to)) {
    inference.fail(fmt::format("BitCast from {} to {}, expected types of equal size", name(from), name(to)));
  }
  if (from == DType::Bool || to == DType::Bool) {
    inference.fail(fmt::format("BitCast from {} to {}, expected no bool", name(from), name(to)), "use Cast");
  }
}

void infer_not(Inference& inference) {
  require_dtype(inference, 0, DType::Bool);
  infer_same(inference);
}

constexpr OpSchema unary(std::string_view name, QuantRule quant, void (*infer)(Inference&), std::string_view summary) {
  return {.name = name,
          .inputs = {1, 1},
          .outputs = {1, 1},
          .layout = LayoutRule::Any,
          .quant = quant,
          .infer = infer,
          .summary = summary};
}

/// Functions that an integer build looks up in a table (input 1, filled by lower).
constexpr OpSchema curve(std::string_view name, QuantRule quant, std::string_view summary,
                         std::span<const AttributeSpec> attributes = {}, void (*infer)(Inference&) = infer_function) {
  OpSchema row = unary(name, quant, infer, summary);
  row.attributes = attributes;
  row.inputs = {1, 2};
  return row;
}

constexpr OpSchema with_attributes(OpSchema row, std::span<const AttributeSpec> attributes) {
  row.attributes = attributes;
  return row;
}

const OpSchema kElementwiseSchemas[] = {
    unary("Relu", QuantRule::Same, infer_same, "max(x, 0)."),
    with_attributes(unary("Clip", QuantRule::Same, infer_clip, "min(max(x, min), max)."), kClip),
    curve("LeakyRelu", QuantRule::Compute, "x, alpha * x below 0.", kLeakyRelu),
    curve("Elu", QuantRule::Compute, "x, alpha * (exp(x) - 1) below 0.", kElu),
    curve("Selu", QuantRule::Compute, "gamma * x, gamma * alpha * (exp(x) - 1) below 0.", kSelu),
    curve("Celu", QuantRule::Compute, "max(0, x) + min(0, alpha * (exp(x / alpha) - 1)).", kElu),
    curve("HardSigmoid", QuantRule::Natural, "max(0, min(1, alpha * x + beta)).", kHardSigmoid),
    curve("ThresholdedRelu", QuantRule::Compute, "x where x > alpha, else 0.", kThresholdedRelu),
    {.name = "PRelu",
     .inputs = {2, 2},
     .outputs = {1, 1},
     .layout = LayoutRule::Any,
     .data_inputs = 0b11,
     .quant = QuantRule::Compute,
     .infer = infer_prelu,
     .summary = "x, slope * x below 0; slope broadcasts to x."},
    curve("Sigmoid", QuantRule::Natural, "1 / (1 + exp(-x))."),
    curve("Tanh", QuantRule::Natural, "Hyperbolic tangent."),
    curve("Softplus", QuantRule::Compute, "log(1 + exp(x))."),
    curve("Softsign", QuantRule::Compute, "x / (1 + |x|)."),
    curve("SiLU", QuantRule::Compute, "x * sigmoid(x)."),
    curve("HardSwish", QuantRule::Compute, "x * max(0, min(1, x / 6 + 1/2))."),
    curve("Mish", QuantRule::Compute, "x * tanh(softplus(x))."),
    curve("Gelu", QuantRule::Compute, "x * (1 + erf(x / sqrt 2)) / 2, or its tanh form.", kGelu, infer_gelu),
    unary("Erf", QuantRule::Float, infer_function, "Error function."),
    unary("Exp", QuantRule::Float, infer_function, "e to the power x."),
    unary("Log", QuantRule::Float, infer_function, "Natural logarithm."),
    unary("Sqrt", QuantRule::Float, infer_function, "Square root."),
    unary("Reciprocal", QuantRule::Float, infer_function, "1 / x."),
    unary("Neg", QuantRule::Compute, infer_same, "-x."),
    unary("Abs", QuantRule::Compute, infer_same, "|x|."),
    unary("Floor", QuantRule::Float, infer_function, "Largest integer not above x."),
    unary("Ceil", QuantRule::Float, infer_function, "Smallest integer not below x."),
    unary("Round", QuantRule::Float, infer_function, "Nearest integer, half to even."),
    unary("Sign", QuantRule::Float, infer_same, "-1, 0 or 1."),
    unary("Sin", QuantRule::Float, infer_function, "Sine."),
    unary("Cos", QuantRule::Float, infer_function, "Cosine."),
    unary("Tan", QuantRule::Float, infer_function, "Tangent."),
    unary("Asin", QuantRule::Float, infer_function, "Arc sine; NaN outside [-1, 1]."),
    unary("Acos", QuantRule::Float, infer_function, "Arc cosine; NaN outside [-1, 1]."),
    unary("Atan", QuantRule::Float, infer_function, "Arc tangent."),
    unary("Sinh", QuantRule::Float, infer_function, "Hyperbolic sine."),
    unary("Cosh", QuantRule::Float, infer_function, "Hyperbolic cosine."),
    unary("Asinh", QuantRule::Float, infer_function, "Inverse hyperbolic sine."),
    unary("Acosh", QuantRule::Float, infer_function, "Inverse hyperbolic cosine; NaN below 1."),
    unary("Atanh", QuantRule::Float, infer_function, "Inverse hyperbolic tangent; NaN outside [-1, 1]."),
    with_attributes(unary("Cast", QuantRule::Index, infer_cast, "The same numbers in another type; floats truncate."),
                    kCast),
    unary("Convert", QuantRule::Compute, infer_same,
          "The same real numbers in the output's own dtype and quantization; the only op that does nothing else."),
    unary("Not", QuantRule::Index, infer_not, "Logical not of Bools."),
    unary("BitwiseNot", QuantRule::Index, infer_bitwise_not, "Every bit of an integer the other way."),
    with_attributes(unary("BitCast", QuantRule::Index, infer_bit_cast, "The same bits as another type of equal size."),
                    kCast),
};

}  // namespace

std::span<const OpSchema> elementwise() { return kElementwiseSchemas; }

}  // namespace openrknn::schemas
