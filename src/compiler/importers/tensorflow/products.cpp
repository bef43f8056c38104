// Convolutions, matrices and pooling.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "compiler/importers/einsum.h"
#include "compiler/importers/tensorflow/layers.h"

namespace openrknn::tensorflow {
namespace {

/// Padding of a window over an image whose NCHW shape is given.
Ints pads_of(const Layer& layer, const Shape& x, std::pair<int64_t, int64_t> kernel, std::pair<int64_t, int64_t> stride,
             std::pair<int64_t, int64_t> dilation) {
  const std::string padding = layer.node.text("padding");
  if (padding == "VALID") return {0, 0, 0, 0};
  if (padding == "EXPLICIT") {
    const Ints pairs = layer.node.integers("explicit_paddings");
    if (pairs.size() != 8) layer.refuse(fmt::format("explicit_paddings has {} numbers, expected 8", pairs.size()));
    const size_t h = layer.is_nchw() ? 4 : 2;
    for (const int64_t number : pairs)
      if (number < 0 || number > kMostExtent) layer.refuse(fmt::format("explicit_paddings holds {}", number));
    return {pairs[h], pairs[h + 2], pairs[h + 1], pairs[h + 3]};
  }
  if (padding != "SAME") layer.refuse(fmt::format("padding '{}' is not known", padding));
  const auto [top, bottom] = same_padding(layer, x[2], {kernel.first, stride.first, dilation.first});
  const auto [left, right] = same_padding(layer, x[3], {kernel.second, stride.second, dilation.second});
  return {top, left, bottom, right};
}

Results convolution(const Layer& layer) {
  layer.require_inputs(2, 2);
  const ValueId x = layer.image();
  const Shape shape = layer.builder().shape(x), filter = layer.shape(1);  // HWIO
  if (filter.size() != 4 || filter[2] < 1 || shape[1] % filter[2] != 0)
    layer.refuse(fmt::format("weights {} do not fit the input {}", to_string(filter), to_string(layer.shape())));
  const auto stride = layer.spatial("strides", 1), dilation = layer.spatial("dilations", 1);
  const ValueId weights = layer.weights(1, "weights", {3, 2, 0, 1});
  return {layer.as_image(layer.add("Conv", {x, weights},
                                   {{"kernel_shape", Ints{filter[0], filter[1]}},
                                    {"strides", Ints{stride.first, stride.second}},
                                    {"dilations", Ints{dilation.first, dilation.second}},
                                    {"group", shape[1] / filter[2]},
                                    {"pads", pads_of(layer, shape, {filter[0], filter[1]}, stride, dilation)}}))};
}

Results depthwise(const Layer& layer) {
  layer.require_inputs(2, 2);
  const ValueId x = layer.image();
  const Shape shape = layer.builder().shape(x), filter = layer.shape(1);  // [H, W, C, multiplier]
  if (filter.size() != 4 || filter[2] != shape[1])
    layer.refuse(fmt::format("weights {} do not fit the input {}", to_string(filter), to_string(layer.shape())));
  const auto stride = layer.spatial("strides", 1), dilation = layer.spatial("dilations", 1);
  const ValueId by_channel = layer.weights(1, "weights", {2, 3, 0, 1});
  const ValueId weights = layer.beside_reshape(by_channel, {filter[2] * filter[3], 1, filter[0], filter[1]});
  return {layer.as_image(layer.add("Conv", {x, weights},
                                   {{"kernel_shape", Ints{filter[0], filter[1]}},
                                    {"strides", Ints{stride.first, stride.second}},
                                    {"dilations", Ints{dilation.first, dilation.second}},
                                    {"group", shape[1]},
                                    {"pads", pads_of(layer, shape, {filter[0], filter[1]}, stride, dilation)}}))};
}

/// What the gradient of a convolution is: the result's size is given, padding is that of the convolution over it.
Results transposed(const Layer& layer) {
  layer.require_inputs(3, 3);
  const Ints out = layer.ints(0, "the output's shape");
  const ValueId x = layer.image(2);
  const Shape shape = layer.builder().shape(x), filter = layer.shape(1);  // [H, W, out, in]
  const size_t h = layer.is_nchw() ? 2 : 1, c = layer.is_nchw() ? 1 : 3;
  if (out.size() != 4 || filter.size() != 4 || filter[3] != shape[1] || filter[2] != out[c] || out[h] < 1 ||
      out[h + 1] < 1 || out[h] > kMostExtent || out[h + 1] > kMostExtent)
    layer.refuse(fmt::format("weights {} and the output [{}] do not fit the input {}", to_string(filter),
                             fmt::join(out, ", "), to_string(layer.shape(2))));
  const auto stride = layer.spatial("strides", 1), dilation = layer.spatial("dilations", 1);
  const Shape whole{out[0], out[c], out[h], out[h + 1]};
  const Ints pads = pads_of(layer, whole, {filter[0], filter[1]}, stride, dilation);
  // Windows end at (in - 1) * stride + kernel: what lies beyond begin + out goes, what lacks is zero.
  const int64_t reach_h = (filter[0] - 1) * dilation.first + 1, reach_w = (filter[1] - 1) * dilation.second + 1;
  const int64_t extra_h = pads[0] + whole[2] - ((shape[2] - 1) * stride.first + reach_h);
  const int64_t extra_w = pads[1] + whole[3] - ((shape[3] - 1) * stride.second + reach_w);
  return {layer.as_image(
      layer.add("ConvTranspose", {x, layer.weights(1, "weights", {3, 2, 0, 1})},
                {{"kernel_shape", Ints{filter[0], filter[1]}},
                 {"strides", Ints{stride.first, stride.second}},
                 {"dilations", Ints{dilation.first, dilation.second}},
                 {"pads", Ints{pads[0], pads[1], std::max<int64_t>(-extra_h, 0), std::max<int64_t>(-extra_w, 0)}},
                 {"output_padding", Ints{std::max<int64_t>(extra_h, 0), std::max<int64_t>(extra_w, 0)}}}))};
}

Results bias_add(const Layer& layer) {
  layer.require_inputs(2, 2);
  if (layer.is_nchw() && layer.rank() == 4) {
    const ValueId bias = layer.beside_reshape(layer.in_source_form(1), {1, element_count(layer.shape(1)), 1, 1});
    return {{layer.add("Add", {layer.in_source_form(0), bias}), ImageForm::Source}};
  }
  std::vector<ValueId> operands;
  const ImageForm form = layer.layout().align(layer.inputs, operands);
  return {{layer.add("Add", std::move(operands)), form}};
}

Results batch_norm(const Layer& layer) {
  layer.require_inputs(5, 6);
  if (layer.node.boolean("is_training", true))
    layer.refuse("is_training=true normalises by the batch", "freeze the graph for inference");
  const ValueId x = layer.image();
  const Shape channels{layer.builder().shape(x)[1]};
  std::vector<ValueId> operands{x};
  for (size_t i = 1; i < 5; ++i) {
    if (layer.shape(i) != channels)
      layer.refuse(fmt::format("input {} is {}, expected {}", i + 1, to_string(layer.shape(i)), to_string(channels)));
    operands.push_back(layer.in_source_form(i));
  }
  return {layer.as_image(
      layer.add("BatchNormalization", std::move(operands), {{"epsilon", layer.node.number("epsilon", 1e-4)}}))};
}

Results pool_by(const Layer& layer, std::string_view op, std::pair<int64_t, int64_t> kernel,
                std::pair<int64_t, int64_t> stride) {
  const ValueId x = layer.image();
  return {layer.as_image(layer.add(op, {x},
                                   {{"kernel_shape", Ints{kernel.first, kernel.second}},
                                    {"strides", Ints{stride.first, stride.second}},
                                    {"pads", pads_of(layer, layer.builder().shape(x), kernel, stride, {1, 1})}}))};
}
Results pool(const Layer& layer, std::string_view op) {
  layer.require_inputs(1, 1);
  return pool_by(layer, op, layer.spatial("ksize", 1), layer.spatial("strides", 1));
}
/// Window and stride as inputs.
Results max_pool_v2(const Layer& layer) {
  layer.require_inputs(3, 3);
  return pool_by(layer, "MaxPool", layer.spatial(layer.ints(1, "ksize"), "ksize"),
                 layer.spatial(layer.ints(2, "strides"), "strides"));
}
Results max_pool(const Layer& layer) { return pool(layer, "MaxPool"); }
Results average_pool(const Layer& layer) { return pool(layer, "AveragePool"); }  // padding is not counted

/// With its last two dimensions exchanged, if asked.
ValueId operand(const Layer& layer, size_t i, bool is_transposed) {
  const int64_t rank = layer.rank(i);
  if (rank < 2) layer.refuse(fmt::format("input {} is {}, expected a matrix", i + 1, to_string(layer.shape(i))));
  if (!is_transposed) return layer.in_source_form(i);
  std::vector<int> order(static_cast<size_t>(rank));
  for (size_t d = 0; d < order.size(); ++d) order[d] = static_cast<int>(d);
  std::swap(order[order.size() - 1], order[order.size() - 2]);
  return layer.weights(i, "transposed", order);
}

Results matmul(const Layer& layer) {
  layer.require_inputs(2, 2);
  return {{layer.add("MatMul", {operand(layer, 0, layer.node.boolean("transpose_a", false)),
                                operand(layer, 1, layer.node.boolean("transpose_b", false))}),
           ImageForm::Source}};
}
Results batch_matmul(const Layer& layer) {
  layer.require_inputs(2, 2);
  return {{layer.add("MatMul", {operand(layer, 0, layer.node.boolean("adj_x", false)),
                                operand(layer, 1, layer.node.boolean("adj_y", false))}),
           ImageForm::Source}};
}

class Here final : public EinsumGraph {
 public:
  explicit Here(const Layer& layer) : layer_(layer) {}
  ValueId emit(std::string_view op, std::vector<ValueId> inputs, Attributes attributes) override {
    return layer_.add(op, std::move(inputs), std::move(attributes));
  }
  Shape shape_of(ValueId id) const override { return layer_.builder().shape(id); }
  DType dtype_of(ValueId id) const override { return layer_.builder().graph[id].dtype; }
  [[noreturn]] void fail(std::string problem) const override { layer_.refuse(std::move(problem)); }

