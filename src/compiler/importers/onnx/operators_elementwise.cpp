// One input, one output, each element on its own.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "compiler/importers/onnx/operators.h"

namespace openrknn::onnx {
namespace {

void same(Translation& t) { t.produce(t.op(), {t.input(0)}); }

/// Float attributes that keep their ONNX names; what the file leaves out gets ONNX's default.
struct Default {
  std::string_view name;
  double value;
};
template <size_t N>
void with_floats(Translation& t, const std::array<Default, N>& defaults) {
  Attributes attributes;
  for (const Default& row : defaults) attributes.emplace(std::string(row.name), t.real(row.name, row.value));
  t.produce(t.op(), {t.input(0)}, std::move(attributes));
}
// Defaults that are no short decimals are the float32 numbers of the ONNX specification.
void leaky_relu(Translation& t) { with_floats<1>(t, {{{"alpha", double{0.01f}}}}); }
void alpha_one(Translation& t) { with_floats<1>(t, {{{"alpha", 1.0}}}); }
void selu(Translation& t) { with_floats<2>(t, {{{"alpha", double{1.67326319f}}, {"gamma", double{1.05070102f}}}}); }
void hard_sigmoid(Translation& t) { with_floats<2>(t, {{{"alpha", double{0.2f}}, {"beta", 0.5}}}); }

void gelu(Translation& t) {
  const std::string approximate = t.text("approximate", "none");
  if (approximate != "none" && approximate != "tanh") {
    t.unsupported(fmt::format("approximate is '{}', expected 'none' or 'tanh'", approximate));
  }
  t.produce("Gelu", {t.input(0)}, {{"approximate", approximate}});
}

/// x · sigmoid(alpha · x); SiLU is the case alpha = 1.
void swish_of(Translation& t, ValueId x, bool last, ValueId& result) {
  const double alpha = t.real("alpha", 1.0);
  if (alpha == 1.0) {
    if (last) return t.produce("SiLU", {x});
    result = t.emit("SiLU", {x});
    return;
  }
  const ValueId gate = t.emit("Sigmoid", {t.emit("Mul", {x, t.scalar(alpha, t.dtype_of(x))})});
  if (last) return t.produce("Mul", {x, gate});
  result = t.emit("Mul", {x, gate});
}
void swish(Translation& t) {
  ValueId unused{};
  swish_of(t, t.input(0), true, unused);
}
void swiglu(Translation& t) {
  ValueId gated{};
  swish_of(t, t.input(0), false, gated);
  t.produce("Mul", {gated, t.input(1)});
}

/// The standard has the error function of integers, too.
void erf(Translation& t) {
  if (is_floating(t.dtype(0))) return same(t);
  const ValueId y = t.emit("Erf", {t.cast(t.input(0), DType::Float32)});
  t.produce("Cast", {y}, {{"to", static_cast<int64_t>(t.dtype(0))}});
}

/// y = x + bias for x < -lambd, x - bias for x > lambd, else 0.
void shrink(Translation& t) {
  const ValueId x = t.input(0);
  const double lambd = t.real("lambd", 0.5), bias = t.real("bias", 0.0);
  const DType dtype = t.dtype(0);
  const ValueId real = t.cast(x, DType::Float32);  // integers are moved by a fraction, then truncate
  const auto number = [&](double value) { return t.scalar(value, DType::Float32); };
  const auto moved = [&](std::string_view op) { return t.cast(t.emit(op, {real, number(bias)}), dtype); };
  const ValueId below = t.emit("Where", {t.emit("Less", {real, number(-lambd)}), moved("Add"), t.scalar(0, dtype)});
  t.produce("Where", {t.emit("Greater", {real, number(lambd)}), moved("Sub"), below});
}

/// Clip with bounds from attributes (opset 6) or inputs (opset 11). Bounds computed at run time, and integers, which
/// the float attributes of our Clip could not hold exactly, become Max and Min.
void clip(Translation& t) {
  const ValueId x = t.input(0);
  if (t.opset() < 11) {
    Attributes attributes;
    constexpr double kLargest = std::numeric_limits<float>::max();
    const double low = t.real("min", -kLargest), high = t.real("max", kLargest);
    if (low > -kLargest) attributes.emplace("min", low);
    if (high < kLargest) attributes.emplace("max", high);
    if (attributes.empty()) return t.forward(x);
    return t.produce("Clip", {x}, std::move(attributes));
  }
  const bool has_low = t.has(1), has_high = t.has(2);
  const bool fixed = (!has_low || t.constant(1) != nullptr) && (!has_high || t.constant(2) != nullptr);
  if (!has_low && !has_high) return t.forward(x);
  if (fixed && is_floating(t.dtype(0))) {
    const auto bound = [&](size_t input, std::string_view name) {
      const std::vector<double> values = t.known_doubles(input, name);
      if (values.size() != 1) t.fail(Code::ImportShapeMismatch, fmt::format("{} must be one number", name));
      return values[0];
    };
    Attributes attributes;
    if (has_high) attributes.emplace("max", bound(2, "max"));
    // Where the bounds cross, everything becomes the upper one.
    if (has_low) attributes.emplace("min", has_high ? std::min(bound(1, "min"), bound(2, "max")) : bound(1, "min"));
    return t.produce("Clip", {x}, std::move(attributes));
  }
  if (has_low && has_high) return t.produce("Min", {t.emit("Max", {x, t.input(1)}), t.input(2)});
  if (has_low) return t.produce("Max", {x, t.input(1)});
  t.produce("Min", {x, t.input(2)});
}

void cast_to(Translation& t, DType dtype) {
  const ValueId x = t.input(0);
  if (t.dtype(0) == dtype) return t.forward(x);
  t.produce("Cast", {x}, {{"to", static_cast<int64_t>(dtype)}});
}

// `saturate` and `round_mode` speak of float8 alone, which is refused by its type.
void cast(Translation& t) {
  const auto type = static_cast<ElementType>(t.required_integer("to"));
  const std::optional<DType> dtype = ir_dtype(type);
  if (!dtype) {
    t.fail(Code::ImportUnsupportedType,
           fmt::format("casts to {} are not supported: {}", name(type), type_refusal(type)));
  }
  cast_to(t, *dtype);
}
void cast_like(Translation& t) { cast_to(t, t.dtype(1)); }

/// Same bits, other type. 16- and 64-bit floats are float32 here, so their bits are not there to be seen.
void bit_cast(Translation& t) {
  const auto type = static_cast<ElementType>(t.required_integer("to"));
  const std::optional<DType> dtype = ir_dtype(type);
  const bool seen = type == ElementType::Float || (dtype && !is_floating(*dtype));
  if (!seen || (is_floating(t.dtype(0)) && bit_width(*dtype) != 32)) {
    t.fail(Code::ImportUnsupportedType,
           fmt::format("the bits of {} cannot be seen, because they are computed as float32",
                       seen ? "float16, bfloat16 and double tensors" : name(type)),
           "compute this outside of the model");
  }
  if (t.dtype(0) == *dtype) return t.forward(t.input(0));
  const bool boolean = t.dtype(0) == DType::Bool || *dtype == DType::Bool;  // a byte of 0 or 1
  t.produce(boolean ? "Cast" : "BitCast", {t.input(0)}, {{"to", static_cast<int64_t>(*dtype)}});
}

// x != x holds for NaN alone.
void is_nan(Translation& t) {
  const ValueId x = t.input(0);
  t.produce("Not", {t.emit("Equal", {x, x})});
}
void is_inf(Translation& t) {
  const ValueId x = t.input(0);
  const double inf = std::numeric_limits<double>::infinity();
  const bool positive = t.integer("detect_positive", 1) != 0, negative = t.integer("detect_negative", 1) != 0;
  const auto equal = [&](double bound) { return std::vector<ValueId>{x, t.scalar(bound, t.dtype(0))}; };
  if (positive && negative) return t.produce("Or", {t.emit("Equal", equal(inf)), t.emit("Equal", equal(-inf))});
  if (positive) return t.produce("Equal", equal(inf));
  if (negative) return t.produce("Equal", equal(-inf));
  const ValueId equals = t.emit("Equal", {x, x});
  t.produce("And", {equals, t.emit("Not", {equals})});  // false everywhere
}

constexpr OperatorRow kElementwiseRows[] = {
    {"Relu", 6, 28, same},
    {"LeakyRelu", 6, 28, leaky_relu},
    {"Elu", 6, 28, alpha_one},
    {"Celu", 12, 28, alpha_one},
    {"ThresholdedRelu", 10, 28, alpha_one},
    {"Selu", 6, 28, selu},
    {"HardSigmoid", 6, 28, hard_sigmoid},
    {"HardSwish", 14, 28, same},
    {"Sigmoid", 6, 28, same},
    {"Tanh", 6, 28, same},
    {"Softplus", 1, 28, same},
    {"Softsign", 1, 28, same},
    {"Mish", 18, 28, same},
    {"Gelu", 20, 28, gelu},
    {"Swish", 24, 28, swish},
    {"SwiGLU", 28, 28, swiglu},
    {"Erf", 9, 28, erf},
    {"Exp", 6, 28, same},
    {"Log", 6, 28, same},
    {"Sqrt", 6, 28, same},
    {"Reciprocal", 6, 28, same},
    {"Neg", 6, 28, same},
    {"Abs", 6, 28, same},
    {"Floor", 6, 28, same},
    {"Ceil", 6, 28, same},
    {"Round", 11, 28, same},
    {"Sign", 9, 28, same},
    {"Sin", 7, 28, same},
    {"Cos", 7, 28, same},
    {"Tan", 7, 28, same},
    {"Asin", 7, 28, same},
    {"Acos", 7, 28, same},
    {"Atan", 7, 28, same},
    {"Sinh", 9, 28, same},
    {"Cosh", 9, 28, same},
    {"Asinh", 9, 28, same},
    {"Acosh", 9, 28, same},
    {"Atanh", 9, 28, same},
    {"Not", 1, 28, same},
    {"BitwiseNot", 18, 28, same},
    {"BitCast", 26, 28, bit_cast},
    {"Clip", 6, 28, clip},
    {"Shrink", 9, 28, shrink},
    {"Cast", 6, 28, cast},
    {"CastLike", 15, 28, cast_like},
    {"IsNaN", 9, 28, is_nan},
    {"IsInf", 10, 28, is_inf},
};

}  // namespace

std::span<const OperatorRow> elementwise_operators() { return kElementwiseRows; }

}  // namespace openrknn::onnx
