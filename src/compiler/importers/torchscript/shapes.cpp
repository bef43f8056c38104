// The same numbers under another shape, in another order, or again and again.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "compiler/importers/torchscript/operators.h"
#include "compiler/importers/torchscript/pickle.h"

namespace openrknn::torchscript {
namespace {

// What is written to a view of other shape is the base's in its own.
ValueId put_shape(const Call& call, ValueId base, ValueId part, size_t) {
  return call.reshape(part, Shape(call.shape(base)));
}

Value same(const Call& call) { return box(call.tensor(0)); }
Value alias(const Call& call) { return call.at(0); }

/// With one extent that may be -1.
Shape resolved(const Call& call, ValueId x, Shape to) {
  const int64_t count = element_count(call.shape(x));
  int64_t known = 1;
  for (const int64_t extent : to)
    if (extent < -1 || (extent != -1 && __builtin_mul_overflow(known, extent, &known)))
      call.refuse(fmt::format("the shape {}", to_string(to)));
  const auto open = std::ranges::find(to, -1);
  if (open != to.end() && known != 0) *open = count / known;
  if (std::ranges::count(to, -1) != 0 || element_count(call.checked(to)) != count)
    call.refuse(fmt::format("{} numbers of {} in the shape {}", count, to_string(call.shape(x)), to_string(to)));
  return to;
}
Value reshape(const Call& call) {
  const ValueId x = call.tensor(0);
  return box(call.reshape(x, resolved(call, x, call.ints(1))));
}
Value reshape_as(const Call& call) {
  const ValueId x = call.tensor(0);
  return box(call.reshape(x, resolved(call, x, call.shape(call.tensor(1)))));
}

Value flatten(const Call& call) {
  const ValueId x = call.tensor(0);
  const Shape shape = call.shape(x);
  if (shape.empty()) return box(call.reshape(x, {1}));
  const int64_t first = call.axis_of(1, x, 0), last = call.axis_of(2, x, -1);
  if (first > last) call.refuse(fmt::format("from axis {} to {}", first, last));
  Shape to(shape.begin(), shape.begin() + first);
  to.push_back(std::accumulate(shape.begin() + first, shape.begin() + last + 1, int64_t{1}, std::multiplies()));
  to.insert(to.end(), shape.begin() + last + 1, shape.end());
  return box(call.reshape(x, std::move(to)));
}

Value unflatten(const Call& call) {
  const ValueId x = call.tensor(0);
  const auto axis = static_cast<size_t>(call.axis_of(1, x, 0));
  Shape to = call.shape(x);
  if (to.empty()) call.refuse("of a number");
  const Shape into = call.ints(2);
  to.erase(to.begin() + static_cast<std::ptrdiff_t>(axis));
  to.insert(to.begin() + static_cast<std::ptrdiff_t>(axis), into.begin(), into.end());
  return box(call.reshape(x, resolved(call, x, to)));
}

/// Dimensions that are not 1 stay, as torch says.
Value squeeze(const Call& call) {
  const ValueId x = call.tensor(0);
  const Shape shape = call.shape(x);
  const Ints axes = call.axes_of(1, x);
  Shape to;
  for (size_t d = 0; d < shape.size(); ++d)
    if (shape[d] != 1 || std::ranges::find(axes, static_cast<int64_t>(d)) == axes.end()) to.push_back(shape[d]);
  return box(call.reshape(x, std::move(to)));
}

Value unsqueeze(const Call& call) {
  const ValueId x = call.tensor(0);
  Shape to = call.shape(x);
  to.insert(to.begin() + call.axis(call.integer(1), call.rank(x) + 1), 1);
  return box(call.reshape(x, std::move(to)));
}

Ints straight(const Call& call, ValueId x) {
  Ints order(static_cast<size_t>(call.rank(x)));
  std::iota(order.begin(), order.end(), 0);
  return order;
}

/// The order of the result's dimensions that the operator at hand asks for.
using Order = Ints (*)(const Call&, ValueId x);
Ints permuted(const Call& call, ValueId x) {
  Ints order = call.ints(1);
  for (int64_t& axis : order) axis = call.axis(axis, call.rank(x));
  Ints sorted = order;
  std::ranges::sort(sorted);
  if (sorted != straight(call, x)) call.refuse(fmt::format("the order {}", to_string(order)));
  return order;
}
Ints swapped(const Call& call, ValueId x) {
  Ints order = straight(call, x);
  if (order.empty()) return order;
  std::swap(order[static_cast<size_t>(call.axis_of(1, x, 0))], order[static_cast<size_t>(call.axis_of(2, x, 0))]);
  return order;
}
Ints turned(const Call& call, ValueId x) {
  call.require_rank(x, 0, 2);
  Ints order = straight(call, x);
  std::ranges::reverse(order);
  return order;
}
Ints reversed(const Call& call, ValueId x) {
  Ints order = straight(call, x);
  std::ranges::reverse(order);
  return order;
}
Ints last_two(const Call& call, ValueId x) {
  call.require_rank(x, 2, 16);
  Ints order = straight(call, x);
  std::swap(order[order.size() - 1], order[order.size() - 2]);
  return order;
}
/// movedim(x, source, destination)
Ints moved(const Call& call, ValueId x) {
  Ints from = call.ints(1), to = call.ints(2);
  if (from.size() != to.size()) call.refuse("as many places as dimensions are needed");
  Ints order(static_cast<size_t>(call.rank(x)), -1), rest = straight(call, x);
  for (size_t i = 0; i < from.size(); ++i) {
    const int64_t axis = call.axis(from[i], call.rank(x));
    order.at(static_cast<size_t>(call.axis(to[i], call.rank(x)))) = axis;
    std::erase(rest, axis);
  }
  size_t next = 0;
  for (int64_t& axis : order)
    if (axis < 0) axis = rest.at(next++);
  if (next != rest.size()) call.refuse("a dimension is moved twice");
  return order;
}

template <Order Of>
Value reorder(const Call& call) {
  const ValueId x = call.tensor(0);
  return box(call.transpose(x, Of(call, x)));
}
template <Order Of>
ValueId put_order(const Call& call, ValueId base, ValueId part, size_t) {
  return call.transpose(part, inverse(Of(call, base)));
}

/// -1 keeps an extent.
Value expand(const Call& call) {
  const ValueId x = call.tensor(0);
  Shape to = call.ints(1);
  const Shape& shape = call.shape(x);
  if (to.size() < shape.size()) call.refuse(fmt::format("{} to {}", to_string(shape), to_string(to)));
  const size_t added = to.size() - shape.size();
  for (size_t d = added; d < to.size(); ++d)
    if (to[d] == -1) to[d] = shape[d - added];
  return box(call.expand(x, to));
}
Value expand_as(const Call& call) { return box(call.expand(call.tensor(0), Shape(call.shape(call.tensor(1))))); }

/// More repeats than dimensions: the tensor has others of 1 in front.
Value repeat(const Call& call) {
  ValueId x = call.tensor(0);
  Ints repeats = call.ints(1);
  const auto rank = static_cast<size_t>(call.rank(x));
  if (repeats.size() < rank) repeats.insert(repeats.begin(), rank - repeats.size(), 1);  // tile() lets some be left out
  Shape shape(repeats.size() - rank, 1), to;
  shape.insert(shape.end(), call.shape(x).begin(), call.shape(x).end());
  for (size_t d = 0; d < shape.size(); ++d)
    if (repeats[d] < 0 || __builtin_mul_overflow(shape[d], repeats[d], &to.emplace_back()))
      call.refuse(fmt::format("{} repeats", repeats[d]));
  call.checked(to);
  x = call.reshape(x, shape);
  return box(call.add("Tile", {x}, {{"repeats", repeats}}));
}

/// Each number `repeats` times, one after the other.
Value repeat_interleave(const Call& call) {
  ValueId x = call.tensor(0);
  const int64_t repeats = call.integer(1);
  if (!call.has(2)) x = call.reshape(x, {element_count(call.shape(x))});
  const auto axis = static_cast<size_t>(call.has(2) ? call.axis_of(2, x, 0) : 0);
  Shape apart = call.shape(x), to = apart;
  apart.insert(apart.begin() + static_cast<std::ptrdiff_t>(axis) + 1, 1);
  Shape spread = apart;
  spread[axis + 1] = repeats;
  if (repeats < 0 || __builtin_mul_overflow(to.at(axis), repeats, &to[axis]))
    call.refuse(fmt::format("{} repeats", repeats));
  call.checked(to);
  return box(call.reshape(call.expand(call.reshape(x, apart), spread), to));
}

ValueId flipped(const Call& call, ValueId x, const Ints& axes) {
  Ints starts(call.shape(x).size(), 0), ends = call.shape(x), steps(starts.size(), 1);
  for (const int64_t given : axes) {
    const auto axis = static_cast<size_t>(call.axis(given, call.rank(x)));
    starts.at(axis) = ends.at(axis) - 1;
    ends[axis] = -1;
    steps[axis] = -1;
    if (starts[axis] < 0) call.refuse("an empty tensor");
  }
  return call.add("Slice", {x}, {{"starts", starts}, {"ends", ends}, {"steps", steps}});
}
Value flip(const Call& call) { return box(flipped(call, call.tensor(0), call.ints(1))); }

/// self k dims: quarter turns from the first dimension to the second
Value rotate(const Call& call) {
  const ValueId x = call.tensor(0);
  const int64_t turns = (call.integer(1, 1) % 4 + 4) % 4;
  Ints dims = call.ints(2, {0, 1});
  if (dims.size() != 2) call.refuse("a turn has two dimensions");
  for (int64_t& dim : dims) dim = call.axis(dim, call.rank(x));
  if (turns == 0) return box(x);
  if (turns == 2) return box(flipped(call, x, dims));
  Ints order = straight(call, x);
  std::swap(order[static_cast<size_t>(dims[0])], order[static_cast<size_t>(dims[1])]);
  return box(turns == 1 ? call.transpose(flipped(call, x, {dims[1]}), order)
                        : flipped(call, call.transpose(x, order), {dims[1]}));
}

Value roll(const Call& call) {
  ValueId x = call.tensor(0);
  const Shape shape = call.shape(x);
  const Ints shifts = call.ints(1), axes = call.ints(2);
  if (axes.empty()) x = call.reshape(x, {element_count(shape)});
  if (!axes.empty() && axes.size() != shifts.size()) call.refuse("as many shifts as dimensions are needed");
  for (size_t i = 0; i < std::max<size_t>(axes.size(), 1); ++i) {
    const int64_t axis = axes.empty() ? 0 : call.axis(axes[i], call.rank(x)), extent = call.extent(x, axis);
    if (shifts.empty() || extent == 0) call.refuse("nothing to roll");
    const int64_t cut = ((extent - shifts[i] % extent) % extent + extent) % extent;
    if (cut == 0) continue;
    x = call.concat({call.slice(x, axis, cut, extent), call.slice(x, axis, 0, cut)}, axis);
  }
  return box(call.reshape(x, shape));
}

/// to(dtype), to(device), to(device, dtype), to(other): the first integer is a dtype. The tensor itself if it has it.
Value to(const Call& call) {
  const ValueId x = call.tensor(0);
  for (size_t i = 1; i < call.arguments.size(); ++i) {
    std::optional<DType> type;
    if (const auto* number = call.at(i).as<int64_t>()) type = dtype_of_number(*number);
    if (call.is_tensor(i)) type = call.dtype(call.tensor(i));
    if (type) return *type == call.dtype(x) ? call.at(0) : box(call.cast(x, *type));
  }
  return call.at(0);
}

Value to_copy(const Call& call) {
  const ValueId x = call.tensor(0);
  return box(call.has(1) ? call.cast(x, dtype_of_number(call.integer(1))) : x);
}

/// An output that is an input, a constant, or another output: a node of its own gives it.
Value own_tensor(const Call& call) {
  const ValueId x = call.tensor(0);
  return box(call.add("Reshape", {x}, {{"shape", Shape(call.shape(x))}}));
}

/// What x.copy_(y), x.fill_(y) and x.zero_() write.
Value copy_into(const Call& call) {
  const ValueId into = call.tensor(0);
  return box(call.expand(call.cast(call.tensor(1), call.dtype(into)), Shape(call.shape(into))));
}
Value zero(const Call& call) {
  const ValueId into = call.tensor(0);
  return box(call.expand(call.scalar(0, call.dtype(into)), Shape(call.shape(into))));
}

constexpr OperatorRow kShapeRows[] = {
    {"aten::T", "self", reorder<reversed>, View::Strided, put_order<reversed>},
    {"aten::_cast_Float", "self", [](const Call& call) { return box(call.floating(0)); }},
    {"aten::_reshape_alias", "self size stride", reshape, View::Dense, put_shape},
    {"aten::_to_copy", "self dtype", to_copy},
    {"aten::_unsafe_view", "self size", reshape, View::Same, put_shape},
    {"aten::alias", "self", alias},
    {"aten::broadcast_to", "self size", expand, View::Strided},
    {"aten::clone", "self memory_format", same},
    {"aten::clone_of_output", "self", own_tensor},
    {"aten::contiguous", "self memory_format", same, View::Dense, put_shape},
    {"aten::copy", "self src non_blocking", copy_into},
    {"aten::detach", "self", alias},
    {"aten::expand", "self size implicit", expand, View::Strided},
    {"aten::expand_as", "self other", expand_as, View::Strided},
    {"aten::fill", "self value", copy_into},
    {"aten::flatten", "self start_dim end_dim", flatten, View::Dense, put_shape},
    {"aten::flip", "self dims", flip},
    {"aten::lift_fresh", "self", alias},
    {"aten::lift_fresh_copy", "self", same},
    {"aten::movedim", "self source destination", reorder<moved>, View::Strided, put_order<moved>},
    {"aten::mT", "self", reorder<last_two>, View::Strided, put_order<last_two>},
    {"aten::numpy_T", "self", reorder<reversed>, View::Strided, put_order<reversed>},
    {"aten::permute", "self dims", reorder<permuted>, View::Strided, put_order<permuted>},
    {"aten::repeat", "self repeats", repeat},
    {"aten::repeat_interleave", "self repeats dim output_size", repeat_interleave},
    {"aten::reshape", "self shape", reshape, View::Dense, put_shape},
    {"aten::reshape_as", "self other", reshape_as, View::Dense, put_shape},
    {"aten::roll", "self shifts dims", roll},
    {"aten::rot90", "self k dims", rotate},
    {"aten::squeeze", "self dim", squeeze, View::Same, put_shape},
    {"aten::swapaxes", "self axis0 axis1", reorder<swapped>, View::Strided, put_order<swapped>},
    {"aten::swapdims", "self dim0 dim1", reorder<swapped>, View::Strided, put_order<swapped>},
    {"aten::t", "self", reorder<turned>, View::Strided, put_order<turned>},
    {"aten::tile", "self dims", repeat},
    {"aten::to", "self dtype a b c d", to},
    {"aten::transpose", "self dim0 dim1", reorder<swapped>, View::Strided, put_order<swapped>},
    {"aten::type_as", "self other", to},
    {"aten::unflatten", "self dim sizes", unflatten, View::Same, put_shape},
    {"aten::unsqueeze", "self dim", unsqueeze, View::Same, put_shape},
    {"aten::view", "self size", reshape, View::Same, put_shape},
    {"aten::view_as", "self other", reshape_as, View::Same, put_shape},
    {"aten::zero", "self", zero},
};

}  // namespace

std::span<const OperatorRow> rows_of_shapes() { return kShapeRows; }

}  // namespace openrknn::torchscript
