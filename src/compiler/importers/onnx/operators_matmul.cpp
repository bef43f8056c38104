// MatMul and Gemm.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "compiler/importers/onnx/operators.h"

namespace openrknn::onnx {
namespace {

/// numpy's rule for vectors, resolved here: a row on the left, a column on the right, and the added dimension leaves
/// again.
void matmul(Translation& t) {
  ValueId a = t.input(0), b = t.input(1);
  if (t.rank(0) == 0 || t.rank(1) == 0) t.fail(Code::ImportShapeMismatch, "inputs must have rank 1 or more");
  const bool row = t.rank(0) == 1, column = t.rank(1) == 1;
  if (!row && !column) return t.produce("MatMul", {a, b});
  if (row) a = t.reshape(a, {1, t.shape_of(a)[0]});
  if (column) b = t.reshape(b, {t.shape_of(b)[0], 1});
  const ValueId product = t.emit("MatMul", {a, b});
  Shape shape = t.shape_of(product);
  if (column) shape.pop_back();
  if (row) shape.erase(shape.end() - (column ? 1 : 2));
  t.produce_reshaped(product, std::move(shape));
}

ValueId scaled(Translation& t, ValueId value, double factor) {
  if (factor == 1.0) return value;
  return t.emit("Mul", {value, t.scalar(factor, t.dtype_of(value))});
}

/// alpha · A' · B' + beta · C. The factors go into B and C, which are weights in every layer.
void gemm(Translation& t) {
  if (t.rank(0) != 2 || t.rank(1) != 2) {
    t.fail(Code::ImportShapeMismatch,
           fmt::format("A and B must be matrices, got {} and {}", to_string(t.shape(0)), to_string(t.shape(1))));
  }
  const ValueId a = t.integer("transA", 0) != 0 ? t.transpose(t.input(0), {1, 0}) : t.input(0);
  ValueId b = t.integer("transB", 0) != 0 ? t.transpose(t.input(1), {1, 0}) : t.input(1);
  b = scaled(t, b, t.real("alpha", 1.0));
  const double beta = t.real("beta", 1.0);
  if (!t.has(2) || beta == 0.0) return t.produce("MatMul", {a, b});

  const ValueId c = scaled(t, t.input(2), beta);
  const Shape shape = t.shape_of(c);
  const int64_t columns = t.shape_of(b)[1];
  const bool one_row = !shape.empty() && shape.back() == columns && element_count(shape) == columns;
  if (one_row && t.constant(c) != nullptr) {
    const ValueId bias = shape.size() == 1 ? c : t.add_constant(t.constant(c)->reshaped({columns}), "bias");
    return t.produce("MatMul", {a, b, bias});
  }
  t.produce("Add", {t.emit("MatMul", {a, b}), c});
}

constexpr OperatorRow kMatmulRows[] = {
    {"MatMul", 1, 28, matmul},
    {"Gemm", 6, 28, gemm},
};

}  // namespace

std::span<const OperatorRow> matmul_operators() { return kMatmulRows; }

}  // namespace openrknn::onnx
