#include "compiler/importers/einsum.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <numeric>

namespace openrknn {

ValueId EinsumGraph::reshape(ValueId x, Shape shape) {
  return shape_of(x) == shape ? x : emit("Reshape", {x}, {{"shape", std::move(shape)}});
}
ValueId EinsumGraph::transpose(ValueId x, std::vector<int64_t> order) {
  return std::ranges::is_sorted(order) ? x : emit("Transpose", {x}, {{"perm", std::move(order)}});
}

namespace {

/// One operand and the letters of its dimensions. The dimensions of an ellipsis are called 0, 1, … from the right.
struct Term {
  ValueId value;
  std::string letters;
};

bool holds(const std::string& letters, char letter) { return letters.find(letter) != std::string::npos; }

/// Sums away the letters that `keep` does not hold.
void sum_out(EinsumGraph& t, Term& term, const std::string& keep) {
  std::vector<int64_t> axes;
  std::string left;
  for (size_t i = 0; i < term.letters.size(); ++i) {
    if (!holds(keep, term.letters[i])) {
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
void order_as(EinsumGraph& t, Term& term, const std::string& wanted) {
  std::vector<int64_t> order;
  for (const char letter : wanted) order.push_back(static_cast<int64_t>(term.letters.find(letter)));
  term.value = t.transpose(term.value, std::move(order));
  term.letters = wanted;
}

std::string common(const std::string& a, const std::string& b, bool in_b) {
  std::string letters;
  for (const char letter : a) {
    if (holds(b, letter) == in_b) letters += letter;
  }
  return letters;
}
Shape extents(const EinsumGraph& t, const Term& term, const std::string& letters) {
  Shape shape;
  for (const char letter : letters) shape.push_back(t.shape_of(term.value)[term.letters.find(letter)]);
  return shape;
}

/// A letter that occurs twice picks the diagonal: both dimensions become one, of which every (n + 1)-th element stays.
void take_diagonals(EinsumGraph& t, Term& term) {
  for (size_t i = 0; i < term.letters.size(); ++i) {
    const char letter = term.letters[i];
    const size_t twin = term.letters.find(letter, i + 1);
    if (twin == std::string::npos) continue;
    const Shape shape = t.shape_of(term.value);
    if (shape[i] != shape[twin]) {
      t.fail(fmt::format("letter '{}' stands for extents {} and {}", letter, shape[i], shape[twin]));
    }
    std::vector<int64_t> order;
    std::string left;
    Shape merged;
    for (size_t d = 0; d < shape.size(); ++d) {
      if (d == i || d == twin) continue;
      order.push_back(static_cast<int64_t>(d));
      left += term.letters[d];
      merged.push_back(shape[d]);
    }
    order.push_back(static_cast<int64_t>(i));
    order.push_back(static_cast<int64_t>(twin));
    merged.push_back(shape[i] * shape[i]);
    Shape steps(merged.size(), 1);
    steps.back() = shape[i] + 1;
    const ValueId flat = t.reshape(t.transpose(term.value, order), merged);
    term.value = t.emit("Slice", {flat}, {{"starts", Shape(merged.size(), 0)}, {"ends", merged}, {"steps", steps}});
    term.letters = left + letter;
    i = static_cast<size_t>(-1);  // places have moved: once more from the start (a letter may stand there three times)
  }
}

/// a · b over all letters of both; the caller sums what it does not want.
Term multiply(EinsumGraph& t, Term a, Term b) {
  const std::string shared = common(a.letters, b.letters, true);
  const std::string rows = common(a.letters, shared, false), columns = common(b.letters, shared, false);
  order_as(t, a, shared + rows);
  order_as(t, b, shared + columns);
  Shape wide = t.shape_of(a.value), narrow = extents(t, b, shared);
  const Shape rest = extents(t, b, columns);
  wide.insert(wide.end(), rest.size(), 1);
  narrow.insert(narrow.end(), rows.size(), 1);
  narrow.insert(narrow.end(), rest.begin(), rest.end());
  return {t.emit("Mul", {t.reshape(a.value, wide), t.reshape(b.value, narrow)}), shared + rows + columns};
}

/// a and b as stacks of matrices [batch, M, K] x [batch, K, N]; the result has letters batch + M's + N's.
Term contract(EinsumGraph& t, Term a, Term b, const std::string& keep) {
  const std::string both = common(a.letters, b.letters, true);
  const std::string batch = common(both, keep, true), inner = common(both, keep, false);
  if (inner.empty() || !is_floating(t.dtype_of(a.value))) {
    Term product = multiply(t, a, b);
    sum_out(t, product, keep);
    return product;
  }
  const std::string rows = common(a.letters, both, false), columns = common(b.letters, both, false);
  const Shape batch_shape = extents(t, a, batch), row_shape = extents(t, a, rows),
              column_shape = extents(t, b, columns);
  const int64_t k = element_count(extents(t, a, inner)), m = element_count(row_shape), n = element_count(column_shape);
  const int64_t stack = element_count(batch_shape);
  order_as(t, a, batch + rows + inner);
  order_as(t, b, batch + inner + columns);
  Shape shape = batch_shape;
  shape.insert(shape.end(), row_shape.begin(), row_shape.end());
  shape.insert(shape.end(), column_shape.begin(), column_shape.end());
  const ValueId product = t.emit("MatMul", {t.reshape(a.value, {stack, m, k}), t.reshape(b.value, {stack, k, n})});
  return {t.reshape(product, std::move(shape)), batch + rows + columns};
}

/// The equation taken apart, ellipses resolved: one text of letters per operand, and the result's.
struct Equation {
  std::vector<std::string> terms;
  std::string out;
};
Equation parse(const EinsumGraph& t, std::string text, std::span<const ValueId> operands) {
  std::erase(text, ' ');
  const auto refuse = [&](const std::string& what) { t.fail(fmt::format("equation '{}': {}", text, what)); };
  // What stands for the dots in a term whose operand has `rank` dimensions; -1: as many as the most any operand has.
  size_t most = 0;
  const auto letters = [&](std::string term, int64_t rank) {
    const size_t dots = term.find("...");
    if (dots != std::string::npos) {
      const auto named = static_cast<int64_t>(term.size()) - 3;
      const auto hidden = rank < 0 ? most : static_cast<size_t>(std::max<int64_t>(0, rank - named));
      if (hidden > 10 || (rank >= 0 && rank < named)) refuse(fmt::format("'{}' does not fit rank {}", term, rank));
      std::string digits;
      for (size_t d = hidden; d > 0; --d) digits += static_cast<char>('0' + d - 1);
      most = std::max(most, hidden);
      term.replace(dots, 3, digits);
      if (rank < 0) return term;
    }
    if (rank >= 0 && static_cast<int64_t>(term.size()) != rank) {
      refuse(fmt::format("'{}' does not fit an operand of rank {}", term, rank));
    }
    return term;
  };
  const size_t arrow = text.find("->");
  Equation equation;
  std::vector<std::string> parts(1);
  for (const char c : text.substr(0, arrow)) {
    if (c == ',') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  if (parts.size() != operands.size()) {
    refuse(fmt::format("it has {} operands, the node {}", parts.size(), operands.size()));
  }
  for (size_t i = 0; i < parts.size(); ++i)
    equation.terms.push_back(letters(parts[i], static_cast<int64_t>(t.shape_of(operands[i]).size())));
  if (arrow != std::string::npos) {
    equation.out = letters(text.substr(arrow + 2), -1);
  } else {  // implicit form: the dots' dimensions, then the letters that occur once, in alphabetical order
    for (size_t d = most; d > 0; --d) equation.out += static_cast<char>('0' + d - 1);
    std::string all;
    for (const std::string& term : equation.terms) all += term;
    std::sort(all.begin(), all.end());
    for (const char c : all) {
      if (!std::isdigit(static_cast<unsigned char>(c)) && std::count(all.begin(), all.end(), c) == 1) equation.out += c;
    }
  }
  std::string all;
  for (const std::string& term : equation.terms) all += term;
  for (const char c : all + equation.out) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) refuse(fmt::format("'{}' is no letter", c));
  }
  for (const char c : equation.out) {
    if (!holds(all, c)) refuse(fmt::format("no operand has the output's letter '{}'", c));
    if (std::count(equation.out.begin(), equation.out.end(), c) > 1)
      refuse(fmt::format("the output has '{}' twice", c));
  }
  return equation;
}

/// Dimensions of extent 1 whose letter stands for more elsewhere are dropped: they would only be repeated.
void drop_broadcast(EinsumGraph& t, std::vector<Term>& terms) {
  std::map<char, int64_t> extent;
  const auto each = [&](auto body) {
    for (Term& term : terms) {
      for (size_t i = 0; i < term.letters.size(); ++i) body(term.letters[i], t.shape_of(term.value)[i]);
    }
  };
  each([&](char letter, int64_t size) { extent[letter] = size; });
  each([&](char letter, int64_t size) {
    if (extent[letter] == 1) extent[letter] = size;
  });
  each([&](char letter, int64_t size) {
    if (size == extent[letter] || size == 1) return;
    t.fail(fmt::format("the operands' shapes do not fit the equation: '{}' stands for {} and {}", letter,
                       extent[letter], size));
  });
  for (Term& term : terms) {
    std::string left;
    Shape shape;
    for (size_t i = 0; i < term.letters.size(); ++i) {
      const int64_t size = t.shape_of(term.value)[i];
      if (size != extent[term.letters[i]]) continue;
      left += term.letters[i];
      shape.push_back(size);
    }
    term.value = t.reshape(term.value, shape);
    term.letters = left;
  }
}

}  // namespace

ValueId einsum(EinsumGraph& t, std::string_view text, std::span<const ValueId> operands) {
  const Equation equation = parse(t, std::string(text), operands);
  std::vector<Term> terms;
  for (size_t i = 0; i < equation.terms.size(); ++i) {
    terms.push_back({operands[i], equation.terms[i]});
    take_diagonals(t, terms.back());
  }
  drop_broadcast(t, terms);
  const auto wanted_after = [&](size_t index) {
    std::string letters = equation.out;
    for (size_t i = index + 1; i < terms.size(); ++i) letters += terms[i].letters;
    return letters;
  };
  for (size_t i = 0; i < terms.size(); ++i) {
    std::string others = equation.out;
    for (size_t j = 0; j < terms.size(); ++j) {
      if (j != i) others += terms[j].letters;
    }
    sum_out(t, terms[i], others);
  }
  Term result = terms[0];
  for (size_t i = 1; i < terms.size(); ++i) result = contract(t, result, terms[i], wanted_after(i));
  sum_out(t, result, equation.out);
  order_as(t, result, equation.out);
  return result.value;
}

}  // namespace openrknn
