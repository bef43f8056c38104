// Parts of tensors, tensors joined, and borders around them.
#include <fmt/format.h>

#include "compiler/importers/tflite/layers.h"

namespace openrknn::tflite {
namespace {

Results concatenation(const Layer& layer) {
  const auto* options = layer.options<file::ConcatenationOptions>();
  if (options == nullptr) layer.refuse("it has no options");
  return {layer.activated(concatenate(layer, layer.all_real(), options->axis()), options->fused_activation())};
}

Results split_equally(const Layer& layer) {
  layer.require_inputs(2, 2);
  const auto parts = static_cast<int64_t>(layer.source.outputs.size());
  const int64_t axis = layer.axis(layer.one_int(0, "the axis"), layer.rank(1));
  const int64_t extent = layer.shape(1)[static_cast<size_t>(axis)];
  if (extent % parts != 0) layer.refuse(fmt::format("{} does not split into {} equal parts", extent, parts));
  return split(layer, layer.real(1), axis, Ints(static_cast<size_t>(parts), extent / parts));
}

Results split_by_sizes(const Layer& layer) {
  layer.require_inputs(3, 3);
  Ints sizes = layer.ints(1, "the sizes");
  if (sizes.size() != layer.source.outputs.size())
    layer.refuse(fmt::format("{} sizes for {} outputs", sizes.size(), layer.source.outputs.size()));
  return split(layer, layer.real(0), layer.one_int(2, "the axis"), std::move(sizes));
}

Results slice_layer(const Layer& layer) {
  layer.require_inputs(3, 3);
  return {slice(layer, layer.real(0), layer.ints(1, "the places to begin at"), layer.ints(2, "the sizes"))};
}

Results strided(const Layer& layer) {
  layer.require_inputs(4, 4);
  const auto* options = layer.options<file::StridedSliceOptions>();
  if (options == nullptr) layer.refuse("it has no options");
  return {strided_slice(layer, layer.real(0),
                        {.begin = layer.ints(1, "begin"),
                         .end = layer.ints(2, "end"),
                         .strides = layer.ints(3, "strides"),
                         .begin_mask = options->begin_mask(),
                         .end_mask = options->end_mask(),
                         .ellipsis_mask = options->ellipsis_mask(),
                         .new_axis_mask = options->new_axis_mask(),
                         .shrink_axis_mask = options->shrink_axis_mask(),
                         .end_is_offset = options->offset()})};
}

Results reverse_layer(const Layer& layer) {
  layer.require_inputs(2, 2);
  return {reverse(layer, layer.real(0), layer.ints(1, "the axes"))};
}

Results pad_layer(const Layer& layer) {
  layer.require_inputs(2, 3);
  double value = 0;
  if (layer.has(2)) {
    const std::optional<Tensor>& known = layer.builder().graph[layer.in_source_form(2)].constant;
    if (!known || known->size() != 1) layer.refuse("what it pads with is no constant number");
    value = to_doubles(*known)[0];
  }
  return {pad(layer, layer.real(0), layer.ints(1, "the padding"), value)};
}

Results mirror(const Layer& layer) {
  layer.require_inputs(2, 2);
  const auto* options = layer.options<file::MirrorPadOptions>();
  const bool is_symmetric = options != nullptr && options->mode() == 1;
  return {mirror_pad(layer, layer.real(0), layer.ints(1, "the padding"), is_symmetric)};
}

constexpr LayerRow kSliceRows[] = {
    {2, "CONCATENATION", concatenation}, {34, "PAD", pad_layer},           {45, "STRIDED_SLICE", strided},
    {49, "SPLIT", split_equally},        {60, "PADV2", pad_layer},         {65, "SLICE", slice_layer},
    {100, "MIRROR_PAD", mirror},         {102, "SPLIT_V", split_by_sizes}, {105, "REVERSE_V2", reverse_layer},
};

}  // namespace

std::span<const LayerRow> rows_of_slices() { return kSliceRows; }

}  // namespace openrknn::tflite
