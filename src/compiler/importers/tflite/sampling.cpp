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
  return {{layer.activated(y, options->fused_activation()), Form::ChannelsFirst}};
}
Results average_pool(const Layer& layer) {
  return pool(layer, "AveragePool", layer.channels_first(0));
}  // padding is not counted
Results max_pool(const Layer& layer) { return pool(layer, "MaxPool", layer.channels_first(0)); }

/// The root of the mean of squares: l2 pooling of the reference kernels.
Results l2_pool(const Layer& layer) {
  const ValueId x = layer.channels_first(0);
  const Placed mean = pool(layer, "AveragePool", layer.add("Mul", {x, x})).front();
  return {{layer.add("Sqrt", {mean.id}), mean.form}};
}

Results resize(const Layer& layer, const char* mode, bool align_corners, bool half_pixel_centers) {
  layer.require_inputs(2, 2);
  layer.require_rank(0, 4, 4);
  const Ints size = layer.ints(1, "the size");
  if (size.size() != 2 || size[0] < 1 || size[1] < 1 || size[0] > kMostExtent || size[1] > kMostExtent)
    layer.refuse("the size is none of an image");
  const Shape x = layer.shape(0);
  const bool is_nearest = std::string_view(mode) == "nearest";
  Attributes attributes{{"sizes", Ints{x[0], x[3], size[0], size[1]}},
                        {"mode", std::string(mode)},
                        {"coordinate_transformation_mode", std::string(align_corners        ? "align_corners"
                                                                       : half_pixel_centers ? "half_pixel"
                                                                                            : "asymmetric")}};
  // Nearest: floor(i * scale), of half pixels floor((i + 0.5) * scale), of aligned corners round away from zero.
  if (is_nearest)
    attributes.emplace("nearest_mode",
                       std::string(align_corners || half_pixel_centers ? "round_prefer_ceil" : "floor"));
  return {{layer.add("Resize", {layer.channels_first(0)}, std::move(attributes)), Form::ChannelsFirst}};
}

Results resize_bilinear(const Layer& layer) {
  const auto* options = layer.options<file::ResizeBilinearOptions>();
  return resize(layer, "linear", options != nullptr && options->align_corners(),
                options != nullptr && options->half_pixel_centers());
}
Results resize_nearest(const Layer& layer) {
  const auto* options = layer.options<file::ResizeNearestNeighborOptions>();
  return resize(layer, "nearest", options != nullptr && options->align_corners(),
                options != nullptr && options->half_pixel_centers());
}

Results shuffle(const Layer& layer, const char* op) {
  layer.require_inputs(1, 1);
  const auto* options = layer.options<file::BlockOptions>();
  if (options == nullptr || options->block_size() < 1) layer.refuse("it has no block_size");
  return {
      {layer.add(op, {layer.channels_first(0)}, {{"blocksize", int64_t{options->block_size()}}}), Form::ChannelsFirst}};
}
Results depth_to_space(const Layer& layer) { return shuffle(layer, "DepthToSpace"); }
Results space_to_depth(const Layer& layer) { return shuffle(layer, "SpaceToDepth"); }

/// Block and borders of the spatial dimensions: [M] and [M, 2].
struct Blocks {
  Ints block;
  std::vector<std::pair<int64_t, int64_t>> border;
};
Blocks blocks_of(const Layer& layer) {
  layer.require_inputs(3, 3);
  layer.require_rank(0, 3, 4);
  Blocks blocks{.block = layer.ints(1, "the block"), .border = {}};
  const Ints border = layer.ints(2, "the borders");
  const size_t count = blocks.block.size();
  if (count != static_cast<size_t>(layer.rank()) - 2 || border.size() != 2 * count)
    layer.refuse(fmt::format("{} blocks and {} borders of {}", count, border.size(), to_string(layer.shape(0))));
  for (size_t i = 0; i < count; ++i) {
    blocks.border.emplace_back(border[2 * i], border[2 * i + 1]);
    if (blocks.block[i] < 1 || blocks.block[i] > kMostExtent || border[2 * i] < 0 || border[2 * i + 1] < 0 ||
        border[2 * i] > kMostExtent || border[2 * i + 1] > kMostExtent)
      layer.refuse(
          fmt::format("a block of {} with borders {} and {}", blocks.block[i], border[2 * i], border[2 * i + 1]));
  }
  return blocks;
}

