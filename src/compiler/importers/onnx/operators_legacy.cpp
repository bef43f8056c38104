// Forms that ended with opset 6: before numpy's broadcasting, `broadcast` and `axis` said how B lies over A.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/importers/onnx/operators.h"

namespace openrknn::onnx {
namespace {

/// B with trailing ones, so that numpy's rule gives what `broadcast` and `axis` mean.
ValueId placed_over(Translation& t, ValueId b) {
  const Shape &over = t.shape(0), &shape = t.shape_of(b);
  if (over == shape) return b;
  if (t.integer("broadcast", 0) == 0) {
    t.fail(Code::ImportShapeMismatch,
           fmt::format("A has shape {}, B {}: without broadcast=1 they must be equal (opset {})", to_string(over),
                       to_string(shape), t.opset()),
           "export the model again");
  }
  const int64_t rank = static_cast<int64_t>(over.size()), own = static_cast<int64_t>(shape.size());
  if (!t.has_attribute("axis") || own == 0) return b;  // B ends where A ends
  const int64_t axis = t.axis(t.integer("axis", 0), rank);
  if (axis + own > rank) {
    t.fail(
        Code::ImportShapeMismatch,
        fmt::format("B of shape {} at axis {} reaches beyond A of shape {}", to_string(shape), axis, to_string(over)),
        "export the model again");
  }
  Shape raised = shape;
  raised.resize(static_cast<size_t>(rank - axis), 1);
  return t.reshape(b, raised);
}

void binary_at_axis(Translation& t) { t.produce(t.op(), {t.input(0), placed_over(t, t.input(1))}); }

/// The slope is one number or one per channel.
void prelu(Translation& t) {
  const ValueId slope = t.input(1);
  const int64_t count = element_count(t.shape_of(slope));
  if (count == 1 || t.rank(0) < 2 || t.rank(1) != 1) return t.produce("PRelu", {t.input(0), slope});
  Shape shape(static_cast<size_t>(t.rank(0) - 1), 1);
  shape[0] = count;
  t.produce("PRelu", {t.input(0), t.reshape(slope, shape)});
}

constexpr OperatorRow kLegacyRows[] = {
    {"Add", 1, 6, binary_at_axis},  {"Sub", 1, 6, binary_at_axis},     {"Mul", 1, 6, binary_at_axis},
    {"Div", 1, 6, binary_at_axis},  {"Pow", 1, 6, binary_at_axis},     {"And", 1, 6, binary_at_axis},
    {"Or", 1, 6, binary_at_axis},   {"Xor", 1, 6, binary_at_axis},     {"Equal", 1, 6, binary_at_axis},
    {"Less", 1, 6, binary_at_axis}, {"Greater", 1, 6, binary_at_axis}, {"PRelu", 1, 6, prelu},
};

}  // namespace

std::span<const OperatorRow> legacy_operators() { return kLegacyRows; }

}  // namespace openrknn::onnx
