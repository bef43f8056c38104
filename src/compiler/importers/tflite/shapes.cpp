// Shapes and the order of dimensions. All of it is said of the source's dimensions.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/importers/tflite/layers.h"

namespace openrknn::tflite {
namespace {

/// With one -1 resolved.
Shape resolved(const Layer& layer, Shape shape, int64_t count) {
  int64_t known = 1, open = -1;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] == -1 && open < 0) {
      open = static_cast<int64_t>(d);
    } else if (shape[d] < 0 || (shape[d] > 0 && known > (int64_t{1} << 40) / shape[d])) {
      layer.refuse(fmt::format("the shape {} is none", to_string(shape)));
    } else {
      known *= shape[d];
    }
  }
  if (open >= 0) {
    if (known == 0 || count % known != 0)
      layer.refuse(fmt::format("{} elements have no shape {}", count, to_string(shape)));
    shape[static_cast<size_t>(open)] = count / known;
  }
  return shape;
}

Results reshape(const Layer& layer) {
  layer.require_inputs(1, 2);
  const auto* options = layer.options<file::ReshapeOptions>();
  Shape shape;
  if (layer.has(1)) {
    shape = layer.ints(1, "the shape");
  } else if (options != nullptr && options->new_shape() != nullptr) {
    shape.assign(options->new_shape()->begin(), options->new_shape()->end());
    if (shape == Shape{0}) shape.clear();  // how old converters wrote a scalar
  } else {
    shape = layer.output().shape;
  }
  return {{layer.reshape(layer.in_source_form(0), resolved(layer, std::move(shape), element_count(layer.shape(0)))),
           Form::Source}};
}

Results squeeze(const Layer& layer) {
  layer.require_inputs(1, 1);
  const auto* options = layer.options<file::SqueezeOptions>();
  const Shape shape = layer.shape(0);
  std::vector<bool> goes(shape.size(), false);
  const bool names_them =
      options != nullptr && options->squeeze_dims() != nullptr && options->squeeze_dims()->size() > 0;
  if (names_them) {
    for (const int32_t d : *options->squeeze_dims()) goes[static_cast<size_t>(layer.axis(d, layer.rank()))] = true;
  } else {
    for (size_t d = 0; d < shape.size(); ++d) goes[d] = shape[d] == 1;
  }
  Shape kept;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (!goes[d]) kept.push_back(shape[d]);
    if (goes[d] && shape[d] != 1) layer.refuse(fmt::format("dimension {} of {} is not 1", d, to_string(shape)));
  }
  return {{layer.reshape(layer.in_source_form(0), kept), Form::Source}};
}

Results expand_dims(const Layer& layer) {
  layer.require_inputs(2, 2);
  const Ints axis = layer.ints(1, "the axis");
  if (axis.size() != 1) layer.refuse(fmt::format("{} axes, expected 1", axis.size()));
  Shape shape = layer.shape(0);
  shape.insert(shape.begin() + layer.axis(axis[0], layer.rank() + 1), 1);
  return {{layer.reshape(layer.in_source_form(0), shape), Form::Source}};
}

Results transpose_layer(const Layer& layer) {
  layer.require_inputs(2, 2);
  Ints perm = layer.ints(1, "the permutation");
  for (int64_t& d : perm) d = layer.axis(d, layer.rank());
  return {{layer.add("Transpose", {layer.in_source_form(0)}, {{"perm", std::move(perm)}}), Form::Source}};
}

Results pack(const Layer& layer) {
  const auto* options = layer.options<file::PackOptions>();
  if (layer.inputs() == 0) layer.require_inputs(1, 1);
  Shape one = layer.shape(0);
  const int64_t axis = layer.axis(options == nullptr ? 0 : options->axis(), layer.rank() + 1);
  one.insert(one.begin() + axis, 1);
  std::vector<ValueId> parts;
  for (size_t i = 0; i < layer.inputs(); ++i)
    parts.push_back(layer.builder().add_beside("Reshape", {layer.in_source_form(i)}, {{"shape", one}}));
  return {{layer.add("Concat", std::move(parts), {{"axis", axis}}), Form::Source}};
}

