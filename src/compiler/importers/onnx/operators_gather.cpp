// Reading and writing by index.
#include <fmt/format.h>

#include "compiler/importers/onnx/operators.h"

namespace openrknn::onnx {
namespace {

void gather(Translation& t) {
  t.produce(t.op(), {t.input(0), t.input(1)}, {{"axis", t.axis(t.integer("axis", 0), t.rank(0))}});
}

void gather_nd(Translation& t) {
  t.produce("GatherND", {t.input(0), t.input(1)}, {{"batch_dims", t.integer("batch_dims", 0)}});
}

void scatter_nd(Translation& t) {
  const std::string reduction = t.text("reduction", "none");
  t.produce("ScatterND", {t.input(0), t.input(1), t.input(2)}, {{"reduction", reduction}});
}

void scatter_elements(Translation& t) {
  t.produce("ScatterElements", {t.input(0), t.input(1), t.input(2)},
            {{"axis", t.axis(t.integer("axis", 0), t.rank(0))}, {"reduction", t.text("reduction", "none")}});
}

/// k is an attribute up to opset 9, an input from 10. The order is kept where `sorted` is 0, too.
void top_k(Translation& t) {
  if (t.opset() >= 10 && t.constant(1) == nullptr) {
    return t.produce("DynamicTopK", {t.input(0), t.input(1)},
                     {{"axis", t.axis(t.integer("axis", -1), t.rank(0))}, {"largest", t.integer("largest", 1)}});
  }
  const int64_t k = t.opset() < 10 ? t.required_integer("k") : t.known_int(1, "k");
  t.produce("TopK", {t.input(0)},
            {{"axis", t.axis(t.integer("axis", -1), t.rank(0))}, {"k", k}, {"largest", t.integer("largest", 1)}});
}

/// Inputs: indices, depth, values [off, on]. Indices may be floats in the file; ours are integers.
void one_hot(Translation& t) {
  const int64_t depth = t.known_int(1, "depth");
  const ValueId indices = is_floating(t.dtype(0)) ? t.cast(t.input(0), DType::Int64) : t.input(0);
  t.produce("OneHot", {indices, t.input(2)},
            {{"axis", t.axis(t.integer("axis", -1), t.rank(0) + 1)}, {"depth", depth}});
}

constexpr OperatorRow kGatherRows[] = {
    {"Gather", 1, 28, gather},
    {"GatherElements", 11, 28, gather},
    {"GatherND", 11, 28, gather_nd},
    {"Scatter", 9, 10, scatter_elements},
    {"ScatterElements", 11, 28, scatter_elements},
    {"ScatterND", 11, 28, scatter_nd},
    {"TopK", 1, 28, top_k},
    {"OneHot", 9, 28, one_hot},
};

}  // namespace

std::span<const OperatorRow> gather_operators() { return kGatherRows; }

}  // namespace openrknn::onnx