 private:
  const Layer& layer_;
};
Results einsum_layer(const Layer& layer) {
  if (layer.inputs.empty()) layer.require_inputs(1, 2);
  Here here(layer);
  std::vector<ValueId> operands;
  for (size_t i = 0; i < layer.inputs.size(); ++i) operands.push_back(layer.in_source_form(i));
  return {{einsum(here, layer.node.text("equation"), operands), ImageForm::Source}};
}

Results resized(const Layer& layer, const char* mode) {
  layer.require_inputs(2, 2);
  return {resize(layer, layer.input(0), layer.ints(1, "the size"), mode, layer.node.boolean("align_corners", false),
                 layer.node.boolean("half_pixel_centers", false))};
}
Results bilinear(const Layer& layer) { return resized(layer, "linear"); }
Results bicubic(const Layer& layer) { return resized(layer, "cubic"); }
Results nearest(const Layer& layer) { return resized(layer, "nearest"); }

Results shuffle(const Layer& layer, const char* op) {
  layer.require_inputs(1, 1);
  const int64_t block = layer.node.integer("block_size", 0);
  if (block < 1 || block > kMostExtent) layer.refuse(fmt::format("block_size is {}", block));
  return {layer.as_image(layer.add(op, {layer.image()}, {{"blocksize", block}}))};
}
Results depth_to_space(const Layer& layer) { return shuffle(layer, "DepthToSpace"); }
Results space_to_depth(const Layer& layer) { return shuffle(layer, "SpaceToDepth"); }

// alpha is that of each square, where the graph's is divided by how many there are.
Results local_response(const Layer& layer) {
  layer.require_inputs(1, 1);
  const int64_t radius = layer.node.integer("depth_radius", 5);
  if (radius < 0 || radius > kMostExtent) layer.refuse(fmt::format("depth_radius is {}", radius));
  const int64_t size = 2 * radius + 1;
  return {{layer.add("LRN", {layer.layout().channels_first(layer.input(0))},
                     {{"size", size},
                      {"alpha", layer.node.number("alpha", 1) * static_cast<double>(size)},
                      {"beta", layer.node.number("beta", 0.5)},
                      {"bias", layer.node.number("bias", 1)}}),
           ImageForm::ChannelsFirst}};
}

Results to_batch(const Layer& layer) {
  layer.require_inputs(3, 3);
  return {space_to_batch(layer, layer.input(0), layer.ints(1, "the block"), layer.ints(2, "the borders"))};
}
Results from_batch(const Layer& layer) {
  layer.require_inputs(3, 3);
  return {batch_to_space(layer, layer.input(0), layer.ints(1, "the block"), layer.ints(2, "the borders"))};
}

/// One number is the block of both dimensions.
Ints square_block(const Layer& layer) {
  const int64_t block = layer.node.integer("block_size", 0);
  return {block, block};
}
Results square_to_batch(const Layer& layer) {
  layer.require_inputs(2, 2);
  return {space_to_batch(layer, layer.input(0), square_block(layer), layer.ints(1, "the borders"))};
}
Results square_from_batch(const Layer& layer) {
  layer.require_inputs(2, 2);
  return {batch_to_space(layer, layer.input(0), square_block(layer), layer.ints(1, "the borders"))};
}

/// Every patch becomes the channels of a pixel, [row, column, channel]: a convolution with ones in the right places.
Results patches(const Layer& layer) {
  layer.require_inputs(1, 1);
  const ValueId x = layer.image();
  const Shape shape = layer.builder().shape(x);
  const auto kernel = layer.spatial("ksizes", 1), stride = layer.spatial("strides", 1),
             dilation = layer.spatial("rates", 1);
  const int64_t area = kernel.first * kernel.second, channels = shape[1];
  if (area > 4096 || channels > 4096 || area * area * channels * channels > int64_t{1} << 26)
    layer.refuse(fmt::format("patches of {} by {} are too large", kernel.first, kernel.second));
  std::vector<float> ones(static_cast<size_t>(area * channels * channels * area), 0);
  for (int64_t k = 0; k < area; ++k)
    for (int64_t c = 0; c < channels; ++c)
      ones[static_cast<size_t>(((k * channels + c) * channels + c) * area + k)] = 1;
  const Tensor weights = Tensor::from<float>({area * channels, channels, kernel.first, kernel.second}, std::move(ones));
  return {layer.as_image(layer.add("Conv", {x, layer.builder().constant("places", weights)},
                                   {{"kernel_shape", Ints{kernel.first, kernel.second}},
                                    {"strides", Ints{stride.first, stride.second}},
                                    {"dilations", Ints{dilation.first, dilation.second}},
                                    {"pads", pads_of(layer, shape, kernel, stride, dilation)}}))};
}

constexpr LayerRow kProductRows[] = {
    {"AvgPool", average_pool},
    {"BatchMatMul", batch_matmul},
    {"BatchMatMulV2", batch_matmul},
    {"BatchMatMulV3", batch_matmul},
    {"BatchToSpace", square_from_batch},
    {"BatchToSpaceND", from_batch},
    {"BiasAdd", bias_add},
    {"Conv2D", convolution},
    {"Conv2DBackpropInput", transposed},
    {"DepthToSpace", depth_to_space},
    {"DepthwiseConv2dNative", depthwise},
    {"Einsum", einsum_layer},
    {"ExtractImagePatches", patches},
    {"FusedBatchNorm", batch_norm},
    {"FusedBatchNormV2", batch_norm},
    {"FusedBatchNormV3", batch_norm},
    {"LRN", local_response},
    {"MatMul", matmul},
    {"MaxPool", max_pool},
    {"MaxPoolV2", max_pool_v2},
    {"ResizeBicubic", bicubic},
    {"ResizeBilinear", bilinear},
    {"ResizeNearestNeighbor", nearest},
    {"SpaceToBatch", square_to_batch},
    {"SpaceToBatchND", to_batch},
    {"SpaceToDepth", space_to_depth},
};

}  // namespace

std::span<const LayerRow> rows_of_products() { return kProductRows; }

}  // namespace openrknn::tensorflow