Results unpack(const Layer& layer) {
  layer.require_inputs(1, 1);
  const auto* options = layer.options<file::UnpackOptions>();
  Shape one = layer.shape(0);
  const int64_t axis = layer.axis(options == nullptr ? 0 : options->axis(), layer.rank());
  const int64_t count = one[static_cast<size_t>(axis)];
  if (count != static_cast<int64_t>(layer.source.outputs.size()))
    layer.refuse(fmt::format("{} outputs of {} slices", layer.source.outputs.size(), count));
  one.erase(one.begin() + axis);
  const std::vector<ValueId> parts = layer.builder().add_many(
      "Split", {layer.in_source_form(0)}, {{"axis", axis}, {"split", Ints(static_cast<size_t>(count), 1)}},
      layer.source.outputs.size());
  Results results;
  for (const ValueId part : parts) results.push_back({layer.reshape(part, one), Form::Source});
  return results;
}

Results tile(const Layer& layer) {
  layer.require_inputs(2, 2);
  return {{layer.add("Tile", {layer.in_source_form(0)}, {{"repeats", layer.ints(1, "the number of copies")}}),
           Form::Source}};
}

/// Repeated along leading dimensions it lacks, too.
Placed expanded(const Layer& layer, size_t i, const Shape& shape) {
  Shape full = layer.shape(i);
  if (full.size() > shape.size()) layer.refuse(fmt::format("{} has no shape {}", to_string(full), to_string(shape)));
  ValueId x = layer.in_source_form(i);
  if (full.size() < shape.size()) {
    full.insert(full.begin(), shape.size() - full.size(), 1);
    x = layer.builder().add_beside("Reshape", {x}, {{"shape", full}});
  }
  return {layer.add("Expand", {x}, {{"shape", shape}}), Form::Source};
}

Results broadcast_to(const Layer& layer) {
  layer.require_inputs(2, 2);
  return {expanded(layer, 0, layer.ints(1, "the shape"))};
}

Results fill(const Layer& layer) {
  layer.require_inputs(2, 2);
  return {expanded(layer, 1, layer.ints(0, "the shape"))};
}

Results constant_of(const Layer& layer, const Tensor& content) {
  return {{layer.builder().constant("content", content), Form::Source}};
}

Tensor integers(const Layer& layer, const Ints& numbers, Shape shape) {
  return cast(Tensor::from<int64_t>(std::move(shape), numbers), layer.output().dtype);
}

Results shape_layer(const Layer& layer) {
  layer.require_inputs(1, 1);
  const Shape shape = layer.shape(0);
  return constant_of(layer, integers(layer, shape, {static_cast<int64_t>(shape.size())}));
}

Results rank_layer(const Layer& layer) {
  layer.require_inputs(1, 1);
  return constant_of(layer, integers(layer, {layer.rank()}, {}));
}

Results zeros_like(const Layer& layer) {
  layer.require_inputs(1, 1);
  const Placed x = layer.real(0);
  const Value& value = layer.builder().graph[x.id];
  return {{layer.builder().constant("zeros", Tensor::zeros(value.dtype, value.shape)), x.form}};
}

Results range(const Layer& layer) {
  layer.require_inputs(3, 3);
  return {
      {layer.add("Range", {layer.in_source_form(0), layer.in_source_form(1), layer.in_source_form(2)}), Form::Source}};
}

constexpr LayerRow kRows[] = {
    {22, "RESHAPE", reshape},
    {39, "TRANSPOSE", transpose_layer},
    {43, "SQUEEZE", squeeze},
    {69, "TILE", tile},
    {70, "EXPAND_DIMS", expand_dims},
    {77, "SHAPE", shape_layer},
    {83, "PACK", pack},
    {88, "UNPACK", unpack},
    {93, "ZEROS_LIKE", zeros_like},
    {94, "FILL", fill},
    {96, "RANGE", range},
    {110, "RANK", rank_layer},
    {130, "BROADCAST_TO", broadcast_to},
};

}  // namespace

std::span<const LayerRow> rows_of_shapes() { return kRows; }

}  // namespace openrknn::tflite
