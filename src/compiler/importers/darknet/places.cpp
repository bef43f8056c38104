// Sections whose numbers belong to places: weights for each of them, learned constants, pictures that are cut.
#include <fmt/format.h>

#include "compiler/importers/darknet/layers.h"

namespace openrknn::darknet {

/// Nothing is read: [1, filters, atoms, 1] learned numbers (implicit_layer.c).
ValueId translate_implicit(const Layer& layer) {
  const int64_t filters = layer.section.integer("filters", 128, 1, kMostChannels);
  const int64_t atoms = layer.section.integer("atoms", 1, 1, kMostExtent);
  const ValueId numbers = layer.take("weights", {1, filters, atoms, 1});
  // A node of its own, so that the layer can bear its name.
  return layer.reshape(numbers, {1, filters, atoms, 1});
}

/// A convolution with weights of its own at every place (local_layer.c): the windows as columns, a product a place.
/// `pad` is one pixel, whatever the size.
ValueId translate_local(const Layer& layer) {
  const Section& section = layer.section;
  const int64_t filters = section.integer("filters", 1, 1, kMostChannels);
  const int64_t size = section.integer("size", 1, 1, 64), stride = section.integer("stride", 1, 1, kMostExtent);
  const int64_t pad = section.integer("pad", 0) != 0 ? 1 : 0, channels = layer.channels();
  // The size of the result is that of a window of 3 where there is a border: others would read beyond it.
  if (pad != 0 && size > 3) layer.refuse(fmt::format("size={} with pad=1 reads beyond the border", size), "size");
  const int64_t reach = pad != 0 ? 1 : size;
  if (layer.height() < reach || layer.width() < reach) layer.refuse("the kernel is larger than its input", "size");
  const int64_t height = (layer.height() - reach) / stride + 1, width = (layer.width() - reach) / stride + 1;
  const int64_t places = height * width, depth = channels * size * size;
  if (places > (int64_t{1} << 28) / std::max<int64_t>(depth * filters, 1))
    layer.refuse(fmt::format("{} places with weights of {} x {}", places, filters, depth), "filters");
  const ValueId bias = layer.take("biases", {1, filters, height, width});
  const ValueId weights = layer.take("weights", {places, filters, depth});

  ValueId x = layer.input;
  if (pad != 0) x = layer.builder().add("Pad", {x}, {{"pads", Ints{0, 0, 1, 1, 0, 0, 1, 1}}});
  std::vector<ValueId> taps;
  for (int64_t i = 0; i < size; ++i) {
    for (int64_t j = 0; j < size; ++j) {
      const ValueId tap =
          layer.builder().add("Slice", {x},
                              {{"starts", Ints{0, 0, i, j}},
                               {"ends", Ints{1, channels, i + (height - 1) * stride + 1, j + (width - 1) * stride + 1}},
                               {"steps", Ints{1, 1, stride, stride}}});
      taps.push_back(layer.reshape(tap, {channels, 1, places}));
    }
  }
  const ValueId windows = layer.builder().add("Concat", std::move(taps), {{"axis", int64_t{1}}});
  const ValueId columns =
      layer.builder().add("Transpose", {layer.reshape(windows, {depth, places})}, {{"perm", Ints{1, 0}}});
  const ValueId sums = layer.builder().add("MatMul", {weights, layer.reshape(columns, {places, depth, 1})});
  const ValueId turned =
      layer.builder().add("Transpose", {layer.reshape(sums, {places, filters})}, {{"perm", Ints{1, 0}}});
  const ValueId y = layer.builder().add("Add", {layer.reshape(turned, {1, filters, height, width}), bias});
  return activate(layer, y);
}

/// The middle of the picture, 0 to 1 moved to -1 to 1 unless noadjust (crop_layer.c, as it is when it does not train).
ValueId translate_crop(const Layer& layer) {
  const Section& section = layer.section;
  const int64_t height = section.integer("crop_height", 1, 1, kMostExtent),
                width = section.integer("crop_width", 1, 1, kMostExtent);
  if (height > layer.height() || width > layer.width())
    layer.refuse(fmt::format("{} x {} out of {} x {}", height, width, layer.height(), layer.width()), "crop_height");
  const int64_t top = (layer.height() - height) / 2, left = (layer.width() - width) / 2;
  const ValueId middle = layer.builder().add(
      "Slice", {layer.input},
      {{"starts", Ints{0, 0, top, left}}, {"ends", Ints{1, layer.channels(), top + height, left + width}}});
  if (section.integer("noadjust", 0) != 0) return middle;
  const ValueId doubled = layer.builder().add("Mul", {middle, layer.builder().scalar("two", 2)});
  return layer.builder().add("Sub", {doubled, layer.builder().scalar("one", 1)});
}

}  // namespace openrknn::darknet