// Pad, then every pixel of a block becomes an image of its own: [N, H/b, b, W/b, b, C] to [b, b, N, H/b, W/b, C].
Results space_to_batch(const Layer& layer) {
  const Blocks blocks = blocks_of(layer);
  const size_t m = blocks.block.size(), rank = m + 2;
  Ints pads(2 * rank, 0);
  Shape x = layer.shape(0);
  int64_t area = 1;
  for (size_t i = 0; i < m; ++i) {
    pads[1 + i] = blocks.border[i].first;
    pads[1 + i + rank] = blocks.border[i].second;
    x[1 + i] += blocks.border[i].first + blocks.border[i].second;
    if (x[1 + i] % blocks.block[i] != 0)
      layer.refuse(fmt::format("a block of {} does not divide {}", blocks.block[i], x[1 + i]));
    area *= blocks.block[i];
  }
  ValueId y = layer.add("Pad", {layer.in_source_form(0)}, {{"pads", pads}});
  Shape apart{x[0]}, result{x[0] * area};
  Ints perm;
  for (size_t i = 0; i < m; ++i) {
    apart.insert(apart.end(), {x[1 + i] / blocks.block[i], blocks.block[i]});
    result.push_back(x[1 + i] / blocks.block[i]);
    perm.push_back(static_cast<int64_t>(2 * i + 2));
  }
  perm.push_back(0);
  for (size_t i = 0; i < m; ++i) perm.push_back(static_cast<int64_t>(2 * i + 1));
  perm.push_back(static_cast<int64_t>(2 * m + 1));
  apart.push_back(x.back());
  result.push_back(x.back());
  y = layer.add("Transpose", {layer.reshape(y, apart)}, {{"perm", perm}});
  return {{layer.reshape(y, result), Form::Source}};
}

Results batch_to_space(const Layer& layer) {
  const Blocks blocks = blocks_of(layer);
  const size_t m = blocks.block.size();
  const Shape x = layer.shape(0);
  int64_t area = 1;
  for (const int64_t extent : blocks.block) area *= extent;
  if (x[0] % area != 0) layer.refuse(fmt::format("blocks of {} do not divide {}", area, x[0]));
  Shape apart(blocks.block), whole{x[0] / area};
  apart.push_back(x[0] / area);
  Ints perm{static_cast<int64_t>(m)}, starts{0}, ends{x[0] / area};
  for (size_t i = 0; i < m; ++i) {
    apart.push_back(x[1 + i]);
    whole.push_back(x[1 + i] * blocks.block[i]);
    perm.insert(perm.end(), {static_cast<int64_t>(m + 1 + i), static_cast<int64_t>(i)});
    starts.push_back(blocks.border[i].first);
    ends.push_back(whole.back() - blocks.border[i].second);
    if (starts.back() >= ends.back()) layer.refuse("its borders leave nothing");
  }
  apart.push_back(x.back());
  whole.push_back(x.back());
  perm.push_back(static_cast<int64_t>(2 * m + 1));
  starts.push_back(0);
  ends.push_back(x.back());
  ValueId y = layer.add("Transpose", {layer.reshape(layer.in_source_form(0), apart)}, {{"perm", perm}});
  y = layer.reshape(y, whole);
  return {{layer.add("Slice", {y}, {{"starts", starts}, {"ends", ends}}), Form::Source}};
}

constexpr LayerRow kRows[] = {
    {1, "AVERAGE_POOL_2D", average_pool},
    {5, "DEPTH_TO_SPACE", depth_to_space},
    {12, "L2_POOL_2D", l2_pool},
    {17, "MAX_POOL_2D", max_pool},
    {23, "RESIZE_BILINEAR", resize_bilinear},
    {26, "SPACE_TO_DEPTH", space_to_depth},
    {37, "BATCH_TO_SPACE_ND", batch_to_space},
    {38, "SPACE_TO_BATCH_ND", space_to_batch},
    {97, "RESIZE_NEAREST_NEIGHBOR", resize_nearest},
};

}  // namespace

std::span<const LayerRow> rows_of_sampling() { return kRows; }

}  // namespace openrknn::tflite
