#include "compiler/importers/torchscript/operators.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

namespace openrknn::torchscript {
namespace {

using Rows = std::map<std::string_view, const OperatorRow*, std::less<>>;

const Rows& all_rows() {
  static const Rows rows = [] {
    Rows made;
    for (const auto& table :
         {rows_of_arithmetic(), rows_of_comparison(), rows_of_functions(), rows_of_activations(), rows_of_convolution(),
          rows_of_pooling(), rows_of_sampling(), rows_of_products(), rows_of_attention(), rows_of_normalization(),
          rows_of_shapes(), rows_of_parts(), rows_of_indexing(), rows_of_reduction(), rows_of_sources(),
          rows_of_recurrent(), rows_of_quantized()}) {
      for (const OperatorRow& row : table) made.emplace(row.op, &row);
    }
    return made;
  }();
  return rows;
}

enum NumberKind : uint8_t { kBool, kInteger, kFloat };

NumberKind kind_of_type(DType type) {
  if (is_floating(type)) return kFloat;
  return type == DType::Bool ? kBool : kInteger;
}

DType wider(DType a, DType b) {
  if (a == b) return a;
  if (kind_of_type(a) != kind_of_type(b)) return kind_of_type(a) > kind_of_type(b) ? a : b;
  const int64_t a_bytes = byte_size(a, 1), b_bytes = byte_size(b, 1);
  if (a_bytes != b_bytes) return a_bytes > b_bytes ? a : b;
  return a_bytes == 1 ? DType::Int16 : a;  // int8 with uint8
}

}  // namespace

const OperatorRow* find_operator(std::string_view name) {
  const auto found = all_rows().find(name);
  return found == all_rows().end() ? nullptr : found->second;
}

std::vector<OperatorRow> operator_rows() {
  std::vector<OperatorRow> rows;
  for (const auto& [name, row] : all_rows()) rows.push_back(*row);
  return rows;
}

Value box(ValueId id) {
  auto made = std::make_shared<TensorBox>();
  made->id = id;
  return TensorRef(std::move(made));
}

Value list_of(const std::vector<ValueId>& ids) {
  std::vector<Value> items;
  for (const ValueId id : ids) items.push_back(box(id));
  return make_list(std::move(items));
}

Value tuple_of(const std::vector<ValueId>& ids) {
  std::vector<Value> items;
  for (const ValueId id : ids) items.push_back(box(id));
  return make_tuple(std::move(items));
}

DType result_type(const Call& call, std::span<const Value> operands) {
  // From the least to the most deciding: numbers, tensors without dimensions, tensors with some.
  std::array<std::optional<DType>, 3> found;
  for (const Value& operand : operands) {
    size_t rank = 0;
    DType type = DType::Bool;
    if (const auto* tensor = operand.as<TensorRef>()) {
      const ValueId id = call.run.id(*tensor);
      rank = call.rank(id) > 0 ? 2 : 1;
      type = call.dtype(id);
    } else if (operand.is<int64_t>()) {
      type = DType::Int64;
    } else if (operand.is<double>()) {
      type = DType::Float32;
    }
    found[rank] = found[rank] ? wider(*found[rank], type) : type;
  }
  std::optional<DType> result = found[2];
  for (const size_t rank : {1, 0}) {
    if (!found[rank]) continue;
    if (!result || kind_of_type(*found[rank]) > kind_of_type(*result)) result = *found[rank];
  }
  return result.value_or(DType::Float32);
}

std::pair<ValueId, ValueId> promoted(const Call& call, size_t i, size_t j, bool to_float) {
  DType type = result_type(call, std::array{call.at(i), call.at(j)});
  if (to_float && !is_floating(type)) type = DType::Float32;
  const auto operand = [&](size_t at) {
    const Value& value = call.at(at);
    if (value.is<TensorRef>()) return call.cast(call.tensor(at), type);
    return call.scalar(call.number(at), type);
  };
  const ValueId a = operand(i);
  return {a, operand(j)};
}

}  // namespace openrknn::torchscript
