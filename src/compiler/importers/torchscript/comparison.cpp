// Comparisons, logic, and choices by them.
#include <fmt/format.h>

#include <array>

#include "compiler/importers/torchscript/operators.h"

namespace openrknn::torchscript {
namespace {

template <int Node>
Value compare(const Call& call) {
  static constexpr std::string_view kNodes[] = {"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"};
  auto [a, b] = promoted(call, 0, 1);
  if (call.dtype(a) == DType::Bool && Node != 0) {
    a = call.cast(a, DType::Int32);
    b = call.cast(b, DType::Int32);
  }
  return box(call.add(kNodes[Node], {a, b}));
}
Value not_equal(const Call& call) {
  const auto [a, b] = promoted(call, 0, 1);
  return box(call.add("Not", {call.add("Equal", {a, b})}));
}

template <int Node>
Value logic(const Call& call) {
  static constexpr std::string_view kNodes[] = {"And", "Or", "Xor"};
  return box(call.add(kNodes[Node], {call.as_bool(call.tensor(0)), call.as_bool(call.tensor(1))}));
}
Value logical_not(const Call& call) { return box(call.add("Not", {call.as_bool(call.tensor(0))})); }

/// Of bools they are logic, of integers they work on bits.
template <int Node>
Value bits(const Call& call) {
  static constexpr std::string_view kNodes[] = {"And", "Or", "Xor"},
                                    kBits[] = {"BitwiseAnd", "BitwiseOr", "BitwiseXor"};
  const auto [a, b] = promoted(call, 0, 1);
  return box(call.add(call.dtype(a) == DType::Bool ? kNodes[Node] : kBits[Node], {a, b}));
}
Value bits_not(const Call& call) {
  const ValueId x = call.tensor(0);
  return box(call.add(call.dtype(x) == DType::Bool ? "Not" : "BitwiseNot", {x}));
}

Value where(const Call& call) {
  if (!call.has(1)) call.refuse("the places of what is true depend on the data: their number is not known");
  const auto [a, b] = promoted(call, 1, 2);
  return box(call.add("Where", {call.as_bool(call.tensor(0)), a, b}));
}

/// The tensor has its own type, whatever the number's is.
Value fill_where(const Call& call) {
  const ValueId x = call.tensor(0), mask = call.as_bool(call.tensor(1));
  const ValueId number =
      call.is_tensor(2) ? call.cast(call.tensor(2), call.dtype(x)) : call.scalar(call.number(2), call.dtype(x));
  return box(call.add("Where", {mask, number, x}));
}

template <int Kind>
Value is_special(const Call& call) {
  const ValueId x = call.tensor(0);
  if (!is_floating(call.dtype(x)))
    return box(call.add("Equal", {x, call.add("Add", {x, call.scalar(Kind == 2 ? 0 : 1, call.dtype(x))})}));
  const ValueId is_number = call.add("Equal", {x, x});
  if (Kind == 0) return box(call.add("Not", {is_number}));
  // What is beyond the largest number is infinite; a comparison with NaN is false.
  const ValueId magnitude = call.add("Abs", {x}), largest = call.scalar(3.4028234663852886e38);
  return box(call.add(Kind == 1 ? "Greater" : "LessOrEqual", {magnitude, largest}));
}

constexpr OperatorRow kComparisonRows[] = {
    {"aten::__and__", "self other", bits<0>},      {"aten::__or__", "self other", bits<1>},
    {"aten::__xor__", "self other", bits<2>},      {"aten::bitwise_and", "self other", bits<0>},
    {"aten::bitwise_not", "self", bits_not},       {"aten::bitwise_or", "self other", bits<1>},
    {"aten::bitwise_xor", "self other", bits<2>},  {"aten::eq", "self other", compare<0>},
    {"aten::ge", "self other", compare<2>},        {"aten::gt", "self other", compare<1>},
    {"aten::isfinite", "self", is_special<2>},     {"aten::isinf", "self", is_special<1>},
    {"aten::isnan", "self", is_special<0>},        {"aten::le", "self other", compare<4>},
    {"aten::logical_and", "self other", logic<0>}, {"aten::logical_not", "self", logical_not},
    {"aten::logical_or", "self other", logic<1>},  {"aten::logical_xor", "self other", logic<2>},
    {"aten::lt", "self other", compare<3>},        {"aten::masked_fill", "self mask value", fill_where},
    {"aten::ne", "self other", not_equal},         {"aten::where", "condition self other", where},
};

}  // namespace

std::span<const OperatorRow> rows_of_comparison() { return kComparisonRows; }

}  // namespace openrknn::torchscript
