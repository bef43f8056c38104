// Two inputs and more, with numpy's broadcasting (opset 7 and later).
#include <fmt/format.h>

#include "compiler/importers/onnx/operators.h"

namespace openrknn::onnx {
namespace {

void binary(Translation& t) { t.produce(t.op(), {t.input(0), t.input(1)}); }

/// The exponent may have another type than the base (opset 12), which decides the type of the result.
void power(Translation& t) {
  const ValueId exponent = is_floating(t.dtype(0)) ? t.cast(t.input(1), t.dtype(0)) : t.input(1);
  t.produce("Pow", {t.input(0), exponent});
}

void shift(Translation& t) {
  t.produce("BitShift", {t.input(0), t.input(1)}, {{"direction", t.text("direction", "")}});
}

/// fmod = 0 on floats (opset 28): C's fmod, moved by one divisor where its sign is not the divisor's.
void modulo(Translation& t) {
  const int64_t fmod = t.integer("fmod", 0);
  const ValueId a = t.input(0), b = t.input(1);
  if (fmod != 0 || !is_floating(t.dtype(0))) return t.produce("Mod", {a, b}, {{"fmod", fmod}});
  const ValueId rest = t.emit("Mod", {a, b}, {{"fmod", int64_t{1}}});
  const ValueId signs = t.emit("Mul", {t.emit("Sign", {rest}), t.emit("Sign", {b})});
  const ValueId opposite = t.emit("Less", {signs, t.scalar(0, t.dtype(0))});
  t.produce("Where", {opposite, t.emit("Add", {rest, b}), rest});
}

/// Sum, Max and Min of any number of tensors: a chain of the operator for two.
void chain(Translation& t, std::string_view op) {
  const std::vector<ValueId> inputs = t.inputs();
  if (inputs.size() == 1) return t.forward(inputs[0]);
  ValueId total = inputs[0];
  for (size_t i = 1; i + 1 < inputs.size(); ++i) total = t.emit(op, {total, inputs[i]});
  t.produce(op, {total, inputs.back()});
}
void sum(Translation& t) { chain(t, "Add"); }
void extreme(Translation& t) { chain(t, t.op()); }

void mean(Translation& t) {
  const std::vector<ValueId> inputs = t.inputs();
  if (inputs.size() == 1) return t.forward(inputs[0]);
  ValueId total = inputs[0];
  for (size_t i = 1; i < inputs.size(); ++i) total = t.emit("Add", {total, inputs[i]});
  t.produce("Div", {total, t.scalar(static_cast<double>(inputs.size()), t.dtype(0))});
}

void where(Translation& t) { t.produce("Where", {t.input(0), t.input(1), t.input(2)}); }

constexpr OperatorRow kArithmeticRows[] = {
    {"Add", 7, 28, binary},
    {"Sub", 7, 28, binary},
    {"Mul", 7, 28, binary},
    {"Div", 7, 28, binary},
    {"Pow", 7, 28, power},
    {"Mod", 10, 28, modulo},
    {"PRelu", 7, 28, binary},
    {"Sum", 6, 28, sum},
    {"Mean", 6, 28, mean},
    {"Max", 6, 28, extreme},
    {"Min", 6, 28, extreme},
    {"And", 7, 28, binary},
    {"Or", 7, 28, binary},
    {"Xor", 7, 28, binary},
    {"Equal", 7, 28, binary},
    {"Greater", 7, 28, binary},
    {"GreaterOrEqual", 12, 28, binary},
    {"Less", 7, 28, binary},
    {"LessOrEqual", 12, 28, binary},
    {"Where", 9, 28, where},
    {"BitShift", 11, 28, shift},
    {"BitwiseAnd", 18, 28, binary},
    {"BitwiseOr", 18, 28, binary},
    {"BitwiseXor", 18, 28, binary},
};

}  // namespace

std::span<const OperatorRow> arithmetic_operators() { return kArithmeticRows; }

}  // namespace openrknn::onnx
