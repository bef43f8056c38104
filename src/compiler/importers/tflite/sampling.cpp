// Pooling, other sizes, and blocks of pixels.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/importers/tflite/layers.h"

namespace openrknn::tflite {
namespace {

Results pool(const Layer& layer, std::string_view op, ValueId in) {
  layer.require_inputs(1, 1);
  const auto* options = layer.options<file::Pool2DOptions>();
  if (options == nullptr) layer.refuse("it has no options");
  const Shape x = layer.shape(0);
  const auto [top, bottom] =
      padding_of(layer, options->padding(), x[1], {options->filter_height(), options->stride_h(), 1});
  const auto [left, right] =
      padding_of(layer, options->padding(), x[2], {options->filter_width(), options->stride_w(), 1});
  Attributes attributes{{"kernel_shape", Ints{options->filter_height(), options->filter_width()}},
                        {"strides", Ints{options->stride_h(), options->stride_w()}},
                        {"pads", Ints{top, left, bottom, right}}};
  const ValueId y = layer.add(op, {in}, std::move(attributes));
  return {{layer.activated(y, options->fused_activation()), ImageForm::ChannelsFirst}};
}
// Padding is not counted.
Results average_pool(const Layer& layer) { return pool(layer, "AveragePool", layer.channels_first(0)); }
Results max_pool(const Layer& layer) { return pool(layer, "MaxPool", layer.channels_first(0)); }

/// The root of the mean of squares: l2 pooling of the reference kernels.
Results l2_pool(const Layer& layer) {
  const ValueId x = layer.channels_first(0);
  const Placed mean = pool(layer, "AveragePool", layer.add("Mul", {x, x})).front();
  return {{layer.add("Sqrt", {mean.id}), mean.form}};
}

Results resized(const Layer& layer, const char* mode, bool align_corners, bool half_pixel_centers) {
  layer.require_inputs(2, 2);
  return {resize(layer, layer.real(0), layer.ints(1, "the size"), mode, align_corners, half_pixel_centers)};
}

Results resize_bilinear(const Layer& layer) {
  const auto* options = layer.options<file::ResizeBilinearOptions>();
  return resized(layer, "linear", options != nullptr && options->align_corners(),
                 options != nullptr && options->half_pixel_centers());
}
Results resize_nearest(const Layer& layer) {
  const auto* options = layer.options<file::ResizeNearestNeighborOptions>();
  return resized(layer, "nearest", options != nullptr && options->align_corners(),
                 options != nullptr && options->half_pixel_centers());
}

Results shuffle(const Layer& layer, const char* op) {
  layer.require_inputs(1, 1);
  const auto* options = layer.options<file::BlockOptions>();
  if (options == nullptr || options->block_size() < 1) layer.refuse("it has no block_size");
  return {{layer.add(op, {layer.channels_first(0)}, {{"blocksize", int64_t{options->block_size()}}}),
           ImageForm::ChannelsFirst}};
}
Results depth_to_space(const Layer& layer) { return shuffle(layer, "DepthToSpace"); }
Results space_to_depth(const Layer& layer) { return shuffle(layer, "SpaceToDepth"); }

Results blocks_to_batch(const Layer& layer) {
  layer.require_inputs(3, 3);
  return {space_to_batch(layer, layer.real(0), layer.ints(1, "the block"), layer.ints(2, "the borders"))};
}
Results blocks_from_batch(const Layer& layer) {
  layer.require_inputs(3, 3);
  return {batch_to_space(layer, layer.real(0), layer.ints(1, "the block"), layer.ints(2, "the borders"))};
}

constexpr LayerRow kSamplingRows[] = {
    {1, "AVERAGE_POOL_2D", average_pool},
    {5, "DEPTH_TO_SPACE", depth_to_space},
    {12, "L2_POOL_2D", l2_pool},
    {17, "MAX_POOL_2D", max_pool},
    {23, "RESIZE_BILINEAR", resize_bilinear},
    {26, "SPACE_TO_DEPTH", space_to_depth},
    {37, "BATCH_TO_SPACE_ND", blocks_from_batch},
    {38, "SPACE_TO_BATCH_ND", blocks_to_batch},
    {97, "RESIZE_NEAREST_NEIGHBOR", resize_nearest},
};

}  // namespace

std::span<const LayerRow> rows_of_sampling() { return kSamplingRows; }

}  // namespace openrknn::tflite
