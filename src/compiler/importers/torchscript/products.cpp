// Products of matrices.
#include <fmt/format.h>

#include "compiler/importers/einsum.h"
#include "compiler/importers/torchscript/operators.h"

namespace openrknn::torchscript {
namespace {

ValueId product(const Call& call, size_t i, size_t j) {
  const auto [a, b] = promoted(call, i, j);
  return call.add("MatMul", {a, b});
}
Value matmul(const Call& call) { return box(product(call, 0, 1)); }

Value linear(const Call& call) {
  const ValueId x = call.floating(0), weight = call.floating(1);
  call.require_rank(weight, 1, 2);
  if (call.rank(weight) == 1) return box(call.add("MatMul", {x, weight}));
  std::vector<ValueId> inputs{x, call.builder().add_beside("Transpose", {weight}, {{"perm", Ints{1, 0}}})};
  if (call.has(2)) inputs.push_back(call.floating(2));
  return box(call.add("MatMul", std::move(inputs)));
}

ValueId scaled(const Call& call, ValueId x, size_t i) {
  if (!call.has(i) || call.number(i) == 1) return x;
  return call.add("Mul", {x, call.scalar(call.number(i), call.dtype(x))});
}
/// beta · self + alpha · mat1 · mat2
Value add_matrix_product(const Call& call) {
  const ValueId x = call.tensor(0), a = call.tensor(1), b = call.tensor(2);
  const bool is_plain = call.number(3, 1) == 1 && call.number(4, 1) == 1;
  if (is_plain && call.rank(x) == 1 && call.rank(b) == 2 && call.extent(x, 0) == call.extent(b, 1))
    return box(call.add("MatMul", {a, b, x}));
  const ValueId made = scaled(call, product(call, 1, 2), 4);
  return box(call.add("Add", {scaled(call, x, 3), made}));
}

Value outer(const Call& call) {
  const ValueId a = call.tensor(0), b = call.tensor(1);
  call.require_rank(a, 1, 1);
  call.require_rank(b, 1, 1);
  return box(call.add("Mul", {call.reshape(a, {call.extent(a, 0), 1}), call.reshape(b, {1, call.extent(b, 0)})}));
}

class Here final : public EinsumGraph {
 public:
  explicit Here(const Call& call) : call_(call) {}
  ValueId emit(std::string_view op, std::vector<ValueId> inputs, Attributes attributes) override {
    return call_.add(op, std::move(inputs), std::move(attributes));
  }
  Shape shape_of(ValueId id) const override { return call_.shape(id); }
  DType dtype_of(ValueId id) const override { return call_.dtype(id); }
  [[noreturn]] void fail(std::string problem) const override { call_.refuse(std::move(problem)); }

 private:
  const Call& call_;
};
Value einsum_of(const Call& call) {
  Here here(call);
  const std::vector<ValueId> operands = call.tensors(1);
  return box(einsum(here, call.text(0), operands));
}

/// x1 [.., n, d], x2 [.., m, d]: the distances of their rows
Value distances(const Call& call) {
  const ValueId a = call.floating(0), b = call.floating(1);
  call.require_rank(a, 2, 8);
  call.require_rank(b, 2, 8);
  if (call.number(2, 2) != 2) call.refuse("a norm other than 2 is not supported");
  Shape rows = call.shape(a), columns = call.shape(b);
  rows.insert(rows.end() - 1, 1);
  columns.insert(columns.end() - 2, 1);
  const ValueId apart = call.add("Sub", {call.reshape(a, rows), call.reshape(b, columns)});
  return box(call.add("ReduceL2", {apart}, {{"axes", Ints{call.rank(apart) - 1}}, {"keepdims", int64_t{0}}}));
}

constexpr OperatorRow kProductRows[] = {
    {"aten::addmm", "self mat1 mat2 beta alpha", add_matrix_product},
    {"aten::baddbmm", "self batch1 batch2 beta alpha", add_matrix_product},
    {"aten::bmm", "self mat2", matmul},
    {"aten::_cdist_forward", "x1 x2 p compute_mode", distances},
    {"aten::cdist", "x1 x2 p compute_mode", distances},
    {"aten::dot", "self tensor", matmul},
    {"aten::einsum", "equation tensors path", einsum_of},
    {"aten::linear", "input weight bias", linear},
    {"aten::matmul", "self other", matmul},
    {"aten::mm", "self mat2", matmul},
    {"aten::mv", "self vec", matmul},
    {"aten::outer", "self vec2", outer},
};

}  // namespace

std::span<const OperatorRow> rows_of_products() { return kProductRows; }

}  // namespace openrknn::torchscript
