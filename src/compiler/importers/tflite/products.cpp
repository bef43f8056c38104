// Convolutions and matrices.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "compiler/importers/tflite/dequantize.h"
#include "compiler/importers/tflite/layers.h"

namespace openrknn::tflite {
namespace {

/// Some converters leave the parameters of a bias out: they are those of the products it is added to.
ValueId bias_of(const Layer& layer, size_t i) {
  if (layer.rank(i) != 1) return layer.reshape(layer.in_source_form(i), {element_count(layer.shape(i))});
  const SourceTensor& bias = layer.input(i);
  const bool is_bare = is_integer(bias.dtype) && !bias.quant;
  if (!is_bare) return layer.weights(i, "bias", {0});
  const SourceTensor &x = layer.input(0), &weights = layer.input(1);
  if (!x.quant || !weights.quant || x.quant->scale.size() != 1)
    layer.refuse(fmt::format("its bias is {} without a scale", name(bias.dtype)));
  SourceTensor whole = bias;
  whole.quant = *weights.quant;
  whole.quant->zero_point.assign(whole.quant->scale.size(), 0);
  for (double& scale : whole.quant->scale) scale *= x.quant->scale[0];
  if (whole.quant->axis >= 0) whole.quant->axis = 0;
  return dequantized(layer.builder(), layer.builder().constant("bias", *layer.content(i)), whole, ImageForm::Source);
}

std::vector<ValueId> with_bias(const Layer& layer, std::vector<ValueId> operands, size_t i) {
  if (layer.has(i)) operands.push_back(bias_of(layer, i));
  return operands;
}

struct Geometry {
  int padding, stride_h, stride_w, dilation_h, dilation_w;
};

Attributes windows(const Layer& layer, const Geometry& given, const Shape& x, int64_t kernel_h, int64_t kernel_w) {
  const auto [top, bottom] = padding_of(layer, given.padding, x[1], {kernel_h, given.stride_h, given.dilation_h});
  const auto [left, right] = padding_of(layer, given.padding, x[2], {kernel_w, given.stride_w, given.dilation_w});
  return {{"kernel_shape", Ints{kernel_h, kernel_w}},
          {"strides", Ints{given.stride_h, given.stride_w}},
          {"dilations", Ints{given.dilation_h, given.dilation_w}},
          {"pads", Ints{top, left, bottom, right}}};
}

Results convolution(const Layer& layer) {
  layer.require_inputs(2, 3);
  const auto* options = layer.options<file::Conv2DOptions>();
  if (options == nullptr) layer.refuse("it has no options");
  layer.require_rank(0, 4, 4);
  layer.require_rank(1, 4, 4);
  const Shape x = layer.shape(0), weights = layer.shape(1);  // OHWI
  if (weights[3] < 1 || x[3] < 1 || x[3] % weights[3] != 0 || weights[0] % (x[3] / weights[3]) != 0)
    layer.refuse(fmt::format("weights {} do not fit the input {}", to_string(weights), to_string(x)));
  const Geometry geometry{options->padding(), options->stride_h(), options->stride_w(), options->dilation_h(),
                          options->dilation_w()};
  Attributes attributes = windows(layer, geometry, x, weights[1], weights[2]);
  attributes.emplace("group", x[3] / weights[3]);
  const ValueId y = layer.add(
      "Conv", with_bias(layer, {layer.channels_first(0), layer.weights(1, "weights", {0, 3, 1, 2})}, 2), attributes);
  return {{layer.activated(y, options->fused_activation()), ImageForm::ChannelsFirst}};
}

Results depthwise(const Layer& layer) {
  layer.require_inputs(2, 3);
  const auto* options = layer.options<file::DepthwiseConv2DOptions>();
  if (options == nullptr) layer.refuse("it has no options");
  layer.require_rank(0, 4, 4);
  layer.require_rank(1, 4, 4);
  const Shape x = layer.shape(0), weights = layer.shape(1);  // [1, H, W, C * multiplier]
  if (weights[0] != 1 || x[3] < 1 || weights[3] % x[3] != 0)
    layer.refuse(fmt::format("weights {} do not fit the input {}", to_string(weights), to_string(x)));
  const Geometry geometry{options->padding(), options->stride_h(), options->stride_w(), options->dilation_h(),
                          options->dilation_w()};
  Attributes attributes = windows(layer, geometry, x, weights[1], weights[2]);
  attributes.emplace("group", x[3]);
  const ValueId y = layer.add(
      "Conv", with_bias(layer, {layer.channels_first(0), layer.weights(1, "weights", {3, 0, 1, 2})}, 2), attributes);
  return {{layer.activated(y, options->fused_activation()), ImageForm::ChannelsFirst}};
}

/// What it was the convolution of: the output's size is given, the padding follows from it.
Results transposed(const Layer& layer, size_t x_at, size_t weights_at, size_t bias_at, const Ints& out,
                   const Geometry& given) {
  layer.require_rank(x_at, 4, 4);
  layer.require_rank(weights_at, 4, 4);
  const Shape x = layer.shape(x_at), weights = layer.shape(weights_at);  // OHWI
  if (weights[3] != x[3] || out.size() != 4 || out[0] != x[0] || out[3] != weights[0])
    layer.refuse(fmt::format("weights {} and the output [{}] do not fit the input {}", to_string(weights),
                             fmt::join(out, ", "), to_string(x)));
  const auto side = [&](size_t d, int64_t kernel, int64_t stride) {
    const auto [begin, end] = padding_of(layer, given.padding, out[d], {kernel, stride, 1});
    // Transposed, the windows end at (in - 1) * stride + kernel: what lies beyond begin + out goes, what lacks is zero.
    const int64_t extra = begin + out[d] - ((x[d] - 1) * stride + kernel);
    (void)end;
    return std::pair{begin, extra};
  };
  const auto [top, extra_h] = side(1, weights[1], given.stride_h);
  const auto [left, extra_w] = side(2, weights[2], given.stride_w);
  const ValueId y = layer.add(
      "ConvTranspose",
      with_bias(layer, {layer.channels_first(x_at), layer.weights(weights_at, "weights", {3, 0, 1, 2})}, bias_at),
      {{"kernel_shape", Ints{weights[1], weights[2]}},
       {"strides", Ints{given.stride_h, given.stride_w}},
       {"pads", Ints{top, left, std::max<int64_t>(-extra_h, 0), std::max<int64_t>(-extra_w, 0)}},
       {"output_padding", Ints{std::max<int64_t>(extra_h, 0), std::max<int64_t>(extra_w, 0)}}});
  return {{y, ImageForm::ChannelsFirst}};
}

Results transposed_convolution(const Layer& layer) {
  layer.require_inputs(3, 4);
  const auto* options = layer.options<file::TransposeConvOptions>();
  if (options == nullptr) layer.refuse("it has no options");
  Results results = transposed(layer, 2, 1, 3, layer.ints(0, "the output's shape"),
                               {options->padding(), options->stride_h(), options->stride_w(), 1, 1});
  return {layer.activated(results.front(), options->fused_activation())};
}

/// MediaPipe's own: x, weights, bias; its options are TransposeConvParams as they lie in memory: padding (SAME 1,
/// VALID 2), stride width, stride height.
Results transposed_with_bias(const Layer& layer) {
  layer.require_inputs(3, 3);
  const auto* bytes = layer.source.table->custom_options();
  if (bytes == nullptr || bytes->size() < 12) layer.refuse("it has no options");
  const auto word = [&](flatbuffers::uoffset_t at) {
    return flatbuffers::ReadScalar<int32_t>(bytes->data() + static_cast<size_t>(at) * 4);
  };
  if (word(0) != 1 && word(0) != 2) layer.refuse(fmt::format("padding {} is neither SAME nor VALID", word(0)));
  layer.require_rank(0, 4, 4);
  layer.require_rank(1, 4, 4);
  const int padding = word(0) - 1, stride_w = word(1), stride_h = word(2);
  const Shape x = layer.shape(0), weights = layer.shape(1);
  const auto extent = [&](size_t d, int64_t stride) {
    padding_of(layer, padding, x[d], {weights[d], stride, 1});  // refuses odd sizes
    return padding == 0 ? x[d] * stride : (x[d] - 1) * stride + weights[d];
  };
  return transposed(layer, 0, 1, 2, {x[0], extent(1, stride_h), extent(2, stride_w), weights[0]},
                    {padding, stride_h, stride_w, 1, 1});
}

Results fully_connected(const Layer& layer) {
  layer.require_inputs(2, 3);
  const auto* options = layer.options<file::FullyConnectedOptions>();
  if (options != nullptr && options->weights_format() != 0) layer.refuse("shuffled weights are not supported");
  layer.require_rank(1, 2, 2);
  const Shape x = layer.shape(0), weights = layer.shape(1);  // [units, depth]
  const int64_t count = element_count(x), depth = weights[1];
  if (depth < 1 || count % depth != 0)
    layer.refuse(fmt::format("weights {} do not fit the input {}", to_string(weights), to_string(x)));
  const bool keeps = options != nullptr && options->keep_num_dims() && !x.empty() && x.back() == depth;
  ValueId in = layer.in_source_form(0);
  const Shape rows{count / depth, depth};
  if (x != rows && !keeps) in = layer.beside_reshape(in, rows);
  std::vector<ValueId> operands = with_bias(layer, {in, layer.weights(1, "weights", {1, 0})}, 2);
  const ValueId y = layer.add("MatMul", std::move(operands));
  return {{layer.activated(y, options == nullptr ? 0 : options->fused_activation()), ImageForm::Source}};
}

Results batch_matmul(const Layer& layer) {
  layer.require_inputs(2, 2);
  const auto* options = layer.options<file::BatchMatMulOptions>();
  const auto operand = [&](size_t i, bool adjoint) {
    const ValueId x = layer.in_source_form(i);
    if (!adjoint) return x;
    const int64_t rank = layer.rank(i);
    if (rank < 2) layer.refuse(fmt::format("input {} is {}", i + 1, to_string(layer.shape(i))));
    Ints perm(static_cast<size_t>(rank));
    for (int64_t d = 0; d < rank; ++d) perm[static_cast<size_t>(d)] = d;
    std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
    return layer.builder().add_beside("Transpose", {x}, {{"perm", std::move(perm)}});
  };
  const ValueId a = operand(0, options != nullptr && options->adj_x());
  const ValueId b = operand(1, options != nullptr && options->adj_y());
  return {{layer.add("MatMul", {a, b}), ImageForm::Source}};
}

constexpr LayerRow kProductRows[] = {
    {3, "CONV_2D", convolution},
    {4, "DEPTHWISE_CONV_2D", depthwise},
    {9, "FULLY_CONNECTED", fully_connected},
    {67, "TRANSPOSE_CONV", transposed_convolution},
    {126, "BATCH_MATMUL", batch_matmul},
};
constexpr LayerRow kCustom[] = {
    {32, "Convolution2DTransposeBias", transposed_with_bias},
    {.code = 32,
     .name = "TFLite_Detection_PostProcess",
     .refused = "boxes are chosen on the host: cut the model before it with outputs="},
};

}  // namespace

std::span<const LayerRow> rows_of_products() { return kProductRows; }
std::span<const LayerRow> rows_of_custom() { return kCustom; }

}  // namespace openrknn::tflite
