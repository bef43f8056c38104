// Functions of one number that mathematics has.
#include <limits>

#include "compiler/importers/torchscript/operators.h"

namespace openrknn::torchscript {
namespace {

/// Of floats and integers.
template <const char* Node>
Value typed(const Call& call) {
  return box(call.add(Node, {call.tensor(0)}));
}
/// Integers are whole already.
template <const char* Node>
Value rounded(const Call& call) {
  const ValueId x = call.tensor(0);
  return is_floating(call.dtype(x)) ? box(call.add(Node, {x})) : call.at(0);
}

constexpr char kAbs[] = "Abs", kAcos[] = "Acos", kAcosh[] = "Acosh", kAsin[] = "Asin", kAsinh[] = "Asinh",
               kAtan[] = "Atan", kAtanh[] = "Atanh", kCeil[] = "Ceil", kCos[] = "Cos", kCosh[] = "Cosh", kErf[] = "Erf",
               kExp[] = "Exp", kFloor[] = "Floor", kLog[] = "Log", kNeg[] = "Neg", kReciprocal[] = "Reciprocal",
               kRound[] = "Round", kSign[] = "Sign", kSin[] = "Sin", kSinh[] = "Sinh", kSqrt[] = "Sqrt", kTan[] = "Tan";

Value root_below_one(const Call& call) { return box(call.add("Reciprocal", {call.add("Sqrt", {call.floating(0)})})); }
Value complement_of_erf(const Call& call) {
  return box(call.add("Sub", {call.scalar(1), call.add("Erf", {call.floating(0)})}));
}
Value exp_minus_one(const Call& call) {
  // ELU is it below zero, where the difference would cancel; above, the difference is exact enough near zero only.
  const ValueId x = call.floating(0), zero = call.scalar(0);
  const ValueId below = call.add("Elu", {x});
  const ValueId above = call.add("Sub", {call.add("Exp", {x}), call.scalar(1)});
  return box(call.add("Where", {call.add("Less", {x, zero}), below, above}));
}
Value log_of_one_plus(const Call& call) {
  return box(call.add("Log", {call.add("Add", {call.floating(0), call.scalar(1)})}));
}
Value log_by(const Call& call, double base_log) {
  return box(call.add("Mul", {call.add("Log", {call.floating(0)}), call.scalar(1 / base_log)}));
}
Value power_of_two(const Call& call) {
  return box(call.add("Exp", {call.add("Mul", {call.floating(0), call.scalar(0.69314718055994531)})}));
}
Value square(const Call& call) {
  const ValueId x = call.tensor(0);
  return box(call.add("Mul", {x, x}));
}
Value truncate(const Call& call) {
  const ValueId x = call.tensor(0);
  if (!is_floating(call.dtype(x))) return call.at(0);
  return box(call.truncated(x));
}
Value round_to(const Call& call) {
  if (call.integer(1, 0) != 0) call.refuse("decimals other than 0 are not supported");
  return rounded<kRound>(call);
}
Value fraction(const Call& call) {
  const ValueId x = call.floating(0);
  return box(call.add("Sub", {x, call.truncated(x)}));
}
/// log(x / (1 - x)), x kept within eps.
Value logit(const Call& call) {
  ValueId x = call.floating(0);
  if (call.has(1)) x = call.add("Clip", {x}, {{"min", call.number(1)}, {"max", 1 - call.number(1)}});
  return box(call.add("Log", {call.add("Div", {x, call.add("Sub", {call.scalar(1), x})})}));
}
/// NaN becomes a number, infinities others.
Value nan_to_num(const Call& call) {
  const ValueId x = call.floating(0);
  constexpr double kMost = std::numeric_limits<float>::max();
  const ValueId number = call.add("Where", {call.add("Equal", {x, x}), x, call.scalar(call.number(1, 0))});
  return box(call.add("Clip", {number}, {{"min", call.number(3, -kMost)}, {"max", call.number(2, kMost)}}));
}

constexpr OperatorRow kFunctionRows[] = {
    {"aten::abs", "self", typed<kAbs>},
    {"aten::absolute", "self", typed<kAbs>},
    {"aten::acos", "self", function_of_floats<kAcos>},
    {"aten::acosh", "self", function_of_floats<kAcosh>},
    {"aten::arctan", "self", function_of_floats<kAtan>},
    {"aten::asin", "self", function_of_floats<kAsin>},
    {"aten::asinh", "self", function_of_floats<kAsinh>},
    {"aten::atan", "self", function_of_floats<kAtan>},
    {"aten::atanh", "self", function_of_floats<kAtanh>},
    {"aten::ceil", "self", rounded<kCeil>},
    {"aten::cos", "self", function_of_floats<kCos>},
    {"aten::cosh", "self", function_of_floats<kCosh>},
    {"aten::erf", "self", function_of_floats<kErf>},
    {"aten::erfc", "self", complement_of_erf},
    {"aten::exp", "self", function_of_floats<kExp>},
    {"aten::exp2", "self", power_of_two},
    {"aten::expm1", "self", exp_minus_one},
    {"aten::floor", "self", rounded<kFloor>},
    {"aten::frac", "self", fraction},
    {"aten::log", "self", function_of_floats<kLog>},
    {"aten::log10", "self", [](const Call& call) { return log_by(call, 2.302585092994045684); }},
    {"aten::log1p", "self", log_of_one_plus},
    {"aten::log2", "self", [](const Call& call) { return log_by(call, 0.69314718055994531); }},
    {"aten::logit", "self eps", logit},
    {"aten::nan_to_num", "self nan posinf neginf", nan_to_num},
    {"aten::neg", "self", typed<kNeg>},
    {"aten::negative", "self", typed<kNeg>},
    {"aten::reciprocal", "self", function_of_floats<kReciprocal>},
    {"aten::round", "self decimals", round_to},
    {"aten::rsqrt", "self", root_below_one},
    {"aten::sgn", "self", typed<kSign>},
    {"aten::sign", "self", typed<kSign>},
    {"aten::sin", "self", function_of_floats<kSin>},
    {"aten::sinh", "self", function_of_floats<kSinh>},
    {"aten::sqrt", "self", function_of_floats<kSqrt>},
    {"aten::square", "self", square},
    {"aten::tan", "self", function_of_floats<kTan>},
    {"aten::trunc", "self", truncate},
};

}  // namespace

std::span<const OperatorRow> rows_of_functions() { return kFunctionRows; }

}  // namespace openrknn::torchscript
