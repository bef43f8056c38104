// Parts of tensors, tensors joined, and borders around them. Dimensions stay where they are, so images stay NCHW.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/importers/tflite/layers.h"

namespace openrknn::tflite {
namespace {

/// One number a dimension of the source, at the places its dimensions have in the form.
Ints placed(Form form, const Ints& by_source) {
  Ints result(by_source.size());
  for (size_t d = 0; d < by_source.size(); ++d)
    result[static_cast<size_t>(dimension_in(form, static_cast<int64_t>(d)))] = by_source[d];
  return result;
}

Results concatenation(const Layer& layer) {
  const auto* options = layer.options<file::ConcatenationOptions>();
  if (options == nullptr || layer.inputs() == 0) layer.refuse("it has no options, or no inputs");
  std::vector<Placed> given;
  for (size_t i = 0; i < layer.inputs(); ++i) given.push_back(layer.real(i));
  const Form form = ImageLayout::form_of(given);
  std::vector<ValueId> parts;
  for (size_t i = 0; i < given.size(); ++i) {
    layer.require_rank(i, layer.rank(), layer.rank());
    parts.push_back(layer.layout().in(form, given[i]));
  }
  const int64_t axis = dimension_in(form, layer.axis(options->axis(), layer.rank()));
  const ValueId y = layer.add("Concat", std::move(parts), {{"axis", axis}});
  return {{layer.activated(y, options->fused_activation()), form}};
}

Results split_at(const Layer& layer, Placed x, int64_t axis, Ints parts) {
  const std::vector<ValueId> results =
      layer.builder().add_many("Split", {x.id}, {{"axis", dimension_in(x.form, axis)}, {"split", std::move(parts)}},
                               layer.source.outputs.size());
  Results placed_results;
  for (const ValueId id : results) placed_results.push_back({id, x.form});
  return placed_results;
}

int64_t one_axis(const Layer& layer, size_t i, size_t of) {
  const Ints axis = layer.ints(i, "the axis");
  if (axis.size() != 1) layer.refuse(fmt::format("{} axes, expected 1", axis.size()));
  return layer.axis(axis[0], layer.rank(of));
}

Results split(const Layer& layer) {
  layer.require_inputs(2, 2);
  const auto parts = static_cast<int64_t>(layer.source.outputs.size());
  const int64_t axis = one_axis(layer, 0, 1), extent = layer.shape(1)[static_cast<size_t>(axis)];
  if (extent % parts != 0) layer.refuse(fmt::format("{} does not split into {} equal parts", extent, parts));
  return split_at(layer, layer.real(1), axis, Ints(static_cast<size_t>(parts), extent / parts));
}

Results split_by_sizes(const Layer& layer) {
  layer.require_inputs(3, 3);
  const int64_t axis = one_axis(layer, 2, 0), extent = layer.shape(0)[static_cast<size_t>(axis)];
  Ints parts = layer.ints(1, "the sizes");
  if (parts.size() != layer.source.outputs.size())
    layer.refuse(fmt::format("{} sizes for {} outputs", parts.size(), layer.source.outputs.size()));
  int64_t known = 0;
  for (const int64_t part : parts) {
    if (part < -1 || part > extent) layer.refuse(fmt::format("a size of {} in {}", part, extent));
    if (part >= 0) known += part;
  }
  for (int64_t& part : parts)
    if (part == -1) part = extent - known, known = extent;
  return split_at(layer, layer.real(0), axis, std::move(parts));
}

Results slice(const Layer& layer) {
  layer.require_inputs(3, 3);
  const Placed x = layer.real(0);
  const Shape shape = layer.shape(0);
  const Ints begin = layer.ints(1, "the places to begin at"), size = layer.ints(2, "the sizes");
  if (begin.size() != shape.size() || size.size() != shape.size())
    layer.refuse(fmt::format("{} places and {} sizes for {}", begin.size(), size.size(), to_string(shape)));
  Ints end(shape.size());
  for (size_t d = 0; d < shape.size(); ++d) {
    end[d] = size[d] == -1 ? shape[d] : begin[d] + size[d];
    if (begin[d] < 0 || size[d] < -1 || end[d] > shape[d] || begin[d] > end[d])
      layer.refuse(
          fmt::format("{} elements from {} on are not in dimension {} of {}", size[d], begin[d], d, to_string(shape)));
  }
  return {{layer.add("Slice", {x.id}, {{"starts", placed(x.form, begin)}, {"ends", placed(x.form, end)}}), x.form}};
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

Results strided_slice(const Layer& layer) {
  layer.require_inputs(4, 4);
  const auto* options = layer.options<file::StridedSliceOptions>();
  if (options == nullptr) layer.refuse("it has no options");
  const Shape shape = layer.shape(0);
  const Ints begin = layer.ints(1, "begin"), end = layer.ints(2, "end"), stride = layer.ints(3, "strides");
  if (end.size() != begin.size() || stride.size() != begin.size() || begin.size() > 31)
    layer.refuse(fmt::format("begin has {} numbers, end {}, strides {}", begin.size(), end.size(), stride.size()));
  const auto set = [](int32_t mask, size_t i) { return (mask >> i & 1) != 0; };
  size_t consumed = 0;  // dimensions of the input that are named
  for (size_t i = 0; i < begin.size(); ++i)
    consumed += !set(options->new_axis_mask(), i) && !set(options->ellipsis_mask(), i);
  if (consumed > shape.size()) layer.refuse(fmt::format("{} dimensions named of {}", consumed, to_string(shape)));
  Ints starts(shape.size(), 0), ends(shape), steps(shape.size(), 1);
  Shape result;
  bool is_reshaped = false;
  size_t d = 0;
  const auto keep = [&](size_t count) {
    for (; count > 0; --count, ++d) result.push_back(shape[d]);
  };
  for (size_t i = 0; i < begin.size(); ++i) {
    if (set(options->ellipsis_mask(), i)) {
      keep(shape.size() - consumed);
      consumed = shape.size();  // a second one stands for nothing
      continue;
    }
    if (set(options->new_axis_mask(), i)) {
      result.push_back(1);
      is_reshaped = true;
      continue;
    }
    if (d >= shape.size()) layer.refuse(fmt::format("more dimensions named than {} has", to_string(shape)));
    if (stride[i] == 0) layer.refuse("a stride of 0");
    if (set(options->shrink_axis_mask(), i)) {
      const int64_t at = begin[i] < 0 ? begin[i] + shape[d] : begin[i];
      if (at < 0 || at >= shape[d])
        layer.refuse(fmt::format("index {} of dimension {} of {}", begin[i], d, to_string(shape)));
      starts[d] = at;
      ends[d] = at + 1;
      is_reshaped = true;
    } else {
      const int64_t to = options->offset() ? begin[i] + end[i] : end[i];
      const Cut cut =
          cut_of(begin[i], to, stride[i], set(options->begin_mask(), i), set(options->end_mask(), i), shape[d]);
      starts[d] = cut.begin;
      ends[d] = cut.end;
      steps[d] = cut.step;
      const int64_t span = cut.step > 0 ? cut.end - cut.begin : cut.begin - cut.end, width = std::abs(cut.step);
      result.push_back(span / width + (span % width != 0));
    }
    ++d;
  }
  keep(shape.size() - d);
  const Placed x = layer.real(0);
  const ValueId part =
      layer.add("Slice", {x.id},
                {{"starts", placed(x.form, starts)}, {"ends", placed(x.form, ends)}, {"steps", placed(x.form, steps)}});
  if (!is_reshaped) return {{part, x.form}};
  return {{layer.reshape(layer.layout().source({part, x.form}), result), Form::Source}};
}

Results reverse(const Layer& layer) {
  layer.require_inputs(2, 2);
  const Placed x = layer.real(0);
  const Shape shape = layer.shape(0);
  Ints starts(shape.size(), 0), ends(shape), steps(shape.size(), 1);
  for (const int64_t given : layer.ints(1, "the axes")) {
    const auto d = static_cast<size_t>(layer.axis(given, layer.rank()));
    starts[d] = shape[d] - 1;
    ends[d] = -1;
    steps[d] = -1;
  }
  return {{layer.add(
               "Slice", {x.id},
               {{"starts", placed(x.form, starts)}, {"ends", placed(x.form, ends)}, {"steps", placed(x.form, steps)}}),
           x.form}};
}

/// Begin and end by dimension, as the graph's Pad wants them: all begins, then all ends.
Ints pads_of(const Layer& layer, Form form) {
  const int64_t rank = layer.rank();
  const Ints pairs = layer.ints(1, "the padding");
  if (static_cast<int64_t>(pairs.size()) != 2 * rank)
    layer.refuse(fmt::format("{} numbers of padding for {} dimensions", pairs.size(), rank));
  Ints pads(pairs.size());
  for (int64_t d = 0; d < rank; ++d) {
    const int64_t begin = pairs[static_cast<size_t>(2 * d)], end = pairs[static_cast<size_t>(2 * d + 1)];
    if (begin < 0 || end < 0 || begin > kMostExtent || end > kMostExtent)
      layer.refuse(fmt::format("padding of {} and {}", begin, end));
    pads[static_cast<size_t>(dimension_in(form, d))] = begin;
    pads[static_cast<size_t>(dimension_in(form, d) + rank)] = end;
  }
  return pads;
}

Results pad(const Layer& layer) {
  layer.require_inputs(2, 3);
  const Placed x = layer.real(0);
  double value = 0;
  if (layer.has(2)) {
    const std::optional<Tensor>& known = layer.builder().graph[layer.in_source_form(2)].constant;
    if (!known || known->size() != 1) layer.refuse("what it pads with is no constant number");
    value = to_doubles(*known)[0];
  }
  return {{layer.add("Pad", {x.id}, {{"pads", pads_of(layer, x.form)}, {"value", value}}), x.form}};
}

/// SYMMETRIC repeats the border itself, which no Pad of the graph does: slices in reverse are put beside it.
ValueId symmetric(const Layer& layer, ValueId x, const Ints& pads) {
  const size_t rank = pads.size() / 2;
  for (size_t d = 0; d < rank; ++d) {
    const Shape shape = layer.builder().shape(x);
    if (pads[d] > shape[d] || pads[d + rank] > shape[d])
      layer.refuse(fmt::format("padding of {} and {} mirrors more than {}", pads[d], pads[d + rank], shape[d]));
    const auto mirrored = [&](int64_t from, int64_t to) {
      Ints starts(rank, 0), ends(shape), steps(rank, 1);
      starts[d] = from;
      ends[d] = to;
      steps[d] = -1;
      return layer.add("Slice", {x}, {{"starts", starts}, {"ends", ends}, {"steps", steps}});
    };
    std::vector<ValueId> parts;
    if (pads[d] > 0) parts.push_back(mirrored(pads[d] - 1, -1));
    parts.push_back(x);
    if (pads[d + rank] > 0) parts.push_back(mirrored(shape[d] - 1, shape[d] - 1 - pads[d + rank]));
    if (parts.size() > 1) x = layer.add("Concat", parts, {{"axis", static_cast<int64_t>(d)}});
  }
  return x;
}

Results mirror_pad(const Layer& layer) {
  layer.require_inputs(2, 2);
  const auto* options = layer.options<file::MirrorPadOptions>();
  const Placed x = layer.real(0);
  const Ints pads = pads_of(layer, x.form);
  if (options != nullptr && options->mode() == 1) return {{symmetric(layer, x.id, pads), x.form}};
  return {{layer.add("Pad", {x.id}, {{"pads", pads}, {"mode", std::string("reflect")}}), x.form}};
}

constexpr LayerRow kRows[] = {
    {2, "CONCATENATION", concatenation},
    {34, "PAD", pad},
    {45, "STRIDED_SLICE", strided_slice},
    {49, "SPLIT", split},
    {60, "PADV2", pad},
    {65, "SLICE", slice},
    {100, "MIRROR_PAD", mirror_pad},
    {102, "SPLIT_V", split_by_sizes},
    {105, "REVERSE_V2", reverse},
};

}  // namespace

std::span<const LayerRow> rows_of_slices() { return kRows; }

}  // namespace openrknn::tflite
