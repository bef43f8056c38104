// Shapes and the order of dimensions, parts and joins.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/importers/tensorflow/layers.h"

namespace openrknn::tensorflow {
namespace {

DType type_of(const Layer& layer, std::string_view key, DType fallback) {
  const AttributeValue* value = layer.node.find(key);
  const std::optional<DType> dtype = value == nullptr ? std::nullopt : dtype_of_type(value->type);
  return dtype.value_or(fallback);
}
Results integers(const Layer& layer, const Ints& numbers, Shape shape, DType dtype) {
  return {{layer.builder().constant("content", cast(Tensor::from<int64_t>(std::move(shape), numbers), dtype)),
           ImageForm::Source}};
}

Results reshape_layer(const Layer& layer) {
  layer.require_inputs(2, 2);
  const Shape shape = resolved_shape(layer, layer.ints(1, "the shape"), element_count(layer.shape()));
  return {{layer.reshape(layer.in_source_form(), shape), ImageForm::Source}};
}

Results squeeze_layer(const Layer& layer) {
  layer.require_inputs(1, 1);
  return {squeeze(layer, layer.input(0), layer.node.integers("squeeze_dims"))};
}

Results expand_dims(const Layer& layer) {
  layer.require_inputs(2, 2);
  return {unsqueeze(layer, layer.input(0), layer.one_int(1, "the axis"))};
}

Results transpose_layer(const Layer& layer) {
  layer.require_inputs(2, 2);
  return {transpose(layer, layer.input(0), layer.ints(1, "the permutation"))};
}

Results concat_at(const Layer& layer, size_t axis_at, size_t first) {
  if (layer.inputs.size() < 2) layer.require_inputs(2, 2);
  const std::vector<Placed> parts(layer.inputs.begin() + static_cast<std::ptrdiff_t>(first),
                                  layer.inputs.begin() + static_cast<std::ptrdiff_t>(first + layer.inputs.size() - 1));
  return {concatenate(layer, parts, layer.one_int(axis_at, "the axis"))};
}
Results concat(const Layer& layer) { return concat_at(layer, 0, 1); }
Results concat_v2(const Layer& layer) {
  return concat_at(layer, layer.inputs.empty() ? 0 : layer.inputs.size() - 1, 0);
}

Results pack_layer(const Layer& layer) { return {pack(layer, layer.inputs, layer.node.integer("axis", 0))}; }

size_t count_of(const Layer& layer, std::string_view key) {
  const int64_t count = layer.node.integer(key, 0);
  if (count < 1 || count > 65536) layer.refuse(fmt::format("{} is {}", key, count));
  return static_cast<size_t>(count);
}
Results unpack_layer(const Layer& layer) {
  layer.require_inputs(1, 1);
  return unpack(layer, layer.input(0), layer.node.integer("axis", 0), count_of(layer, "num"));
}
Results split_equally(const Layer& layer) {
  layer.require_inputs(2, 2);
  const size_t parts = count_of(layer, "num_split");
  const int64_t axis = layer.axis(layer.one_int(0, "the axis"), layer.rank(1));
  const int64_t extent = layer.shape(1)[static_cast<size_t>(axis)];
  if (extent % static_cast<int64_t>(parts) != 0)
    layer.refuse(fmt::format("{} does not split into {} equal parts", extent, parts));
  return split(layer, layer.input(1), axis, Ints(parts, extent / static_cast<int64_t>(parts)));
}
Results split_by_sizes(const Layer& layer) {
  layer.require_inputs(3, 3);
  return split(layer, layer.input(0), layer.one_int(2, "the axis"), layer.ints(1, "the sizes"));
}

Results slice_layer(const Layer& layer) {
  layer.require_inputs(3, 3);
  return {slice(layer, layer.input(0), layer.ints(1, "the places to begin at"), layer.ints(2, "the sizes"))};
}
Results strided(const Layer& layer) {
  layer.require_inputs(4, 4);
  return {strided_slice(layer, layer.input(0),
                        {.begin = layer.ints(1, "begin"),
                         .end = layer.ints(2, "end"),
                         .strides = layer.ints(3, "strides"),
                         .begin_mask = layer.node.integer("begin_mask", 0),
                         .end_mask = layer.node.integer("end_mask", 0),
                         .ellipsis_mask = layer.node.integer("ellipsis_mask", 0),
                         .new_axis_mask = layer.node.integer("new_axis_mask", 0),
                         .shrink_axis_mask = layer.node.integer("shrink_axis_mask", 0)})};
}
Results reverse_layer(const Layer& layer) {
  layer.require_inputs(2, 2);
  return {reverse(layer, layer.input(0), layer.ints(1, "the axes"))};
}

Results pad_layer(const Layer& layer) {
  layer.require_inputs(2, 3);
  double value = 0;
  if (layer.inputs.size() == 3) {
    const std::optional<Tensor> known = layer.content(2);
    if (!known || known->size() != 1) layer.refuse("what it pads with is no constant number");
    value = to_doubles(*known)[0];
  }
  return {pad(layer, layer.input(0), layer.ints(1, "the padding"), value)};
}
Results mirror(const Layer& layer) {
  layer.require_inputs(2, 2);
  return {mirror_pad(layer, layer.input(0), layer.ints(1, "the padding"), layer.node.text("mode") == "SYMMETRIC")};
}

Results tile(const Layer& layer) {
  layer.require_inputs(2, 2);
  return {{layer.add("Tile", {layer.in_source_form()}, {{"repeats", layer.ints(1, "the number of copies")}}),
           ImageForm::Source}};
}
Results broadcast_to(const Layer& layer) {
  layer.require_inputs(2, 2);
  return {expand(layer, layer.input(0), layer.ints(1, "the shape"))};
}
Results fill(const Layer& layer) {
  layer.require_inputs(2, 2);
  return {expand(layer, layer.input(1), layer.ints(0, "the shape"))};
}
Results range(const Layer& layer) {
  layer.require_inputs(3, 3);
  return {{layer.add("Range", {layer.in_source_form(0), layer.in_source_form(1), layer.in_source_form(2)}),
           ImageForm::Source}};
}

Results shape_layer(const Layer& layer) {
  layer.require_inputs(1, 1);
  return integers(layer, layer.shape(), {layer.rank()}, type_of(layer, "out_type", DType::Int32));
}
Results size_layer(const Layer& layer) {
  layer.require_inputs(1, 1);
  return integers(layer, {element_count(layer.shape())}, {}, type_of(layer, "out_type", DType::Int32));
}
Results rank_layer(const Layer& layer) {
  layer.require_inputs(1, 1);
  return integers(layer, {layer.rank()}, {}, DType::Int32);
}

Results like(const Layer& layer, double number) {
  layer.require_inputs(1, 1);
  const ValueId one = layer.builder().constant("number", cast(Tensor::scalar<double>(number), layer.dtype()));
  return {expand(layer, {one, ImageForm::Source}, layer.shape())};
}
/// Shapes that broadcast to one, as shapes.
Results broadcast_args(const Layer& layer) {
  layer.require_inputs(2, 2);
  const Ints a = layer.ints(0, "the shape"), b = layer.ints(1, "the shape");
  Ints both(std::max(a.size(), b.size()), 1);
  for (size_t d = 0; d < both.size(); ++d) {  // from the last
    const int64_t x = d < a.size() ? a[a.size() - 1 - d] : 1, y = d < b.size() ? b[b.size() - 1 - d] : 1;
    if (x != y && x != 1 && y != 1) layer.refuse(fmt::format("{} and {} do not broadcast", to_string(a), to_string(b)));
    both[both.size() - 1 - d] = x == 1 ? y : x;
  }
  return integers(layer, both, {static_cast<int64_t>(both.size())}, layer.dtype());
}
Results inverse_of(const Layer& layer) {
  layer.require_inputs(1, 1);
  const Ints perm = layer.ints(0, "the permutation");
  const auto size = static_cast<int64_t>(perm.size());
  Ints inverse(perm.size(), -1);
  for (int64_t d = 0; d < size; ++d) {
    const int64_t place = perm[static_cast<size_t>(d)];
    if (place < 0 || place >= size || inverse[static_cast<size_t>(place)] >= 0)
      layer.refuse(fmt::format("{} is no permutation", to_string(perm)));
    inverse[static_cast<size_t>(place)] = d;
  }
  return integers(layer, inverse, {size}, layer.dtype());
}
Results lin_space(const Layer& layer) {
  layer.require_inputs(3, 3);
  const std::optional<Tensor> first = layer.content(0), last = layer.content(1);
  const int64_t count = layer.one_int(2, "the count");
  if (!first || !last || first->size() != 1 || last->size() != 1) layer.refuse("its ends are no constant numbers");
  if (count < 1 || count > kMostExtent) layer.refuse(fmt::format("{} numbers", count));
  const double from = to_doubles(*first)[0], to = to_doubles(*last)[0];
  std::vector<float> numbers;
  for (int64_t i = 0; i < count; ++i)
    numbers.push_back(static_cast<float>(
        count == 1 ? from : from + (to - from) * static_cast<double>(i) / static_cast<double>(count - 1)));
  return {{layer.builder().constant("content", Tensor::from<float>({count}, std::move(numbers))), ImageForm::Source}};
}

/// The last elements come first, one axis after the other.
Results roll(const Layer& layer) {
  layer.require_inputs(3, 3);
  const Ints shifts = layer.ints(1, "the shifts"), axes = layer.ints(2, "the axes");
  if (shifts.size() != axes.size()) layer.refuse(fmt::format("{} shifts of {} axes", shifts.size(), axes.size()));
  Placed x = layer.input(0);
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t axis = layer.axis(axes[i], layer.rank()), extent = layer.shape()[static_cast<size_t>(axis)];
    const int64_t shift = extent == 0 ? 0 : ((shifts[i] % extent) + extent) % extent;
    if (shift == 0) continue;
    const std::vector<Placed> parts = split(layer, x, axis, {extent - shift, shift});
    x = concatenate(layer, {parts[1], parts[0]}, axis);
  }
  return {x};
}

/// [..., rows, columns] with zeros outside of the band; negative counts keep everything on their side.
Results band_part(const Layer& layer) {
  layer.require_inputs(3, 3);
  const int64_t below = layer.one_int(1, "num_lower"), above = layer.one_int(2, "num_upper");
  if (layer.rank() < 2) layer.refuse("the input is no matrix");
  const Shape shape = layer.shape();
  const int64_t rows = shape[shape.size() - 2], columns = shape.back();
  if (rows > 65536 || columns > 65536 || rows * columns > int64_t{1} << 26) layer.refuse("the matrix is too large");
  Tensor kept(DType::Bool, {rows, columns});
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c)
      kept.mutable_values<bool>()[static_cast<size_t>(r * columns + c)] =
          (below < 0 || r - c <= below) && (above < 0 || c - r <= above);
  const ValueId zero = layer.builder().constant("zero", cast(Tensor::scalar<double>(0), layer.dtype()));
  const ValueId mask = layer.builder().constant("band", kept);
  return {{layer.add("Where", {mask, layer.in_source_form(), zero}), ImageForm::Source}};
}

