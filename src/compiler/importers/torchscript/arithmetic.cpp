// Numbers with numbers, of the type torch computes them in.
#include <fmt/format.h>

#include <array>

#include "compiler/importers/torchscript/operators.h"

namespace openrknn::torchscript {
namespace {

Value binary(const Call& call, std::string_view node, bool to_float = false) {
  const auto [a, b] = promoted(call, 0, 1, to_float);
  return box(call.add(node, {a, b}));
}

/// b · alpha, as add and sub have it.
ValueId times_alpha(const Call& call, size_t i, ValueId x) {
  if (!call.has(i) || call.number(i) == 1) return x;
  return call.add("Mul", {x, call.scalar(call.number(i), call.dtype(x))});
}

Value add(const Call& call) {
  const auto [a, b] = promoted(call, 0, 1);
  if (call.dtype(a) == DType::Bool) return box(call.add("Or", {a, b}));
  return box(call.add("Add", {a, times_alpha(call, 2, b)}));
}
Value subtract(const Call& call) {
  const auto [a, b] = promoted(call, 0, 1);
  return box(call.add("Sub", {a, times_alpha(call, 2, b)}));
}
/// other - alpha · self
Value subtract_from(const Call& call) {
  const auto [a, b] = promoted(call, 0, 1);
  return box(call.add("Sub", {b, times_alpha(call, 2, a)}));
}
Value multiply(const Call& call) {
  const auto [a, b] = promoted(call, 0, 1);
  return box(call.add(call.dtype(a) == DType::Bool ? "And" : "Mul", {a, b}));
}

ValueId remainder_of(const Call& call, ValueId a, ValueId b) {
  if (!is_floating(call.dtype(a))) return call.add("Mod", {a, b});
  // Of floats: a - floor(a / b) · b.
  const ValueId times = call.add("Floor", {call.add("Div", {a, b})});
  return call.add("Sub", {a, call.add("Mul", {times, b})});
}

ValueId floor_quotient(const Call& call, ValueId a, ValueId b) {
  if (is_floating(call.dtype(a))) return call.add("Floor", {call.add("Div", {a, b})});
  return call.add("Div", {call.add("Sub", {a, call.add("Mod", {a, b})}), b});  // Mod has the divisor's sign
}

Value divide(const Call& call) {
  const std::string mode = call.text(2);
  if (mode.empty()) return binary(call, "Div", true);
  const auto [a, b] = promoted(call, 0, 1);
  if (mode == "floor") return box(floor_quotient(call, a, b));
  if (mode != "trunc") call.refuse(fmt::format("the rounding '{}'", mode));
  const ValueId quotient = call.add("Div", {a, b});
  return box(is_floating(call.dtype(a)) ? call.truncated(quotient) : quotient);
}
Value floor_divide(const Call& call) {
  const auto [a, b] = promoted(call, 0, 1);
  return box(floor_quotient(call, a, b));
}
Value remainder(const Call& call) {
  const auto [a, b] = promoted(call, 0, 1);
  return box(remainder_of(call, a, b));
}
Value fmod(const Call& call) {
  const auto [a, b] = promoted(call, 0, 1);
  return box(call.add("Mod", {a, b}, {{"fmod", int64_t{1}}}));
}

Value power(const Call& call) {
  const auto [a, b] = promoted(call, 0, 1);
  const double exponent = call.is_tensor(1) ? 0 : call.number(1);
  if (exponent == 2) return box(call.add("Mul", {a, a}));
  if (exponent == 0.5 && is_floating(call.dtype(a))) return box(call.add("Sqrt", {a}));
  return box(call.add("Pow", {a, b}));
}

Value larger(const Call& call) { return binary(call, "Max"); }
Value smaller(const Call& call) { return binary(call, "Min"); }

/// self + weight · (other - self)
Value interpolate(const Call& call) {
  const auto [a, b] = promoted(call, 0, 1, true);
  const ValueId weight = call.floating(2);
  return box(call.add("Add", {a, call.add("Mul", {weight, call.add("Sub", {b, a})})}));
}
/// self + value · t1 · t2, or / t2
Value add_with(const Call& call, std::string_view node) {
  const auto [a, b] = promoted(call, 1, 2);
  const ValueId product = call.add(node, {a, b});
  const ValueId scaled = times_alpha(call, 3, product);
  return box(call.add("Add", {call.cast(call.tensor(0), call.dtype(scaled)), scaled}));
}
Value add_product(const Call& call) { return add_with(call, "Mul"); }
Value add_quotient(const Call& call) { return add_with(call, "Div"); }

/// The angle of (x, y): the arc tangent, moved by half a turn where x is negative.
Value arc_tangent_of_two(const Call& call) {
  const auto [y, x] = promoted(call, 0, 1, true);
  constexpr double kPi = 3.14159265358979323846;
  const ValueId zero = call.scalar(0), half_turn = call.scalar(kPi), quarter = call.scalar(kPi / 2);
  const ValueId is_zero = call.add("Equal", {x, zero}), is_left = call.add("Less", {x, zero});
  const ValueId is_below = call.add("Less", {y, zero});
  const ValueId divisor = call.add("Where", {is_zero, call.scalar(1), x});
  const ValueId turn = call.add("Where", {is_below, call.scalar(-kPi), half_turn});
  const ValueId angle = call.add("Atan", {call.add("Div", {y, divisor})});
  const ValueId turned = call.add("Where", {is_left, call.add("Add", {angle, turn}), angle});
  const ValueId upright = call.add("Mul", {call.add("Sign", {y}), quarter});
  return box(call.add("Where", {is_zero, upright, turned}));
}

Value hypotenuse(const Call& call) {
  const auto [a, b] = promoted(call, 0, 1, true);
  return box(call.add("Sqrt", {call.add("Add", {call.add("Mul", {a, a}), call.add("Mul", {b, b})})}));
}
/// log(exp(a) + exp(b)) = max + log(1 + exp(-|a - b|))
Value log_add_exp(const Call& call) {
  const auto [a, b] = promoted(call, 0, 1, true);
  const ValueId apart = call.add("Neg", {call.add("Abs", {call.add("Sub", {a, b})})});
  return box(call.add("Add", {call.add("Max", {a, b}), call.add("Softplus", {apart})}));
}

constexpr OperatorRow kArithmeticRows[] = {
    {"aten::add", "self other alpha", add},
    {"aten::addcdiv", "self tensor1 tensor2 value", add_quotient},
    {"aten::addcmul", "self tensor1 tensor2 value", add_product},
    {"aten::atan2", "self other", arc_tangent_of_two},
    {"aten::div", "self other rounding_mode", divide},
    {"aten::divide", "self other rounding_mode", divide},
    {"aten::floor_divide", "self other", floor_divide},
    {"aten::fmod", "self other", fmod},
    {"aten::hypot", "self other", hypotenuse},
    {"aten::lerp", "self end weight", interpolate},
    {"aten::logaddexp", "self other", log_add_exp},
    {"aten::maximum", "self other", larger},
    {"aten::minimum", "self other", smaller},
    {"aten::mul", "self other", multiply},
    {"aten::multiply", "self other", multiply},
    {"aten::pow", "self exponent", power},
    {"aten::remainder", "self other", remainder},
    {"aten::rsub", "self other alpha", subtract_from},
    {"aten::sub", "self other alpha", subtract},
    {"aten::subtract", "self other alpha", subtract},
    {"aten::true_divide", "self other", [](const Call& call) { return binary(call, "Div", true); }},
};

}  // namespace

std::span<const OperatorRow> rows_of_arithmetic() { return kArithmeticRows; }

}  // namespace openrknn::torchscript
