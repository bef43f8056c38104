// Parts of tensors and tensors joined. Dimensions stay where they are, so images stay NCHW.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "compiler/importers/nhwc_operators.h"

namespace openrknn {
namespace {

using Ints = std::vector<int64_t>;

/// One number a dimension of the source, at the places its dimensions have in the form.
Ints placed(ImageForm form, const Ints& by_source) {
  Ints result(by_source.size());
  for (size_t d = 0; d < by_source.size(); ++d)
    result[static_cast<size_t>(dimension_in(form, static_cast<int64_t>(d)))] = by_source[d];
  return result;
}

/// Python's slice of one dimension, resolved: what is cut out of [0, extent).
struct Cut {
  int64_t begin, end, step;
};
Cut cut_of(int64_t begin, int64_t end, int64_t step, bool any_begin, bool any_end, int64_t extent) {
  const auto bounded = [&](int64_t at) {
    if (at < 0) at += extent;
    return step > 0 ? std::clamp<int64_t>(at, 0, extent) : std::clamp<int64_t>(at, -1, extent - 1);
  };
  const int64_t first = any_begin ? (step > 0 ? 0 : extent - 1) : bounded(begin);
  const int64_t last = any_end ? (step > 0 ? extent : -1) : bounded(end);
  return {first, step > 0 ? std::max(first, last) : std::min(first, last), step};
}

ValueId slice_of(const NhwcLayer& layer, Placed x, const Ints& starts, const Ints& ends, const Ints& steps) {
  return layer.add(
      "Slice", {x.id},
      {{"starts", placed(x.form, starts)}, {"ends", placed(x.form, ends)}, {"steps", placed(x.form, steps)}});
}

}  // namespace

Placed strided_slice(const NhwcLayer& layer, Placed x, const StridedSlice& given) {
  const Shape shape = layer.shape_of(x);
  const auto& [begin, end, stride, begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask, is_offset] =
      given;
  if (end.size() != begin.size() || stride.size() != begin.size() || begin.size() > 31)
    layer.refuse(fmt::format("begin has {} numbers, end {}, strides {}", begin.size(), end.size(), stride.size()));
  const auto set = [](int64_t mask, size_t i) { return (mask >> i & 1) != 0; };
  size_t consumed = 0;  // dimensions of the input that are named
  for (size_t i = 0; i < begin.size(); ++i) consumed += !set(new_axis_mask, i) && !set(ellipsis_mask, i);
  if (consumed > shape.size()) layer.refuse(fmt::format("{} dimensions named of {}", consumed, to_string(shape)));
  Ints starts(shape.size(), 0), ends(shape), steps(shape.size(), 1);
  Shape result;
  bool is_reshaped = false;
  size_t d = 0;
  const auto keep = [&](size_t count) {
    for (; count > 0; --count, ++d) result.push_back(shape[d]);
  };
  for (size_t i = 0; i < begin.size(); ++i) {
    if (set(ellipsis_mask, i)) {
      keep(shape.size() - consumed);
      consumed = shape.size();  // a second one stands for nothing
      continue;
    }
    if (set(new_axis_mask, i)) {
      result.push_back(1);
      is_reshaped = true;
      continue;
    }
    if (d >= shape.size()) layer.refuse(fmt::format("more dimensions named than {} has", to_string(shape)));
    constexpr int64_t kMostStride = int64_t{1} << 31;
    if (stride[i] == 0 || stride[i] > kMostStride || stride[i] < -kMostStride)
      layer.refuse(fmt::format("a stride of {}", stride[i]));
    if (set(shrink_axis_mask, i)) {
      const int64_t at = begin[i] < 0 ? begin[i] + shape[d] : begin[i];
      if (at < 0 || at >= shape[d])
        layer.refuse(fmt::format("index {} of dimension {} of {}", begin[i], d, to_string(shape)));
      starts[d] = at;
      ends[d] = at + 1;
      is_reshaped = true;
    } else {
      const int64_t to = is_offset ? begin[i] + end[i] : end[i];
      const Cut cut = cut_of(begin[i], to, stride[i], set(begin_mask, i), set(end_mask, i), shape[d]);
      starts[d] = cut.begin;
      ends[d] = cut.end;
      steps[d] = cut.step;
      const int64_t span = cut.step > 0 ? cut.end - cut.begin : cut.begin - cut.end, width = std::abs(cut.step);
      result.push_back(span / width + (span % width != 0));
    }
    ++d;
  }
  keep(shape.size() - d);
  const ValueId part = slice_of(layer, x, starts, ends, steps);
  if (!is_reshaped) return {part, x.form};
  return {layer.reshape(layer.layout().source({part, x.form}), result), ImageForm::Source};
}

Placed slice(const NhwcLayer& layer, Placed x, const Ints& begin, const Ints& size) {
  const Shape shape = layer.shape_of(x);
  if (begin.size() != shape.size() || size.size() != shape.size())
    layer.refuse(fmt::format("{} places and {} sizes for {}", begin.size(), size.size(), to_string(shape)));
  Ints end(shape.size());
  for (size_t d = 0; d < shape.size(); ++d) {
    if (begin[d] < 0 || begin[d] > shape[d] || size[d] < -1 || size[d] > shape[d])
      layer.refuse(
          fmt::format("{} elements from {} on are not in dimension {} of {}", size[d], begin[d], d, to_string(shape)));
    end[d] = size[d] == -1 ? shape[d] : begin[d] + size[d];
    if (end[d] > shape[d])
      layer.refuse(
          fmt::format("{} elements from {} on are not in dimension {} of {}", size[d], begin[d], d, to_string(shape)));
  }
  return {slice_of(layer, x, begin, end, Ints(shape.size(), 1)), x.form};
}

Placed reverse(const NhwcLayer& layer, Placed x, const Ints& axes) {
  const Shape shape = layer.shape_of(x);
  Ints starts(shape.size(), 0), ends(shape), steps(shape.size(), 1);
  for (const int64_t given : axes) {
    const auto d = static_cast<size_t>(layer.axis(given, static_cast<int64_t>(shape.size())));
    starts[d] = shape[d] - 1;
    ends[d] = -1;
    steps[d] = -1;
  }
  return {slice_of(layer, x, starts, ends, steps), x.form};
}

std::vector<Placed> split(const NhwcLayer& layer, Placed x, int64_t axis, Ints sizes) {
  const Shape shape = layer.shape_of(x);
  axis = layer.axis(axis, static_cast<int64_t>(shape.size()));
  const int64_t extent = shape[static_cast<size_t>(axis)];
  int64_t known = 0;
  for (const int64_t size : sizes) {
    if (size < -1 || size > extent) layer.refuse(fmt::format("a size of {} in {}", size, extent));
    if (size >= 0) known += size;
  }
  for (int64_t& size : sizes) {
    if (size != -1) continue;
    size = extent - known;
    known = extent;
  }
  const size_t count = sizes.size();
  std::vector<Placed> parts;
  for (const ValueId id : layer.builder().add_many(
           "Split", {x.id}, {{"axis", dimension_in(x.form, axis)}, {"split", std::move(sizes)}}, count)) {
    parts.push_back({id, x.form});
  }
  return parts;
}

Placed concatenate(const NhwcLayer& layer, const std::vector<Placed>& parts, int64_t axis) {
  if (parts.empty()) layer.refuse("it has no inputs");
  const ImageForm form = ImageLayout::form_of(parts);
  const size_t rank = layer.shape_of(parts.front()).size();
  std::vector<ValueId> operands;
  for (const Placed part : parts) {
    if (layer.shape_of(part).size() != rank) layer.refuse("its inputs have different numbers of dimensions");
    operands.push_back(layer.layout().in(form, part));
  }
  const int64_t at = dimension_in(form, layer.axis(axis, static_cast<int64_t>(rank)));
  return {layer.add("Concat", std::move(operands), {{"axis", at}}), form};
}

Placed pack(const NhwcLayer& layer, const std::vector<Placed>& parts, int64_t axis) {
  if (parts.empty()) layer.refuse("it has no inputs");
  Shape one = layer.shape_of(parts.front());
  const int64_t at = layer.axis(axis, static_cast<int64_t>(one.size()) + 1);
  one.insert(one.begin() + at, 1);
  std::vector<ValueId> operands;
  for (const Placed part : parts) operands.push_back(layer.beside_reshape(layer.layout().source(part), one));
  return {layer.add("Concat", std::move(operands), {{"axis", at}}), ImageForm::Source};
}

std::vector<Placed> unpack(const NhwcLayer& layer, Placed x, int64_t axis, size_t count) {
  Shape one = layer.shape_of(x);
  const int64_t at = layer.axis(axis, static_cast<int64_t>(one.size()));
  if (one[static_cast<size_t>(at)] != static_cast<int64_t>(count))
    layer.refuse(fmt::format("{} outputs of {} slices", count, one[static_cast<size_t>(at)]));
  one.erase(one.begin() + at);
  std::vector<Placed> results;
  for (const Placed part : split(layer, {layer.layout().source(x), ImageForm::Source}, at, Ints(count, 1)))
    results.push_back({layer.reshape(part.id, one), ImageForm::Source});
  return results;
}

}  // namespace openrknn
