// Of several inputs, number by number, with broadcasting.
#include <algorithm>

#include "compiler/importers/tflite/layers.h"

namespace openrknn::tflite {
namespace {

Results binary(const Layer& layer, std::string_view op) {
  layer.require_inputs(2, 2);
  const NhwcLayer::Aligned both = layer.align(layer.all_real());
  return {{layer.add(op, both.operands), both.form}};
}

template <const char* op>
Results plain(const Layer& layer) {
  return binary(layer, op);
}

template <const char* op>
Results fused(const Layer& layer) {
  const auto* options = layer.options<file::FusedOptions>();
  return {layer.activated(binary(layer, op).front(), options == nullptr ? 0 : options->fused_activation())};
}

constexpr char kAdd[] = "Add", kSub[] = "Sub", kMul[] = "Mul", kDiv[] = "Div", kMax[] = "Max", kMin[] = "Min",
               kPow[] = "Pow", kEqual[] = "Equal", kLess[] = "Less", kLessOrEqual[] = "LessOrEqual",
               kGreater[] = "Greater", kGreaterOrEqual[] = "GreaterOrEqual", kAnd[] = "And", kOr[] = "Or";

Results not_equal(const Layer& layer) {
  const Placed same = binary(layer, "Equal").front();
  return {{layer.add("Not", {same.id}), same.form}};
}

Results squared_difference(const Layer& layer) {
  const Placed difference = binary(layer, "Sub").front();
  return {{layer.add("Mul", {difference.id, difference.id}), difference.form}};
}

// The sign follows the divisor, as Python's: x - floor(x / y) * y; the graph's Mod of integers does.
Results floor_mod(const Layer& layer) { return binary(layer, "Mod"); }

Results floor_div(const Layer& layer) {
  layer.require_inputs(2, 2);
  const NhwcLayer::Aligned both = layer.align(layer.all_real());
  return {floor_divide(layer, both.form, both.operands)};
}

Results add_all(const Layer& layer) {
  if (layer.inputs() == 0) layer.require_inputs(1, 1);
  const NhwcLayer::Aligned all = layer.align(layer.all_real());
  ValueId sum = all.operands.front();
  for (size_t i = 1; i < all.operands.size(); ++i) sum = layer.add("Add", {sum, all.operands[i]});
  return {{sum, all.form}};
}

/// SELECT's condition may be of one dimension, and then chooses rows; SELECT_V2 broadcasts.
Results select(const Layer& layer, bool by_rows) {
  layer.require_inputs(3, 3);
  if (by_rows && layer.rank(0) == 1 && layer.rank(1) > 1) {
    Shape column(static_cast<size_t>(layer.rank(1)), 1);
    column[0] = layer.shape(0)[0];
    const ValueId condition = layer.builder().add_beside("Reshape", {layer.in_source_form(0)}, {{"shape", column}});
    return {{layer.add("Where", {condition, layer.in_source_form(1), layer.in_source_form(2)}), ImageForm::Source}};
  }
  const NhwcLayer::Aligned all = layer.align(layer.all_real());
  return {{layer.add("Where", all.operands), all.form}};
}
Results select_rows(const Layer& layer) { return select(layer, true); }
Results select_broadcast(const Layer& layer) { return select(layer, false); }

constexpr LayerRow kRows[] = {
    {0, "ADD", fused<kAdd>},
    {18, "MUL", fused<kMul>},
    {41, "SUB", fused<kSub>},
    {42, "DIV", fused<kDiv>},
    {55, "MAXIMUM", plain<kMax>},
    {57, "MINIMUM", plain<kMin>},
    {58, "LESS", plain<kLess>},
    {61, "GREATER", plain<kGreater>},
    {62, "GREATER_EQUAL", plain<kGreaterOrEqual>},
    {63, "LESS_EQUAL", plain<kLessOrEqual>},
    {64, "SELECT", select_rows},
    {71, "EQUAL", plain<kEqual>},
    {72, "NOT_EQUAL", not_equal},
    {78, "POW", plain<kPow>},
    {84, "LOGICAL_OR", plain<kOr>},
    {86, "LOGICAL_AND", plain<kAnd>},
    {90, "FLOOR_DIV", floor_div},
    {95, "FLOOR_MOD", floor_mod},
    {99, "SQUARED_DIFFERENCE", squared_difference},
    {106, "ADD_N", add_all},
    {123, "SELECT_V2", select_broadcast},
};

}  // namespace

std::span<const LayerRow> rows_of_arithmetic() { return kRows; }

}  // namespace openrknn::tflite
