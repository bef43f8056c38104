// Parts of tensors, and tensors of parts.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/importers/torchscript/operators.h"

namespace openrknn::torchscript {
namespace {

constexpr int64_t kMostParts = 4096;

Value cat(const Call& call) {
  std::vector<ValueId> parts = call.tensors(0);
  // Torch passes over empty vectors, which lists of results begin with.
  if (parts.size() > 1) std::erase_if(parts, [&](ValueId part) { return call.shape(part) == Shape{0}; });
  if (parts.empty()) call.refuse("only empty tensors");
  DType type = call.dtype(parts[0]);
  for (const ValueId part : parts)
    if (call.dtype(part) != type) {
      const auto* sequence = call.at(0).sequence();
      type = result_type(call, (*sequence)->items);
    }
  for (ValueId& part : parts) part = call.cast(part, type);
  return box(call.concat(parts, call.axis_of(1, parts[0], 0)));
}

ValueId with_axis(const Call& call, ValueId x, int64_t axis) {
  Shape to = call.shape(x);
  to.insert(to.begin() + axis, 1);
  return call.reshape(x, std::move(to));
}

Value stack(const Call& call) {
  std::vector<ValueId> parts = call.tensors(0);
  const int64_t axis = call.axis(call.integer(1, 0), call.rank(parts[0]) + 1);
  const auto* sequence = call.at(0).sequence();
  const DType type = result_type(call, (*sequence)->items);
  for (ValueId& part : parts) part = with_axis(call, call.cast(part, type), axis);
  return box(call.concat(std::move(parts), axis));
}

/// hstack, vstack: numbers and vectors become rows first.
template <int64_t Axis>
Value stack_rows(const Call& call) {
  std::vector<ValueId> parts = call.tensors(0);
  for (ValueId& part : parts) {
    if (call.rank(part) == 0) part = call.reshape(part, {1});
    if (Axis == 0 && call.rank(part) == 1) part = with_axis(call, part, 0);
  }
  return box(call.concat(parts, call.rank(parts[0]) == 1 ? 0 : Axis));
}

/// A range of one axis.
struct Range {
  int64_t axis = 0, start = 0, end = 0, step = 1;
};

/// The base with other numbers in that range.
ValueId put_range(const Call& call, ValueId base, ValueId part, const Range& range) {
  const int64_t extent = call.extent(base, range.axis);
  std::vector<ValueId> pieces;
  const auto keep = [&](int64_t from, int64_t to) {
    if (from < to) pieces.push_back(call.slice(base, range.axis, from, to));
  };
  if (range.start >= range.end) return base;
  if (range.step == 1) {
    keep(0, range.start);
    pieces.push_back(part);
    keep(range.end, extent);
  } else {
    const int64_t count = call.extent(part, range.axis);
    if (count > 256) call.refuse(fmt::format("{} numbers written in steps of {}", count, range.step));
    int64_t done = 0;
    for (int64_t i = 0; i < count; ++i) {
      const int64_t at = range.start + i * range.step;
      keep(done, at);
      pieces.push_back(call.slice(part, range.axis, i, i + 1));
      done = at + 1;
    }
    keep(done, extent);
  }
  return call.concat(std::move(pieces), range.axis);
}

/// self dim start end step
Range slice_range(const Call& call, ValueId x) {
  if (call.rank(x) == 0) call.refuse("of a number");
  Range range{.axis = call.axis_of(1, x, 0), .step = call.integer(4, 1)};
  if (range.step < 1) call.refuse(fmt::format("a step of {}", range.step));
  const int64_t extent = call.extent(x, range.axis);
  const auto place = [&](size_t i, int64_t otherwise) {
    const int64_t at = call.integer(i, otherwise);
    return std::clamp<int64_t>(at < 0 ? at + extent : at, 0, extent);
  };
  range.start = place(2, 0);
  range.end = std::max(place(3, extent), range.start);
  return range;
}
/// self dim start length
Range narrow_range(const Call& call, ValueId x) {
  if (call.rank(x) == 0) call.refuse("of a number");
  Range range{.axis = call.axis_of(1, x, 0)};
  const int64_t extent = call.extent(x, range.axis), start = call.integer(2), length = call.integer(3);
  range.start = start < 0 ? start + extent : start;
  if (range.start < 0 || length < 0 || range.start > extent || length > extent - range.start)
    call.refuse(fmt::format("{} from {} of {}", length, start, extent));
  range.end = range.start + length;
  return range;
}
/// self dim index
Range select_range(const Call& call, ValueId x) {
  if (call.rank(x) == 0) call.refuse("of a number");
  Range range{.axis = call.axis_of(1, x, 0)};
  const int64_t extent = call.extent(x, range.axis), index = call.integer(2);
  range.start = index < 0 ? index + extent : index;
  if (range.start < 0 || range.start >= extent) call.refuse(fmt::format("number {} of {}", index, extent));
  range.end = range.start + 1;
  return range;
}

template <Range (*Of)(const Call&, ValueId)>
Value take(const Call& call) {
  const ValueId x = call.tensor(0);
  const Range range = Of(call, x);
  return box(call.slice(x, range.axis, range.start, range.end, range.step));
}
template <Range (*Of)(const Call&, ValueId)>
ValueId put(const Call& call, ValueId base, ValueId part, size_t) {
  return put_range(call, base, part, Of(call, base));
}

ValueId without_axis(const Call& call, ValueId x, int64_t axis) {
  Shape to = call.shape(x);
  to.erase(to.begin() + axis);
  return call.reshape(x, std::move(to));
}
Value select(const Call& call) {
  const ValueId x = call.tensor(0);
  const Range range = select_range(call, x);
  return box(without_axis(call, call.slice(x, range.axis, range.start, range.end), range.axis));
}
ValueId put_selected(const Call& call, ValueId base, ValueId part, size_t) {
  const Range range = select_range(call, base);
  return put_range(call, base, with_axis(call, part, range.axis), range);
}

/// Where the parts of split, chunk and unbind begin, and how many numbers each has.
struct Parts {
  int64_t axis = 0;
  Ints sizes;
};
Parts even_parts(const Call& call, ValueId x, int64_t axis, int64_t size) {
  const int64_t extent = call.extent(x, axis);
  if (size < 1 || extent / size > kMostParts) call.refuse(fmt::format("{} in parts of {}", extent, size));
  Parts parts{axis, {}};
  for (int64_t start = 0; start < extent; start += size) parts.sizes.push_back(std::min(size, extent - start));
  return parts;
}
/// self split_size or sizes, dim
Parts split_parts(const Call& call, ValueId x) {
  if (call.rank(x) == 0) call.refuse("of a number");
  const int64_t axis = call.axis_of(2, x, 0), extent = call.extent(x, axis);
  if (call.at(1).sequence() == nullptr) return even_parts(call, x, axis, call.integer(1));
  Parts parts{axis, call.ints(1)};
  int64_t rest = extent;
  for (const int64_t size : parts.sizes) {
    if (size < 0 || size > rest) call.refuse(fmt::format("{} in parts of {}", extent, to_string(parts.sizes)));
    rest -= size;
  }
  if (rest != 0 || parts.sizes.size() > kMostParts)
    call.refuse(fmt::format("{} in parts of {}", extent, to_string(parts.sizes)));
  return parts;
}
/// self chunks dim: parts of the rounded-up quotient, so there may be fewer
Parts chunk_parts(const Call& call, ValueId x) {
  if (call.rank(x) == 0) call.refuse("of a number");
  const int64_t axis = call.axis_of(2, x, 0), extent = call.extent(x, axis), chunks = call.integer(1);
  if (chunks < 1 || extent < 1) call.refuse(fmt::format("{} in {} parts", extent, chunks));
  return even_parts(call, x, axis, (extent - 1) / chunks + 1);
}
/// self sections or places, dim: the first parts are larger by one
Parts section_parts(const Call& call, ValueId x) {
  if (call.rank(x) == 0) call.refuse("of a number");
  Parts parts{call.axis_of(2, x, 0), {}};
  const int64_t extent = call.extent(x, parts.axis);
  if (call.at(1).sequence() != nullptr) {
    int64_t start = 0;
    Ints ends = call.ints(1);
    ends.push_back(extent);
    for (const int64_t given : ends) {
      const int64_t end = std::clamp(given < 0 ? given + extent : given, start, extent);
      parts.sizes.push_back(end - start);
      start = end;
    }
    return parts;
  }
  const int64_t count = call.integer(1);
  if (count < 1 || count > kMostParts) call.refuse(fmt::format("{} parts", count));
  for (int64_t i = 0; i < count; ++i) parts.sizes.push_back(extent / count + (i < extent % count ? 1 : 0));
  return parts;
}
/// self dim
Parts single_parts(const Call& call, ValueId x) {
  if (call.rank(x) == 0) call.refuse("of a number");
  return even_parts(call, x, call.axis_of(1, x, 0), 1);
}

template <Parts (*Of)(const Call&, ValueId)>
Value split(const Call& call) {
  const ValueId x = call.tensor(0);
  Parts parts = Of(call, x);
  if (parts.sizes.empty()) call.refuse("an empty tensor");
  const size_t count = parts.sizes.size();
  if (count == 1) return list_of({x});
  return list_of(
      call.builder().add_many("Split", {x}, {{"axis", parts.axis}, {"split", std::move(parts.sizes)}}, count));
}
template <Parts (*Of)(const Call&, ValueId)>
ValueId put_part(const Call& call, ValueId base, ValueId part, size_t index) {
  const Parts parts = Of(call, base);
  Range range{.axis = parts.axis};
  for (size_t i = 0; i < index; ++i) range.start += parts.sizes.at(i);
  range.end = range.start + parts.sizes.at(index);
  return put_range(call, base, part, range);
}

Value unbind(const Call& call) {
  const ValueId x = call.tensor(0);
  const Parts parts = single_parts(call, x);
  const Value split_apart = split<single_parts>(call);
  const auto* pieces = split_apart.sequence();
  std::vector<ValueId> ids;
  for (const Value& piece : (*pieces)->items)
    ids.push_back(without_axis(call, (*piece.as<TensorRef>())->id, parts.axis));
  return list_of(ids);
}
ValueId put_single(const Call& call, ValueId base, ValueId part, size_t index) {
  return put_part<single_parts>(call, base, with_axis(call, part, single_parts(call, base).axis), index);
}

/// self src dim start end step, and self src dim index: what writing to a part makes, as programs without writes say it
template <ValueId (*Put)(const Call&, ValueId, ValueId, size_t)>
Value scatter_part(const Call& call) {
  const ValueId base = call.tensor(0);
  std::vector<Value> arguments = call.arguments;
  arguments.erase(arguments.begin() + 1);
  const Call part{.run = call.run, .op = call.op, .arguments = std::move(arguments)};
  return box(Put(part, base, call.cast(call.tensor(1), call.dtype(base)), 0));
}

/// self n dim: differences of neighbours
Value differences(const Call& call) {
  ValueId x = call.tensor(0);
  if (call.rank(x) == 0 || call.integer(1, 1) != 1) call.refuse("more than one time is not supported");
  const int64_t axis = call.axis_of(2, x, -1), extent = call.extent(x, axis);
  return box(call.add("Sub", {call.slice(x, axis, 1, extent), call.slice(x, axis, 0, extent - 1)}));
}

constexpr OperatorRow kPartRows[] = {
    {"aten::cat", "tensors dim", cat},
    {"aten::chunk", "self chunks dim", split<chunk_parts>, View::Strided, put_part<chunk_parts>},
    {"aten::concat", "tensors dim", cat},
    {"aten::concatenate", "tensors dim", cat},
    {"aten::diff", "self n dim", differences},
    {"aten::hstack", "tensors", stack_rows<1>},
    {"aten::narrow", "self dim start length", take<narrow_range>, View::Strided, put<narrow_range>},
    {"aten::select", "self dim index", select, View::Strided, put_selected},
    {"aten::slice", "self dim start end step", take<slice_range>, View::Strided, put<slice_range>},
    {"aten::select_scatter", "self src dim index", scatter_part<put_selected>},
    {"aten::slice_scatter", "self src dim start end step", scatter_part<put<slice_range>>},
    {"aten::split", "self split_size dim", split<split_parts>, View::Strided, put_part<split_parts>},
    {"aten::split_with_sizes", "self split_sizes dim", split<split_parts>, View::Strided, put_part<split_parts>},
    {"aten::stack", "tensors dim", stack},
    {"aten::tensor_split", "self indices dim", split<section_parts>, View::Strided, put_part<section_parts>},
    {"aten::unbind", "self dim", unbind, View::Strided, put_single},
    {"aten::unsafe_chunk", "self chunks dim", split<chunk_parts>},
    {"aten::unsafe_split", "self split_size dim", split<split_parts>},
    {"aten::vstack", "tensors", stack_rows<0>},
    {"prim::ConstantChunk", "self chunks dim", split<chunk_parts>, View::Strided, put_part<chunk_parts>},
};

}  // namespace

std::span<const OperatorRow> rows_of_parts() { return kPartRows; }

}  // namespace openrknn::torchscript
