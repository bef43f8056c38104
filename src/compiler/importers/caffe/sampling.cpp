// Pooling, and planes of another size.
#include <fmt/format.h>

#include "compiler/importers/caffe/layers.h"

namespace openrknn::caffe {
namespace {

void require_planes(const Layer& layer) {
  layer.require_inputs(1, 1);
  layer.require_four_dimensions();
}

int64_t size_of(const Message& options, const std::string& both, const std::string& one, int64_t fallback,
                int64_t low) {
  return options.integer(options.has(one) ? one : both, fallback, low, kMostExtent);
}

// Sizes are rounded up unless round_mode says otherwise; a mean counts padding inside of the padded plane.
Results pooling(const Layer& layer) {
  require_planes(layer);
  const Message& options = layer.options("pooling_param");
  const std::string kind = options.text("pool", "MAX");
  const bool is_max = kind == "MAX" || kind == "0";
  if (!is_max && kind != "AVE" && kind != "1") layer.refuse(fmt::format("pool: {} is not supported", kind));
  const bool has_places = layer.source.tops.size() > 1;
  if (has_places && (!is_max || options.boolean("global_pooling", false)))
    layer.refuse("a second top is of the largest numbers of windows");
  if (options.boolean("global_pooling", false))
    return {layer.add(is_max ? "GlobalMaxPool" : "GlobalAveragePool", layer.inputs)};
  const Ints kernel{size_of(options, "kernel_size", "kernel_h", 0, 1),
                    size_of(options, "kernel_size", "kernel_w", 0, 1)};
  const Ints stride{size_of(options, "stride", "stride_h", 1, 1), size_of(options, "stride", "stride_w", 1, 1)};
  const Ints pad{size_of(options, "pad", "pad_h", 0, 0), size_of(options, "pad", "pad_w", 0, 0)};
  const std::string rounding = options.text("round_mode", options.boolean("ceil_mode", true) ? "CEIL" : "FLOOR");
  if (pad[0] >= kernel[0] || pad[1] >= kernel[1]) layer.refuse("the padding is not smaller than the window");
  Attributes attributes{{"kernel_shape", kernel},
                        {"strides", stride},
                        {"pads", Ints{pad[0], pad[1], pad[0], pad[1]}},
                        {"ceil_mode", int64_t{rounding == "CEIL" || rounding == "0"}}};
  if (!is_max) attributes.emplace("count_include_pad", int64_t{1});
  Results results{layer.add(is_max ? "MaxPool" : "AveragePool", layer.inputs, attributes)};
  if (has_places) {
    // Caffe counts places within a plane, the node within all of them.
    const ValueId plane = layer.builder.constant("plane", Tensor::scalar<int64_t>(layer.shape()[2] * layer.shape()[3]));
    results.push_back(layer.add("Mod", {layer.add("ArgMaxPool", layer.inputs, std::move(attributes)), plane}));
  }
  return results;
}

ValueId resize(const Layer& layer, ValueId x, int64_t height, int64_t width, const std::string& mode,
               const std::string& coordinates) {
  const Shape& shape = layer.builder.shape(x);
  if (height < 1 || width < 1 || height > kMostExtent || width > kMostExtent)
    layer.refuse(fmt::format("the size {} x {} is none", height, width));
  Attributes attributes{{"sizes", Ints{shape[0], shape[1], height, width}},
                        {"mode", mode},
                        {"coordinate_transformation_mode", coordinates}};
  if (mode == "nearest") attributes.emplace("nearest_mode", std::string("floor"));
  return layer.add("Resize", {x}, std::move(attributes));
}

// DeepLab and PSPNet: bilinear with aligned corners, to a size or by factors of the distances between corners.
Results interp(const Layer& layer) {
  layer.require_inputs(1, 2);
  for (size_t input = 0; input < layer.inputs.size(); ++input) layer.require_four_dimensions(input);
  const Message& options = layer.options("interp_param");
  if (options.integer("pad_beg", 0) != 0 || options.integer("pad_end", 0) != 0)
    layer.refuse("pad_beg and pad_end are not supported");
  int64_t height = layer.shape()[2], width = layer.shape()[3];
  if (layer.inputs.size() == 2) {
    height = layer.shape(1)[2];
    width = layer.shape(1)[3];
  } else if (options.has("height") || options.has("width")) {
    height = options.integer("height", 0);
    width = options.integer("width", 0);
  } else {
    const int64_t shrink = options.integer("shrink_factor", 1, 1, kMostExtent),
                  zoom = options.integer("zoom_factor", 1, 1, 1024);
    const auto changed = [&](int64_t extent) {
      const int64_t less = (extent - 1) / shrink + 1;
      return less + (less - 1) * (zoom - 1);
    };
    height = changed(height);
    width = changed(width);
  }
  return {resize(layer, layer.inputs[0], height, width, "linear", "align_corners")};
}

Results resize_layer(const Layer& layer) {
  require_planes(layer);
  const Message& options = layer.options("resize_param");
  const std::string kind = options.text("type", options.text("interp_mode", "BILINEAR"));
  const bool is_nearest = kind == "NEAREST" || kind == "2";
  if (!is_nearest && kind != "BILINEAR" && kind != "LINEAR" && kind != "1")
    layer.refuse(fmt::format("{} is not supported, expected BILINEAR or NEAREST", kind));
  return {resize(layer, layer.inputs[0], options.integer("height", 0), options.integer("width", 0),
                 is_nearest ? "nearest" : "linear", "asymmetric")};
}

/// SegNet: numbers go back to the places that pooling took them from (upsample_layer.cpp of caffe-segnet).
Results unpool(const Layer& layer) {
  layer.require_four_dimensions(0);
  const Message& options = layer.options("upsample_param");
  const Shape x = layer.shape();
  if (layer.shape(1) != x || layer.builder.graph[layer.inputs[1]].dtype != DType::Int64)
    layer.refuse("the second bottom is no second top of a Pooling layer of this size");
  const auto extent = [&](const char* size, const char* factor, const char* pad, int64_t from) {
    if (options.has(size)) return options.integer(size, 0, 1, kMostExtent);
    return from * size_of(options, "scale", factor, 2, 1) - (options.boolean(pad, false) ? 1 : 0);
  };
  const int64_t height = extent("upsample_h", "scale_h", "pad_out_h", x[2]),
                width = extent("upsample_w", "scale_w", "pad_out_w", x[3]);
  if (height < 1 || width < 1 || height > kMostExtent || width > kMostExtent || height * width > (int64_t{1} << 28))
    layer.refuse(fmt::format("the size {} x {} is none", height, width));
  std::vector<int64_t> begins;
  for (int64_t plane = 0; plane < x[0] * x[1]; ++plane) begins.push_back(plane * height * width);
  const ValueId first = layer.builder.constant("begin of planes", Tensor::from<int64_t>({x[0], x[1], 1, 1}, begins));
  const ValueId places = layer.add("Add", {layer.inputs[1], first});
  return {layer.add("MaxUnpool", {layer.inputs[0], places}, {{"shape", Ints{x[0], x[1], height, width}}})};
}

Results upsample(const Layer& layer) {
  layer.require_inputs(1, 2);
  if (layer.inputs.size() == 2) return unpool(layer);
  require_planes(layer);
  const int64_t scale = layer.options("upsample_param").integer("scale", 2, 1, 1024);
  return {resize(layer, layer.inputs[0], layer.shape()[2] * scale, layer.shape()[3] * scale, "nearest", "asymmetric")};
}

Results reorg(const Layer& layer) {
  require_planes(layer);
  const Message& options = layer.options("reorg_param");
  const int64_t block = options.integer("stride", 2, 1, 1024);
  const Shape& shape = layer.shape();
  if (options.boolean("reverse", false)) layer.refuse("reverse is not supported");
  if (shape[1] % (block * block) != 0 || shape[2] % block != 0 || shape[3] % block != 0) {
    layer.refuse(fmt::format("stride={} does not divide {}", block, to_string(shape)));
  }
  return {layer.builder.reorg(layer.inputs[0], block)};
}

/// Bottoms: planes, and boxes of (image, x1, y1, x2, y2).
Results roi_pooling(const Layer& layer) {
  layer.require_inputs(2, 2);
  layer.require_four_dimensions(0);
  const Message& options = layer.options("roi_pooling_param");
  const Shape& rois = layer.shape(1);
  if (element_count(rois) % 5 != 0)
    layer.refuse(fmt::format("the boxes are {}, expected five numbers each", to_string(rois)));
  return {layer.add(
      "MaxRoiPool", {layer.inputs[0], layer.reshape(layer.inputs[1], {element_count(rois) / 5, 5})},
      {{"pooled_shape", Ints{options.integer("pooled_h", 0, 1, 1024), options.integer("pooled_w", 0, 1, 1024)}},
       {"spatial_scale", options.number("spatial_scale", 1)}})};
}

constexpr LayerRow kSamplingRows[] = {
    {"Interp", interp}, {"Pooling", pooling},     {"ROIPooling", roi_pooling},
    {"Reorg", reorg},   {"Resize", resize_layer}, {"Upsample", upsample},
};

}  // namespace

std::span<const LayerRow> rows_of_sampling() { return kSamplingRows; }

}  // namespace openrknn::caffe
