// Convolutions and products with matrices.
#include <fmt/format.h>

#include "compiler/importers/caffe/layers.h"

namespace openrknn::caffe {
namespace {

/// A size for both dimensions, or one each: `name` (once or twice), or `name`_h and `name`_w.
Ints pair_of(const Layer& layer, const Message& options, std::string_view name, int64_t fallback, int64_t low) {
  const std::string base = name == "kernel_size" ? "kernel" : std::string(name);
  Ints pair = options.integers(name);
  if (options.has(base + "_h") || options.has(base + "_w")) {
    pair = {options.integer(base + "_h", fallback), options.integer(base + "_w", fallback)};
  } else if (pair.empty()) {
    pair = {fallback, fallback};
  } else if (pair.size() == 1) {
    pair = {pair[0], pair[0]};
  }
  for (const int64_t value : pair) {
    if (value < low || value > kMostExtent)
      layer.refuse(fmt::format("{}: got {}, expected {} or more", name, value, low));
  }
  if (pair.size() != 2)
    layer.refuse(fmt::format("{} has {} numbers, expected 1 or 2: convolutions over three dimensions are not supported",
                             name, pair.size()));
  return pair;
}

ValueId convolve(const Layer& layer, ValueId x, bool is_depthwise, bool is_transposed) {
  const Message& options = layer.options("convolution_param");
  if (options.integer("axis", 1) != 1) layer.refuse("axis: only 1, the channels, is supported");
  const Shape shape = layer.builder.shape(x);
  if (shape.size() != 4) layer.refuse(fmt::format("the input is {}, expected 4 dimensions", to_string(shape)));
  const int64_t filters = options.integer("num_output", 0, 1, kMostExtent);
  const int64_t group = is_depthwise ? shape[1] : options.integer("group", 1, 1, kMostExtent);
  if (shape[1] % group != 0 || filters % group != 0) {
    layer.refuse(fmt::format("group={} does not divide {} input channels and {} outputs", group, shape[1], filters));
  }
  const Ints kernel = pair_of(layer, options, "kernel_size", 0, 1), stride = pair_of(layer, options, "stride", 1, 1);
  const Ints pad = pair_of(layer, options, "pad", 0, 0), dilation = pair_of(layer, options, "dilation", 1, 1);
  const Shape weights = is_transposed ? Shape{shape[1], filters / group, kernel[0], kernel[1]}
                                      : Shape{filters, shape[1] / group, kernel[0], kernel[1]};
  std::vector<ValueId> operands{x, layer.weights(0, "weights", weights)};
  if (options.boolean("bias_term", true)) operands.push_back(layer.weights(1, "bias", {filters}));
  return layer.add(is_transposed ? "ConvTranspose" : "Conv", std::move(operands),
                   {{"kernel_shape", kernel},
                    {"strides", stride},
                    {"pads", Ints{pad[0], pad[1], pad[0], pad[1]}},
                    {"dilations", dilation},
                    {"group", group}});
}

/// The same numbers for every bottom, which has a top each.
Results convolution(const Layer& layer, bool is_depthwise, bool is_transposed) {
  Results results;
  for (const ValueId x : layer.inputs) results.push_back(convolve(layer, x, is_depthwise, is_transposed));
  return results;
}

Results inner_product(const Layer& layer) {
  layer.require_inputs(1, 1);
  const Message& options = layer.options("inner_product_param");
  const int64_t outputs = options.integer("num_output", 0, 1, kMostExtent);
  const auto axis = static_cast<std::ptrdiff_t>(layer.axis(options.integer("axis", 1), "axis"));
  const Shape& shape = layer.shape();
  const Shape front(shape.begin(), shape.begin() + axis);
  int64_t depth = 1, rows = 1;
  for (size_t d = 0; d < shape.size(); ++d) (static_cast<std::ptrdiff_t>(d) < axis ? rows : depth) *= shape[d];
  ValueId matrix;
  if (options.boolean("transpose", false)) {
    matrix = layer.weights(0, "weights", {depth, outputs});
  } else {
    matrix = layer.add("Transpose", {layer.weights(0, "weights", {outputs, depth})}, {{"perm", Ints{1, 0}}});
  }
  std::vector<ValueId> operands{layer.reshape(layer.inputs[0], {rows, depth}), matrix};
  if (options.boolean("bias_term", true)) operands.push_back(layer.weights(1, "bias", {outputs}));
  const ValueId result = layer.add("MatMul", std::move(operands));
  Shape out = front;
  out.push_back(outputs);
  return {out.size() == 2 ? result : layer.reshape(result, std::move(out))};
}

constexpr LayerRow kProductRows[] = {
    {"Convolution", [](const Layer& layer) { return convolution(layer, false, false); }},
    {"ConvolutionDepthwise", [](const Layer& layer) { return convolution(layer, true, false); }},
    {"Deconvolution", [](const Layer& layer) { return convolution(layer, false, true); }},
    {"DepthwiseConvolution", [](const Layer& layer) { return convolution(layer, true, false); }},
    {"InnerProduct", inner_product},
};

}  // namespace

std::span<const LayerRow> rows_of_products() { return kProductRows; }

}  // namespace openrknn::caffe
