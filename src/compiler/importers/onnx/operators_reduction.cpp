#include <fmt/format.h>

#include <numeric>

#include "compiler/importers/onnx/operators.h"

namespace openrknn::onnx {
namespace {

/// Axes are an attribute at first, an input from opset 13 (ReduceSum) or 18 (the others) on.
std::vector<int64_t> given_axes(const Translation& t) {
  const int64_t as_input_since = t.op() == "ReduceSum" ? 13 : 18;
  if (t.opset() < as_input_since) return t.integers("axes");
  return t.has(1) ? t.known_ints(1, "axes") : std::vector<int64_t>{};
}

/// Over no axes at all a sum is the element itself; composite reductions still do their other steps.
void reduce_nothing(Translation& t) {
  const ValueId x = t.input(0);
  if (t.op() == "ReduceL1" || t.op() == "ReduceL2") return t.produce("Abs", {x});
  if (t.op() == "ReduceSumSquare") return t.produce("Mul", {x, x});
  if (t.op() == "ReduceLogSum" && is_floating(t.dtype(0))) return t.produce("Log", {x});
  if (t.op() == "ReduceLogSum") {  // of vectors of one element
    const auto rank = t.rank(0);
    Shape shape = t.shape(0);
    shape.push_back(1);
    return t.produce(t.op(), {t.reshape(x, shape)}, {{"axes", std::vector<int64_t>{rank}}, {"keepdims", int64_t{0}}});
  }
  t.forward(x);
}

void reduce(Translation& t) {
  ValueId x = t.input(0);
  const int64_t keepdims = t.integer("keepdims", 1);
  std::vector<int64_t> axes = given_axes(t);
  if (axes.empty() && t.integer("noop_with_empty_axes", 0) != 0) return reduce_nothing(t);
  if (t.rank(0) == 0) {  // a scalar reduces as a vector of one element
    return t.produce(t.op(), {t.reshape(x, {1})}, {{"axes", std::vector<int64_t>{0}}, {"keepdims", int64_t{0}}});
  }
  if (axes.empty()) {
    axes.resize(static_cast<size_t>(t.rank(0)));
    std::iota(axes.begin(), axes.end(), 0);
  }
  // Booleans (ReduceMax and ReduceMin, opset 20) order as 0 and 1; exponentials of integers are float32, truncated.
  const DType dtype = t.dtype(0);
  DType computed = dtype == DType::Bool ? DType::UInt8 : dtype;
  if (t.op() == "ReduceLogSumExp" && is_integer(dtype)) computed = DType::Float32;
  const Attributes attributes = {{"axes", t.axes(std::move(axes), t.rank(0))}, {"keepdims", keepdims}};
  if (computed == dtype) return t.produce(t.op(), {x}, attributes);
  x = t.cast(x, computed);
  t.produce("Cast", {t.emit(t.op(), {x}, attributes)}, {{"to", static_cast<int64_t>(dtype)}});
}

void arg(Translation& t) {
  t.produce(t.op(), {t.input(0)},
            {{"axis", t.axis(t.integer("axis", 0), t.rank(0))},
             {"keepdims", t.integer("keepdims", 1)},
             {"select_last_index", t.integer("select_last_index", 0)}});
}

void det(Translation& t) { t.produce("Det", {t.input(0)}); }

constexpr OperatorRow kReductionRows[] = {
    {"ReduceMean", 1, 28, reduce},
    {"ReduceSum", 1, 28, reduce},
    {"ReduceMax", 1, 28, reduce},
    {"ReduceMin", 1, 28, reduce},
    {"ReduceL1", 1, 28, reduce},
    {"ReduceL2", 1, 28, reduce},
    {"ReduceProd", 1, 28, reduce},
    {"ReduceSumSquare", 1, 28, reduce},
    {"ReduceLogSum", 1, 28, reduce},
    {"ReduceLogSumExp", 1, 28, reduce},
    {"ArgMax", 1, 28, arg},
    {"ArgMin", 1, 28, arg},
    {"Det", 11, 28, det},
};

}  // namespace

std::span<const OperatorRow> reduction_operators() { return kReductionRows; }

}  // namespace openrknn::onnx
