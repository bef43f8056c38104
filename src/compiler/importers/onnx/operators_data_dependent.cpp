// Operators whose output extents only a run can tell.
#include "compiler/importers/onnx/operators.h"

namespace openrknn::onnx {
namespace {

void non_zero(Translation& t) { t.produce("NonZero", {t.input(0)}); }

Attributes axis_if_given(Translation& t) {
  if (!t.has_attribute("axis")) return {};
  return {{"axis", t.axis(t.required_integer("axis"), t.rank(0))}};
}

void compress(Translation& t) { t.produce("Compress", {t.input(0), t.input(1)}, axis_if_given(t)); }

void unique(Translation& t) {
  Attributes attributes = axis_if_given(t);
  attributes["sorted"] = t.integer("sorted", 1);
  t.produce("Unique", {t.input(0)}, std::move(attributes));
}

void non_max_suppression(Translation& t) {
  t.produce("NonMaxSuppression",
            {t.input(0), t.input(1), t.optional_input(2), t.optional_input(3), t.optional_input(4)},
            {{"center_point_box", t.integer("center_point_box", 0)}});
}

constexpr OperatorRow kDataDependentRows[] = {
    {"NonZero", 9, 28, non_zero},
    {"Compress", 9, 28, compress},
    {"Unique", 11, 28, unique},
    {"NonMaxSuppression", 10, 28, non_max_suppression},
};

}  // namespace

std::span<const OperatorRow> data_dependent_operators() { return kDataDependentRows; }

}  // namespace openrknn::onnx
