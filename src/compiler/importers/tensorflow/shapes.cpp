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
Results zeros_like(const Layer& layer) { return like(layer, 0); }
Results ones_like(const Layer& layer) { return like(layer, 1); }

Results gather_at(const Layer& layer, int64_t axis) {
  if (layer.node.integer("batch_dims", 0) != 0) layer.refuse("batch_dims other than 0 is not supported");
  return {{layer.add("Gather", {layer.in_source_form(0), layer.in_source_form(1)},
                     {{"axis", layer.axis(axis, layer.rank())}}),
           ImageForm::Source}};
}
Results gather(const Layer& layer) {
  layer.require_inputs(2, 2);
  return gather_at(layer, 0);
}
Results gather_v2(const Layer& layer) {
  layer.require_inputs(3, 3);
  return gather_at(layer, layer.one_int(2, "the axis"));
}
Results gather_nd(const Layer& layer) {
  layer.require_inputs(2, 2);
  return {{layer.add("GatherND", {layer.in_source_form(0), layer.cast_to(DType::Int64, layer.in_source_form(1))}),
           ImageForm::Source}};
}
Results one_hot_layer(const Layer& layer) {
  layer.require_inputs(4, 4);
  return {one_hot(layer, layer.input(0), layer.one_int(1, "the depth"), layer.input(2), layer.input(3),
                  layer.node.integer("axis", -1))};
}
Results top_k(const Layer& layer) {
  layer.require_inputs(2, 2);
  const std::vector<ValueId> found = layer.builder().add_many(
      "TopK", {layer.in_source_form()}, {{"axis", layer.axis(-1, layer.rank())}, {"k", layer.one_int(1, "k")}}, 2);
  return {{found[0], ImageForm::Source}, {layer.cast_to(DType::Int32, found[1]), ImageForm::Source}};
}

constexpr LayerRow kRows[] = {
    {"BroadcastTo", broadcast_to},
    {"Concat", concat},
    {"ConcatV2", concat_v2},
    {"ExpandDims", expand_dims},
    {"Fill", fill},
    {"Gather", gather},
    {"GatherNd", gather_nd},
    {"GatherV2", gather_v2},
    {"MirrorPad", mirror},
    {"OneHot", one_hot_layer},
    {"OnesLike", ones_like},
    {"Pack", pack_layer},
    {"Pad", pad_layer},
    {"PadV2", pad_layer},
    {"Range", range},
    {"Rank", rank_layer},
    {"Reshape", reshape_layer},
    {"ReverseV2", reverse_layer},
    {"Shape", shape_layer},
    {"Size", size_layer},
    {"Slice", slice_layer},
    {"Split", split_equally},
    {"SplitV", split_by_sizes},
    {"Squeeze", squeeze_layer},
    {"StridedSlice", strided},
    {"Tile", tile},
    {"TopKV2", top_k},
    {"Transpose", transpose_layer},
    {"Unpack", unpack_layer},
    {"ZerosLike", zeros_like},
};

}  // namespace

std::span<const LayerRow> rows_of_shapes() { return kRows; }

}  // namespace openrknn::tensorflow
