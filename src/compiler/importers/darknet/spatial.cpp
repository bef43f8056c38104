// Layers without weights that look at one input.
#include <fmt/format.h>

#include "compiler/importers/darknet/layers.h"

namespace openrknn::darknet {
namespace {

/// `padding` is that of both sides together; the odd one is at the end.
Attributes window_of(const Layer& layer) {
  const Section& section = layer.section;
  const int64_t stride = section.integer("stride", 1, 1, kMostExtent);
  const int64_t stride_x = section.integer("stride_x", stride, 1, kMostExtent);
  const int64_t stride_y = section.integer("stride_y", stride, 1, kMostExtent);
  const int64_t size = section.integer("size", stride, 1, kMostKernel);
  const int64_t padding = section.integer("padding", size - 1, 0, 2 * kMostKernel);
  if (section.integer("antialiasing", 0) != 0) layer.refuse("antialiasing is not supported", "antialiasing");
  const int64_t begin = padding / 2, end = padding - begin;
  return {{"kernel_shape", Ints{size, size}},
          {"strides", Ints{stride_y, stride_x}},
          {"pads", Ints{begin, begin, end, end}}};
}

int64_t block_of(const Layer& layer, int64_t fallback) {
  return layer.section.integer("stride", fallback, 1, kMostExtent);
}

void require_divisible(const Layer& layer, int64_t block, int64_t channel_step) {
  if (layer.height() % block != 0 || layer.width() % block != 0 || layer.channels() % channel_step != 0) {
    layer.refuse(fmt::format("stride={} does not divide the input of {} channels, {} x {}", block, layer.channels(),
                             layer.height(), layer.width()),
                 "stride");
  }
}

}  // namespace

ValueId translate_maxpool(const Layer& layer) {
  if (layer.section.integer("maxpool_depth", 0) == 0)
    return layer.builder().add("MaxPool", {layer.input}, window_of(layer));
  // The largest of the channels g, g + groups, g + 2·groups, … at every place.
  const int64_t groups = layer.section.integer("out_channels", 1, 1, kMostChannels);
  if (layer.channels() % groups != 0) {
    layer.refuse(fmt::format("out_channels={} does not divide {} channels", groups, layer.channels()), "out_channels");
  }
  const ValueId split = layer.reshape(layer.input, {layer.channels() / groups, groups, layer.height(), layer.width()});
  return layer.builder().add("ReduceMax", {split}, {{"axes", Ints{0}}, {"keepdims", int64_t{1}}});
}

ValueId translate_local_avgpool(const Layer& layer) {
  return layer.builder().add("AveragePool", {layer.input}, window_of(layer));
}

ValueId translate_avgpool(const Layer& layer) { return layer.builder().add("GlobalAveragePool", {layer.input}); }

ValueId translate_upsample(const Layer& layer) {
  const int64_t stride = layer.section.integer("stride", 2);
  if (stride < 1 || stride > kMostKernel) {
    layer.refuse(fmt::format("stride={}: expected 1 to {}; sampling down is not supported", stride, kMostKernel),
                 "stride");
  }
  const ValueId x =
      layer.builder().add("Resize", {layer.input},
                          {{"sizes", Ints{1, layer.channels(), layer.height() * stride, layer.width() * stride}},
                           {"mode", std::string("nearest")},
                           {"coordinate_transformation_mode", std::string("asymmetric")},
                           {"nearest_mode", std::string("floor")}});
  const double scale = layer.section.number("scale", 1);
  if (scale == 1) return x;
  return layer.builder().add("Mul", {x, layer.builder().scalar("scale", static_cast<float>(scale))});
}

ValueId translate_reorg(const Layer& layer) {
  const int64_t block = block_of(layer, 1);
  if (layer.section.integer("reverse", 0) != 0) layer.refuse("reverse is not supported in [reorg]", "reverse");
  require_divisible(layer, block, block * block);
  return layer.builder().reorg(layer.input, block);
}

ValueId translate_reorg3d(const Layer& layer) {
  const int64_t s = block_of(layer, 1);
  if (layer.section.integer("reverse", 0) == 0) {
    require_divisible(layer, s, 1);
    return layer.builder().add("SpaceToDepth", {layer.input}, {{"blocksize", s}});
  }
  require_divisible(layer, 1, s * s);
  return layer.builder().add("DepthToSpace", {layer.input}, {{"blocksize", s}, {"mode", std::string("DCR")}});
}

ValueId translate_softmax(const Layer& layer) {
  const Section& section = layer.section;
  if (section.has("tree")) layer.refuse("a softmax over a tree of classes is not supported", "tree");
  const int64_t groups = section.integer("groups", 1, 1, kMostChannels);
  const double temperature = section.number("temperature", 1);
  if (temperature == 0) layer.refuse("temperature: got 0, expected another number", "temperature");
  ValueId x = layer.input;
  if (temperature != 1) {
    x = layer.builder().add("Div", {x, layer.builder().scalar("temperature", static_cast<float>(temperature))});
  }
  // Over the channels of each place, or over everything a group holds.
  const bool is_spatial = section.integer("spatial", 0) != 0;
  const int64_t area = layer.height() * layer.width(), rest = is_spatial ? area : 1;
  const int64_t held = layer.channels() * area / rest;
  if (held % groups != 0) layer.refuse(fmt::format("groups={} does not divide {}", groups, held), "groups");
  if (groups == 1 && rest == area) return layer.builder().add("Softmax", {x}, {{"axis", int64_t{1}}});
  const Shape shape = layer.shape();
  x = layer.reshape(x, {groups, held / groups, rest});
  x = layer.builder().add("Softmax", {x}, {{"axis", int64_t{1}}});
  return layer.reshape(x, shape);
}

ValueId translate_normalization(const Layer& layer) {
  const Section& section = layer.section;
  const int64_t size = section.integer("size", 5, 1, kMostKernel);
  if (size % 2 == 0) layer.refuse(fmt::format("size={}: an even number of channels is not supported", size), "size");
  // DarkNet does not divide alpha by the number of channels summed, ONNX's operator does.
  return layer.builder().add("LRN", {layer.input},
                             {{"size", size},
                              {"alpha", section.number("alpha", 0.0001) * static_cast<double>(size)},
                              {"beta", section.number("beta", 0.75)},
                              {"bias", section.number("kappa", 1)}});
}

}  // namespace openrknn::darknet
