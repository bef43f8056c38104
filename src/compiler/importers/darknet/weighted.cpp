// Layers with numbers in the weights file, in the order parser.c reads them.
#include <fmt/format.h>

#include "compiler/importers/darknet/layers.h"

namespace openrknn::darknet {
namespace {

constexpr double kEpsilon = 1e-6;  // of AlexeyAB's fork, which yolov3 and later files are for

ValueId normalize(const Layer& layer, ValueId x, const Kernel& kernel) {
  return layer.builder().add("BatchNormalization", {x, kernel.scale, kernel.bias, kernel.mean, kernel.variance},
                             {{"epsilon", kEpsilon}});
}

/// scales, mean and variance stand together in every layer that has them.
void take_normalization(const Layer& layer, Kernel& kernel, int64_t channels) {
  kernel.scale = layer.take("scales", {channels});
  kernel.mean = layer.take("rolling_mean", {channels});
  kernel.variance = layer.take("rolling_variance", {channels});
}

/// [rows][columns] of a constant that is stored the other way round.
ValueId transposed(const Layer& layer, ValueId stored) {
  return layer.builder().add("Transpose", {stored}, {{"perm", std::vector<int64_t>{1, 0}}});
}

Kernel take_kernel(const Layer& layer, int64_t filters, int64_t depth, int64_t size) {
  const Section& section = layer.section;
  if (section.has("share_index")) {
    const int64_t other = layer.other(section.integer("share_index", 0), "share_index");
    const auto shared = layer.network.kernels.find(other);
    if (shared == layer.network.kernels.end()) {
      layer.refuse(fmt::format("share_index: layer {} is no convolution whose weights could be shared", other),
                   "share_index");
    }
    return shared->second;
  }
  Kernel kernel;
  kernel.bias = layer.take("biases", {filters});
  if (section.integer("batch_normalize", 0) != 0) take_normalization(layer, kernel, filters);
  if (section.integer("flipped", 0) != 0) {
    const ValueId matrix = transposed(layer, layer.take("weights_flipped", {depth * size * size, filters}));
    kernel.weights =
        layer.builder().add("Reshape", {matrix}, {{"shape", std::vector<int64_t>{filters, depth, size, size}}});
  } else {
    kernel.weights = layer.take("weights", {filters, depth, size, size});
  }
  return kernel;
}

}  // namespace

ValueId translate_convolutional(const Layer& layer) {
  const Section& section = layer.section;
  for (const std::string_view key : {"binary", "xnor", "antialiasing", "deform", "sway", "rotate", "stretch"}) {
    if (section.integer(key, 0) != 0)
      layer.refuse(fmt::format("{}={} is not supported", key, section.text(key, "")), key);
  }
  const int64_t filters = section.integer("filters", 1, 1, kMostChannels);
  const int64_t size = section.integer("size", 1, 1, kMostKernel);
  const int64_t stride = section.integer("stride", 1, 1, kMostExtent);
  const int64_t stride_x = section.integer("stride_x", stride, 1, kMostExtent);
  const int64_t stride_y = section.integer("stride_y", stride, 1, kMostExtent);
  const int64_t groups = section.integer("groups", 1, 1, kMostChannels);
  // A 1 x 1 kernel has nothing to spread.
  const int64_t dilation = size == 1 ? 1 : section.integer("dilation", 1, 1, kMostExtent);
  const int64_t padding = section.integer("pad", 0) != 0 ? size / 2 : section.integer("padding", 0, 0, kMostExtent);
  if (layer.channels() % groups != 0 || filters % groups != 0) {
    layer.refuse(
        fmt::format("groups={} does not divide {} input channels and {} filters", groups, layer.channels(), filters),
        "groups");
  }
  if (dilation > 1 && 2 * padding != size - 1) {
    layer.refuse(fmt::format("dilation={} with padding {} of a kernel of {}: DarkNet's own size of the result does "
                             "not fit what it computes",
                             dilation, padding, size),
                 "dilation");
  }
  const Kernel kernel = take_kernel(layer, filters, layer.channels() / groups, size);
  layer.network.kernels.emplace(layer.index, kernel);
  const int64_t pad = padding * dilation;
  Attributes attributes{{"kernel_shape", std::vector<int64_t>{size, size}},
                        {"strides", std::vector<int64_t>{stride_y, stride_x}},
                        {"pads", std::vector<int64_t>{pad, pad, pad, pad}},
                        {"dilations", std::vector<int64_t>{dilation, dilation}},
                        {"group", groups}};
  const bool normalizes = kernel.scale != ValueId::None;
  std::vector<ValueId> inputs{layer.input, kernel.weights};
  if (!normalizes) inputs.push_back(kernel.bias);
  ValueId x = layer.builder().add("Conv", std::move(inputs), std::move(attributes));
  if (normalizes) x = normalize(layer, x, kernel);
  return activate(layer, x, section.text("activation", "logistic"));
}

ValueId translate_connected(const Layer& layer) {
  LayerBuilder& builder = layer.builder();
  const Section& section = layer.section;
  const int64_t outputs = section.integer("output", 1, 1, kMostChannels);
  const int64_t inputs = layer.channels() * layer.height() * layer.width();
  Kernel kernel;
  kernel.bias = layer.take("biases", {outputs});
  const ValueId stored = layer.network.weights.is_transposed() ? layer.take("weights", {inputs, outputs})
                                                               : layer.take("weights", {outputs, inputs});
  if (section.integer("batch_normalize", 0) != 0) take_normalization(layer, kernel, outputs);
  const ValueId matrix = layer.network.weights.is_transposed() ? stored : transposed(layer, stored);
  const ValueId flat = builder.add("Reshape", {layer.input}, {{"shape", std::vector<int64_t>{1, inputs}}});
  const bool normalizes = kernel.scale != ValueId::None;
  std::vector<ValueId> operands{flat, matrix};
  if (!normalizes) operands.push_back(kernel.bias);
  ValueId x = builder.add("MatMul", std::move(operands));
  if (normalizes) x = normalize(layer, x, kernel);
  x = activate(layer, x, section.text("activation", "logistic"));
  return builder.add("Reshape", {x}, {{"shape", std::vector<int64_t>{1, outputs, 1, 1}}});
}

ValueId translate_batchnorm(const Layer& layer) {
  Kernel kernel;
  kernel.bias = layer.take("biases", {layer.channels()});
  take_normalization(layer, kernel, layer.channels());
  return normalize(layer, layer.input, kernel);
}

}  // namespace openrknn::darknet
