// Many numbers to one: sums, extremes, orders.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/importers/torchscript/operators.h"
#include "compiler/importers/torchscript/pickle.h"

namespace openrknn::torchscript {
namespace {

/// In the type that `dtype` names, if it is given; sums of integers are int64.
ValueId operand(const Call& call, size_t dtype) {
  const ValueId x = call.tensor(0);
  if (call.has(dtype)) return call.cast(x, dtype_of_number(call.integer(dtype)));
  return !is_floating(call.dtype(x)) ? call.cast(x, DType::Int64) : x;
}

ValueId reduce(const Call& call, std::string_view node, ValueId x, const Ints& axes, bool keeps) {
  if (axes.empty()) return x;  // of a number
  return call.add(node, {x}, {{"axes", axes}, {"keepdims", int64_t{keeps}}});
}

/// self dim keepdim dtype
template <const char* Node>
Value reduced(const Call& call) {
  const ValueId x = operand(call, 3);
  return box(reduce(call, Node, x, call.axes_of(1, x), call.flag(2)));
}
template <const char* Node>
Value extreme(const Call& call) {
  const ValueId x = call.tensor(0);
  return box(reduce(call, Node, x, call.axes_of(1, x), call.flag(2)));
}
constexpr char kReduceMean[] = "ReduceMean", kReduceSum[] = "ReduceSum", kReduceProd[] = "ReduceProd",
               kReduceMax[] = "ReduceMax", kReduceMin[] = "ReduceMin", kReduceLogSumExp[] = "ReduceLogSumExp",
               kArgMax[] = "ArgMax", kArgMin[] = "ArgMin";

/// All, any: of what is not zero.
template <const char* Node>
Value truth_of_all(const Call& call) {
  const ValueId x = call.as_bool(call.tensor(0));
  const Ints axes = call.axes_of(1, x);
  return box(call.cast(reduce(call, Node, call.cast(x, DType::Int32), axes, call.flag(2)), DType::Bool));
}
Value count_nonzero(const Call& call) {
  const ValueId x = call.tensor(0);
  return box(reduce(call, kReduceSum, call.cast(call.as_bool(x), DType::Int64), call.axes_of(1, x), false));
}

ValueId place_of_extreme(const Call& call, const char* node, ValueId x, int64_t axis, bool keeps) {
  return call.add(node, {x}, {{"axis", axis}, {"keepdims", int64_t{keeps}}});
}
/// self dim keepdim; without dim of all numbers in their order
template <const char* Node>
Value arg(const Call& call) {
  const ValueId x = call.tensor(0);
  if (!call.has(1))
    return box(
        call.reshape(place_of_extreme(call, Node, call.reshape(x, {element_count(call.shape(x))}), 0, false), {}));
  return box(place_of_extreme(call, Node, x, call.axis_of(1, x, 0), call.flag(2)));
}
/// max(x), max(x, y), or max(x, dim) -> (numbers, places)
template <const char* Node, const char* Arg, bool IsMax>
Value extreme_of(const Call& call) {
  if (call.is_tensor(1)) {
    const auto [a, b] = promoted(call, 0, 1);
    return box(call.add(IsMax ? "Max" : "Min", {a, b}));
  }
  if (!call.has(1)) return extreme<Node>(call);
  const ValueId x = call.tensor(0);
  const int64_t axis = call.axis_of(1, x, 0);
  return tuple_of({reduce(call, Node, x, {axis}, call.flag(2)), place_of_extreme(call, Arg, x, axis, call.flag(2))});
}

/// self dim keepdim
Value both_extremes(const Call& call) {
  const ValueId x = call.tensor(0);
  const Ints axes = call.axes_of(1, x);
  return tuple_of({reduce(call, kReduceMin, x, axes, call.flag(2)), reduce(call, kReduceMax, x, axes, call.flag(2))});
}

/// self k dim largest
Value top_k(const Call& call) {
  const ValueId x = call.tensor(0);
  return tuple_of(call.builder().add_many(
      "TopK", {x}, {{"axis", call.axis_of(2, x, -1)}, {"k", call.integer(1)}, {"largest", int64_t{call.flag(3, true)}}},
      2));
}
std::vector<ValueId> sorted(const Call& call, size_t axis_at, size_t descending_at) {
  const ValueId x = call.tensor(0);
  const int64_t axis = call.axis_of(axis_at, x, -1);
  return call.builder().add_many(
      "TopK", {x}, {{"axis", axis}, {"k", call.extent(x, axis)}, {"largest", int64_t{call.flag(descending_at)}}}, 2);
}

/// self dim dtype
template <const char* Node>
Value running(const Call& call) {
  const ValueId x = operand(call, 2);
  return box(call.add(Node, {x}, {{"axis", call.axis_of(1, x, 0)}}));
}
constexpr char kCumSum[] = "CumSum", kCumProd[] = "CumProd";

struct Moments {
  ValueId mean, variance;
};
/// self dim unbiased keepdim correction; or self unbiased. The divisor is the count less the correction, 1 by default.
Moments moments(const Call& call) {
  const ValueId x = call.floating(0);
  const bool is_short = call.at(1).is<bool>();  // var(x, unbiased)
  const Call asked{.run = call.run, .op = call.op, .arguments = {call.at(0), is_short ? Value() : call.at(1)}};
  const Ints axes = asked.axes_of(1, x);
  const bool keeps = call.flag(3);
  double correction = 1;
  if (is_short) correction = call.flag(1) ? 1 : 0;
  if (call.at(2).is<bool>()) correction = call.flag(2) ? 1 : 0;
  if (call.has(4)) correction = call.number(4);
  double count = 1;
  for (const int64_t axis : axes) count *= static_cast<double>(call.extent(x, axis));
  if (count <= correction) call.refuse(fmt::format("of {} numbers with a correction of {}", count, correction));
  const ValueId mean = reduce(call, kReduceMean, x, axes, true);
  const ValueId difference = call.add("Sub", {x, mean});
  const ValueId square = call.add("Mul", {difference, difference});
  ValueId variance = reduce(call, kReduceMean, square, axes, keeps);
  if (correction != 0) variance = call.add("Mul", {variance, call.scalar(count / (count - correction))});
  Shape shape = call.shape(variance);
  return {call.reshape(mean, std::move(shape)), variance};
}
Value variance(const Call& call) { return box(moments(call).variance); }
Value deviation(const Call& call) { return box(call.add("Sqrt", {moments(call).variance})); }
Value variance_and_mean(const Call& call) {
  const Moments both = moments(call);
  return tuple_of({both.variance, both.mean});
}
Value deviation_and_mean(const Call& call) {
  const Moments both = moments(call);
  return tuple_of({call.add("Sqrt", {both.variance}), both.mean});
}

constexpr std::string_view kReduce = "self dim keepdim dtype", kMoments = "self dim unbiased keepdim correction";

constexpr OperatorRow kReductionRows[] = {
    {"aten::all", "self dim keepdim", truth_of_all<kReduceMin>},
    {"aten::amax", "self dim keepdim", extreme<kReduceMax>},
    {"aten::amin", "self dim keepdim", extreme<kReduceMin>},
    {"aten::aminmax", "self dim keepdim", both_extremes},
    {"aten::any", "self dim keepdim", truth_of_all<kReduceMax>},
    {"aten::argmax", "self dim keepdim", arg<kArgMax>},
    {"aten::argmin", "self dim keepdim", arg<kArgMin>},
    {"aten::argsort", "self dim descending", [](const Call& call) { return box(sorted(call, 1, 2)[1]); }},
    {"aten::count_nonzero", "self dim", count_nonzero},
    {"aten::cumprod", "self dim dtype", running<kCumProd>},
    {"aten::cumsum", "self dim dtype", running<kCumSum>},
    {"aten::logsumexp", "self dim keepdim", reduced<kReduceLogSumExp>},
    {"aten::max", "self dim keepdim", extreme_of<kReduceMax, kArgMax, true>},
    {"aten::mean", kReduce, reduced<kReduceMean>},
    {"aten::min", "self dim keepdim", extreme_of<kReduceMin, kArgMin, false>},
    {"aten::prod", kReduce, reduced<kReduceProd>},
    {"aten::sort", "self dim descending stable", [](const Call& call) { return tuple_of(sorted(call, 1, 2)); }},
    {"aten::std", kMoments, deviation},
    {"aten::std_mean", kMoments, deviation_and_mean},
    {"aten::sum", kReduce, reduced<kReduceSum>},
    {"aten::topk", "self k dim largest sorted", top_k},
    {"aten::var", kMoments, variance},
    {"aten::var_mean", kMoments, variance_and_mean},
};

}  // namespace

std::span<const OperatorRow> rows_of_reduction() { return kReductionRows; }

}  // namespace openrknn::torchscript
