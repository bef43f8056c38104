// Shapes and the order of dimensions. All of it is said of the source's dimensions.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/importers/tflite/layers.h"

namespace openrknn::tflite {
namespace {

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
  return {
      {layer.reshape(layer.in_source_form(0), resolved_shape(layer, std::move(shape), element_count(layer.shape(0)))),
       ImageForm::Source}};
}

Results squeeze_layer(const Layer& layer) {
  layer.require_inputs(1, 1);
  const auto* options = layer.options<file::SqueezeOptions>();
  Ints dimensions;
  if (options != nullptr && options->squeeze_dims() != nullptr)
    dimensions.assign(options->squeeze_dims()->begin(), options->squeeze_dims()->end());
  return {squeeze(layer, layer.real(0), dimensions)};
}

Results expand_dims(const Layer& layer) {
  layer.require_inputs(2, 2);
  return {unsqueeze(layer, layer.real(0), layer.one_int(1, "the axis"))};
}

Results transpose_layer(const Layer& layer) {
  layer.require_inputs(2, 2);
  return {transpose(layer, layer.real(0), layer.ints(1, "the permutation"))};
}

Results pack_layer(const Layer& layer) {
  const auto* options = layer.options<file::PackOptions>();
  return {pack(layer, layer.all_real(), options == nullptr ? 0 : options->axis())};
}

Results unpack_layer(const Layer& layer) {
  layer.require_inputs(1, 1);
  const auto* options = layer.options<file::UnpackOptions>();
  return unpack(layer, layer.real(0), options == nullptr ? 0 : options->axis(), layer.source.outputs.size());
}

Results tile(const Layer& layer) {
  layer.require_inputs(2, 2);
  return {{layer.add("Tile", {layer.in_source_form(0)}, {{"repeats", layer.ints(1, "the number of copies")}}),
           ImageForm::Source}};
}

Results broadcast_to(const Layer& layer) {
  layer.require_inputs(2, 2);
  return {expand(layer, layer.real(0), layer.ints(1, "the shape"))};
}

Results fill(const Layer& layer) {
  layer.require_inputs(2, 2);
  return {expand(layer, layer.real(1), layer.ints(0, "the shape"))};
}

Results constant_of(const Layer& layer, const Tensor& content) {
  return {{layer.builder().constant("content", content), ImageForm::Source}};
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
  return {{layer.add("Range", {layer.in_source_form(0), layer.in_source_form(1), layer.in_source_form(2)}),
           ImageForm::Source}};
}

constexpr LayerRow kShapeRows[] = {
    {22, "RESHAPE", reshape},
    {39, "TRANSPOSE", transpose_layer},
    {43, "SQUEEZE", squeeze_layer},
    {69, "TILE", tile},
    {70, "EXPAND_DIMS", expand_dims},
    {77, "SHAPE", shape_layer},
    {83, "PACK", pack_layer},
    {88, "UNPACK", unpack_layer},
    {93, "ZEROS_LIKE", zeros_like},
    {94, "FILL", fill},
    {96, "RANGE", range},
    {110, "RANK", rank_layer},
    {130, "BROADCAST_TO", broadcast_to},
};

}  // namespace

std::span<const LayerRow> rows_of_shapes() { return kShapeRows; }

}  // namespace openrknn::tflite