Results zeros_like(const Layer& layer) { return like(layer, 0); }
Results ones_like(const Layer& layer) { return like(layer, 1); }

constexpr LayerRow kShapeRows[] = {
    {"BroadcastArgs", broadcast_args},
    {"BroadcastTo", broadcast_to},
    {"Concat", concat},
    {"ConcatV2", concat_v2},
    {"ExpandDims", expand_dims},
    {"Fill", fill},
    {"InvertPermutation", inverse_of},
    {"LinSpace", lin_space},
    {"MatrixBandPart", band_part},
    {"MirrorPad", mirror},
    {"OnesLike", ones_like},
    {"Pack", pack_layer},
    {"Pad", pad_layer},
    {"PadV2", pad_layer},
    {"Range", range},
    {"Rank", rank_layer},
    {"Reshape", reshape_layer},
    {"ReverseV2", reverse_layer},
    {"Roll", roll},
    {"Shape", shape_layer},
    {"Size", size_layer},
    {"Slice", slice_layer},
    {"Split", split_equally},
    {"SplitV", split_by_sizes},
    {"Squeeze", squeeze_layer},
    {"StridedSlice", strided},
    {"Tile", tile},
    {"Transpose", transpose_layer},
    {"Unpack", unpack_layer},
    {"ZerosLike", zeros_like},
};

}  // namespace

std::span<const LayerRow> rows_of_shapes() { return kShapeRows; }

}  // namespace openrknn::tensorflow
