// MatMul, Gemm and the Einsum forms that are one matrix product.
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

/// One operand of an Einsum and the letters of its dimensions.
struct Term {
  ValueId value;
  std::string letters;
};

/// Sums away the letters that `keep` does not hold.
void sum_out(Translation& t, Term& term, const std::string& keep) {
  std::vector<int64_t> axes;
  std::string left;
  for (size_t i = 0; i < term.letters.size(); ++i) {
    if (keep.find(term.letters[i]) == std::string::npos) {
      axes.push_back(static_cast<int64_t>(i));
    } else {
      left += term.letters[i];
    }
  }
  if (axes.empty()) return;
  term.value = t.emit("ReduceSum", {term.value}, {{"axes", axes}, {"keepdims", int64_t{0}}});
  term.letters = left;
}

/// Brings the dimensions into the order of `wanted`, a permutation of the term's letters.
void order_as(Translation& t, Term& term, const std::string& wanted) {
  std::vector<int64_t> order;
  for (const char letter : wanted) order.push_back(static_cast<int64_t>(term.letters.find(letter)));
  term.value = t.transpose(term.value, std::move(order));
  term.letters = wanted;
}

std::string common(const std::string& a, const std::string& b, bool in_b) {
  std::string letters;
  for (const char letter : a) {
    if ((b.find(letter) != std::string::npos) == in_b) letters += letter;
  }
  return letters;
}

/// a and b as stacks of matrices [batch, M, K] x [batch, K, N]; the result has letters batch + M's + N's.
Term contract(Translation& t, Term a, Term b, const std::string& out) {
  const std::string both = common(a.letters, b.letters, true);
  const std::string batch = common(both, out, true), inner = common(both, out, false);
  const std::string rows = common(a.letters, both, false), columns = common(b.letters, both, false);
  const auto extents = [&](const Term& term, const std::string& letters) {
    Shape shape;
    for (const char letter : letters) shape.push_back(t.shape_of(term.value)[term.letters.find(letter)]);
    return shape;
  };
  const Shape batch_shape = extents(a, batch), row_shape = extents(a, rows), column_shape = extents(b, columns);
  if (batch_shape != extents(b, batch) || extents(a, inner) != extents(b, inner)) {
    t.fail(Code::ImportShapeMismatch, "the operands' shapes do not fit the equation");
  }
  const int64_t k = element_count(extents(a, inner)), m = element_count(row_shape), n = element_count(column_shape);
  const int64_t stack = element_count(batch_shape);
  order_as(t, a, batch + rows + inner);
  order_as(t, b, batch + inner + columns);
  Shape shape = batch_shape;
  shape.insert(shape.end(), row_shape.begin(), row_shape.end());
  shape.insert(shape.end(), column_shape.begin(), column_shape.end());
  const ValueId product = t.emit("MatMul", {t.reshape(a.value, {stack, m, k}), t.reshape(b.value, {stack, k, n})});
  return {t.reshape(product, std::move(shape)), batch + rows + columns};
}

void einsum(Translation& t) {
  std::string equation = t.text("equation", "");
  std::erase(equation, ' ');
  const auto refuse = [&](std::string_view what) {
    t.unsupported(fmt::format("equation '{}': {} not built", equation, what), "write it with MatMul and Transpose");
  };
  if (equation.find('.') != std::string::npos) refuse("'...' is");
  const size_t arrow = equation.find("->");
  std::vector<std::string> terms(1);
  for (const char c : equation.substr(0, arrow)) {
    if (c == ',') {
      terms.emplace_back();
    } else if (std::isalpha(static_cast<unsigned char>(c)) != 0) {
      terms.back() += c;
    } else {
      refuse("this character is");
    }
  }
  if (terms.size() != t.input_count() || terms.size() > 2) refuse(fmt::format("{} operands are", terms.size()));
  std::string out;
  if (arrow != std::string::npos) {
    out = equation.substr(arrow + 2);
  } else {  // implicit form: the letters that occur once, in alphabetical order
    std::string all;
    for (const std::string& term : terms) all += term;
    std::sort(all.begin(), all.end());
    for (const char c : all) {
      if (std::count(all.begin(), all.end(), c) == 1) out += c;
    }
  }
  std::vector<Term> operands;
  for (size_t i = 0; i < terms.size(); ++i) {
    std::string letters = terms[i];
    std::sort(letters.begin(), letters.end());
    if (std::adjacent_find(letters.begin(), letters.end()) != letters.end()) refuse("diagonals are");
    if (static_cast<int64_t>(terms[i].size()) != t.rank(i)) {
      t.fail(Code::ImportShapeMismatch,
             fmt::format("'{}' does not fit operand {} of shape {}", terms[i], i, to_string(t.shape(i))));
    }
    operands.push_back({t.input(i), terms[i]});
  }
  for (size_t i = 0; i < operands.size(); ++i) {
    sum_out(t, operands[i], operands.size() == 2 ? out + operands[1 - i].letters : out);
  }
  Term result = operands.size() == 2 ? contract(t, operands[0], operands[1], out) : operands[0];
  std::string a = result.letters, b = out;
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  if (a != b) refuse("an output letter that no operand has is");
  order_as(t, result, out);
  t.forward(result.value);
}

constexpr OperatorRow kRows[] = {
    {"MatMul", 1, 28, matmul},
    {"Gemm", 6, 28, gemm},
    {"Einsum", 12, 28, einsum},
};

}  // namespace

std::span<const OperatorRow> matmul_operators() { return kRows; }

}  // namespace openrknn::onnx
