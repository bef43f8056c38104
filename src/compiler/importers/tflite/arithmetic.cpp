// Of several inputs, number by number, with broadcasting.
#include "compiler/importers/tflite/layers.h"

namespace openrknn::tflite {
namespace {

Results binary(const Layer& layer, std::string_view op) {
  layer.require_inputs(2, 2);
  const NhwcLayer::Aligned both = layer.align(layer.all_real());
  return {{layer.add(op, both.operands), both.form}};
}

template <const char* op>
Results binary(const Layer& layer) {
  return binary(layer, op);
}

template <const char* op>
Results fused(const Layer& layer) {
  const auto* options = layer.options<file::FusedOptions>();
  return {layer.activated(binary(layer, op).front(), options == nullptr ? 0 : options->fused_activation())};
}

constexpr char kAdd[] = "Add", kSub[] = "Sub", kMul[] = "Mul", kDiv[] = "Div", kMax[] = "Max", kMin[] = "Min",
               kPow[] = "Pow", kEqual[] = "Equal", kLess[] = "Less", kLessOrEqual[] = "LessOrEqual",
               kGreater[] = "Greater", kGreaterOrEqual[] = "GreaterOrEqual", kAnd[] = "And", kOr[] = "Or",
               kMod[] = "Mod";  // its sign follows the divisor, as Python's

Results unequal(const Layer& layer) {
  layer.require_inputs(2, 2);
  return {not_equal(layer, layer.all_real())};
}

Results square_of_difference(const Layer& layer) {
  layer.require_inputs(2, 2);
  return {squared_difference(layer, layer.all_real())};
}

Results floor_div(const Layer& layer) {
  layer.require_inputs(2, 2);
  const NhwcLayer::Aligned both = layer.align(layer.all_real());
  return {floor_divide(layer, both.form, both.operands)};
}

Results sum_of_all(const Layer& layer) { return {add_all(layer, layer.all_real())}; }

Results choose(const Layer& layer, bool may_choose_rows) {
  layer.require_inputs(3, 3);
  return {select(layer, layer.all_real(), may_choose_rows)};
}
Results choose_rows(const Layer& layer) { return choose(layer, true); }
Results choose_broadcast(const Layer& layer) { return choose(layer, false); }

constexpr LayerRow kArithmeticRows[] = {
    {0, "ADD", fused<kAdd>},
    {18, "MUL", fused<kMul>},
    {41, "SUB", fused<kSub>},
    {42, "DIV", fused<kDiv>},
    {55, "MAXIMUM", binary<kMax>},
    {57, "MINIMUM", binary<kMin>},
    {58, "LESS", binary<kLess>},
    {61, "GREATER", binary<kGreater>},
    {62, "GREATER_EQUAL", binary<kGreaterOrEqual>},
    {63, "LESS_EQUAL", binary<kLessOrEqual>},
    {64, "SELECT", choose_rows},
    {71, "EQUAL", binary<kEqual>},
    {72, "NOT_EQUAL", unequal},
    {78, "POW", binary<kPow>},
    {84, "LOGICAL_OR", binary<kOr>},
    {86, "LOGICAL_AND", binary<kAnd>},
    {90, "FLOOR_DIV", floor_div},
    {95, "FLOOR_MOD", binary<kMod>},
    {99, "SQUARED_DIFFERENCE", square_of_difference},
    {106, "ADD_N", sum_of_all},
    {123, "SELECT_V2", choose_broadcast},
};

}  // namespace

std::span<const LayerRow> rows_of_arithmetic() { return kArithmeticRows; }

}  // namespace openrknn::tflite
