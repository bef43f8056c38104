// Of several inputs, number by number, with broadcasting.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compiler/importers/tensorflow/layers.h"

namespace openrknn::tensorflow {
namespace {

Results binary(const Layer& layer, std::string_view op) {
  layer.require_inputs(2, 2);
  const NhwcLayer::Aligned both = layer.align(layer.inputs);
  return {{layer.add(op, both.operands), both.form}};
}
template <const char* op>
Results binary(const Layer& layer) {
  return binary(layer, op);
}
constexpr char kSub[] = "Sub", kDiv[] = "Div", kMax[] = "Max", kMin[] = "Min", kPow[] = "Pow", kEqual[] = "Equal",
               kLess[] = "Less", kLessOrEqual[] = "LessOrEqual", kGreater[] = "Greater", kAnd[] = "And", kOr[] = "Or",
               kXor[] = "Xor", kBitAnd[] = "BitwiseAnd", kBitOr[] = "BitwiseOr", kBitXor[] = "BitwiseXor";

/// The one number an input is filled with, if it is known.
std::optional<double> number_of(const Layer& layer, size_t i) {
  const std::optional<Tensor> known = layer.content(i);
  if (!known || known->size() != 1) return std::nullopt;
  return to_doubles(*known)[0];
}

/// A random operand and a known number beside it: which is which, and where the first lies.
struct RandomPair {
  Random random;
  double number;
  Shape shape;
};
std::optional<RandomPair> random_pair(const Layer& layer) {
  for (size_t i = 0; i < 2 && layer.inputs.size() == 2; ++i) {
    const auto found = layer.network.random.find(layer.input(i).id);
    if (found == layer.network.random.end()) continue;
    const std::optional<double> number = number_of(layer, 1 - i);
    if (!number) return std::nullopt;
    return RandomPair{found->second, *number, layer.shape(i)};
  }
  return std::nullopt;
}

Results still_random(const Layer& layer, const Shape& shape, double one, double other) {
  const ValueId id =
      layer.builder().graph.add(Value{.name = layer.node.name + "/random", .dtype = DType::Float32, .shape = shape});
  layer.network.random.emplace(id, Random{std::min(one, other), std::max(one, other)});
  return {{id, ImageForm::Source}};
}

Results filled(const Layer& layer, const Shape& shape, double number) {
  const ValueId one = layer.builder().constant("known", Tensor::scalar<float>(static_cast<float>(number)));
  return {expand(layer, {one, ImageForm::Source}, shape)};
}

Results add(const Layer& layer) {
  if (const auto pair = random_pair(layer))
    return still_random(layer, pair->shape, pair->random.least + pair->number, pair->random.most + pair->number);
  return binary(layer, "Add");
}
Results multiply(const Layer& layer) {
  if (const auto pair = random_pair(layer))
    return still_random(layer, pair->shape, pair->random.least * pair->number, pair->random.most * pair->number);
  return binary(layer, "Mul");
}
Results floor_of(const Layer& layer) {
  layer.require_inputs(1, 1);
  const auto random = layer.network.random.find(layer.input(0).id);
  if (random != layer.network.random.end()) {
    // least <= x < most: one whole number if no other lies between.
    const double whole = std::floor(random->second.least);
    if (random->second.most > whole + 1)
      layer.refuse("it rounds a random number: dropout is for training",
                   "freeze the graph with a keep_prob of 1, or give that input an initial value of 1");
    return filled(layer, layer.shape(), whole);
  }
  return {{layer.add("Floor", {layer.input(0).id}), layer.input(0).form}};
}
Results greater_equal(const Layer& layer) {
  if (const auto pair = random_pair(layer)) {
    const bool random_first = layer.network.random.contains(layer.input(0).id);
    if (!random_first || pair->random.least < pair->number)
      layer.refuse("it compares a random number: dropout is for training", "freeze the graph for inference");
    return {{layer.cast_to(DType::Bool, filled(layer, pair->shape, 1).front().id), ImageForm::Source}};
  }
  return binary(layer, "GreaterOrEqual");
}

Results sum_of_all(const Layer& layer) { return {add_all(layer, layer.inputs)}; }
Results unequal(const Layer& layer) {
  layer.require_inputs(2, 2);
  return {not_equal(layer, layer.inputs)};
}
Results square_of_difference(const Layer& layer) {
  layer.require_inputs(2, 2);
  return {squared_difference(layer, layer.inputs)};
}
Results floor_div(const Layer& layer) {
  layer.require_inputs(2, 2);
  const NhwcLayer::Aligned both = layer.align(layer.inputs);
  return {floor_divide(layer, both.form, both.operands)};
}

/// The remainder has the divisor's sign, which of floats no operator of the graph gives.
Results floor_mod(const Layer& layer) {
  layer.require_inputs(2, 2);
  const NhwcLayer::Aligned both = layer.align(layer.inputs);
  if (!is_floating(layer.dtype())) return {{layer.add("Mod", both.operands), both.form}};
  const ValueId times = floor_divide(layer, both.form, both.operands).id;
  return {{layer.add("Sub", {both.operands[0], layer.add("Mul", {times, both.operands[1]})}), both.form}};
}
Results truncate_mod(const Layer& layer) {
  layer.require_inputs(2, 2);
  const NhwcLayer::Aligned both = layer.align(layer.inputs);
  return {{layer.add("Mod", both.operands, {{"fmod", int64_t{1}}}), both.form}};
}

/// function(x, y), and 0 where `y` (or x) is 0, whatever the function has there.
Results zero_where_zero(const Layer& layer, size_t asked, ValueId (*function)(const Layer&, ValueId x, ValueId y)) {
  layer.require_inputs(2, 2);
  const NhwcLayer::Aligned both = layer.align(layer.inputs);
  const ValueId zero = layer.scalar("zero", 0), one = layer.scalar("one", 1);
  const ValueId is_zero = layer.add("Equal", {both.operands[asked], zero});
  ValueId y = both.operands[1];
  if (asked == 1) y = layer.add("Where", {is_zero, one, y});
  return {{layer.add("Where", {is_zero, zero, function(layer, both.operands[0], y)}), both.form}};
}
ValueId quotient(const Layer& layer, ValueId x, ValueId y) { return layer.add("Div", {x, y}); }
ValueId product(const Layer& layer, ValueId x, ValueId y) { return layer.add("Mul", {x, y}); }
ValueId product_with_log(const Layer& layer, ValueId x, ValueId y) {
  return layer.add("Mul", {x, layer.add("Log", {y})});
}
Results div_no_nan(const Layer& layer) { return zero_where_zero(layer, 1, quotient); }
Results mul_no_nan(const Layer& layer) { return zero_where_zero(layer, 1, product); }
Results xdivy(const Layer& layer) { return zero_where_zero(layer, 0, quotient); }
Results xlogy(const Layer& layer) { return zero_where_zero(layer, 0, product_with_log); }

Results clip_by_value(const Layer& layer) {
  layer.require_inputs(3, 3);
  const NhwcLayer::Aligned all = layer.align(layer.inputs);
  const ValueId above = layer.add("Max", {all.operands[0], all.operands[1]});
  return {{layer.add("Min", {above, all.operands[2]}), all.form}};
}

Results choose(const Layer& layer, bool may_choose_rows) {
  layer.require_inputs(3, 3);
  return {select(layer, layer.inputs, may_choose_rows)};
}
Results choose_rows(const Layer& layer) { return choose(layer, true); }
Results choose_broadcast(const Layer& layer) { return choose(layer, false); }

constexpr LayerRow kArithmeticRows[] = {
    {"Add", add},
    {"AddN", sum_of_all},
    {"AddV2", add},
    {"BitwiseAnd", binary<kBitAnd>},
    {"BitwiseOr", binary<kBitOr>},
    {"BitwiseXor", binary<kBitXor>},
    {"ClipByValue", clip_by_value},
    {"Div", binary<kDiv>},
    {"DivNoNan", div_no_nan},
    {"Equal", binary<kEqual>},
    {"Floor", floor_of},
    {"FloorDiv", floor_div},
    {"FloorMod", floor_mod},
    {"Greater", binary<kGreater>},
    {"GreaterEqual", greater_equal},
    {"Less", binary<kLess>},
    {"LessEqual", binary<kLessOrEqual>},
    {"LogicalAnd", binary<kAnd>},
    {"LogicalOr", binary<kOr>},
    {"LogicalXor", binary<kXor>},
    {"Maximum", binary<kMax>},
    {"Minimum", binary<kMin>},
    {"Mod", truncate_mod},
    {"Mul", multiply},
    {"MulNoNan", mul_no_nan},
    {"NotEqual", unequal},
    {"Pow", binary<kPow>},
    {"RealDiv", binary<kDiv>},
    {"Select", choose_rows},
    {"SelectV2", choose_broadcast},
    {"SquaredDifference", square_of_difference},
    {"Sub", binary<kSub>},
    {"TruncateDiv", binary<kDiv>},
    {"TruncateMod", truncate_mod},
    {"Xdivy", xdivy},
    {"Xlogy", xlogy},
};

}  // namespace

std::span<const LayerRow> rows_of_arithmetic() { return kArithmeticRows; }

}  // namespace openrknn::tensorflow
