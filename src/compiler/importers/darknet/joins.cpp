// Layers that read others than the one before them.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compiler/importers/darknet/layers.h"

namespace openrknn::darknet {
namespace {

std::vector<int64_t> named_layers(const Layer& layer, std::string_view key) {
  std::vector<int64_t> layers = layer.section.integers(key);
  if (layers.empty()) layer.refuse(fmt::format("{} is missing: it names the layers that are read", key), key);
  for (int64_t& other : layers) other = layer.other(other, key);
  return layers;
}

/// The first channels, every stride-th pixel: what shortcut_cpu() reads of a larger layer, and zeros where a layer has
/// fewer channels.
ValueId fit(const Layer& layer, ValueId other) {
  LayerBuilder& builder = layer.builder();
  const Shape& shape = builder.shape(other);
  const int64_t c = layer.channels(), h = layer.height(), w = layer.width();
  ValueId x = other;
  if (shape[2] != h || shape[3] != w) {
    const int64_t stride = shape[3] / w;
    if (stride < 1 || shape[3] != stride * w || shape[2] != stride * h) {
      layer.refuse(fmt::format("from: a layer of {} x {} cannot be added to one of {} x {}", shape[2], shape[3], h, w),
                   "from");
    }
    x = builder.add("Slice", {x},
                    {{"starts", Ints{0, 0, 0, 0}},
                     {"ends", Ints{1, shape[1], shape[2], shape[3]}},
                     {"steps", Ints{1, 1, stride, stride}}});
  }
  const int64_t more = c - builder.shape(x)[1];
  if (more < 0) x = builder.add("Slice", {x}, {{"starts", Ints{0, 0, 0, 0}}, {"ends", Ints{1, c, h, w}}});
  if (more > 0) x = builder.add("Pad", {x}, {{"pads", Ints{0, 0, 0, 0, 0, more, 0, 0}}});
  return x;
}

/// Learned shares of what is added, one a layer or one a layer and channel, as they are applied.
std::vector<std::vector<float>> shares(const Layer& layer, size_t count, bool per_channel) {
  const auto channels = per_channel ? static_cast<size_t>(layer.channels()) : 1;
  const auto total = static_cast<int64_t>(count * channels);
  const std::string rule = layer.section.text("weights_normalization", "none");
  const bool by_relu = rule == "relu" || rule == "avg_relu", by_softmax = rule == "softmax";
  if (!by_relu && !by_softmax && rule != "none") {
    layer.refuse(fmt::format("weights_normalization: got '{}', expected none, relu or softmax", rule),
                 "weights_normalization");
  }
  const std::vector<float> stored = layer.network.weights.take(total).value_or(std::vector<float>());
  std::vector<std::vector<float>> rows(count, std::vector<float>(channels, 1.0F));
  if (stored.empty()) return rows;
  constexpr float kLeast = 0.0001F;
  for (size_t c = 0; c < channels; ++c) {
    float largest = stored[c], sum = kLeast;
    for (size_t i = 0; i < count; ++i) largest = std::max(largest, stored[i * channels + c]);
    const auto raw = [&](size_t i) {
      const float w = stored[i * channels + c];
      if (by_softmax) return std::exp(w - largest);
      return by_relu ? std::max(w, 0.0F) : w;
    };
    for (size_t i = 0; i < count; ++i) sum += raw(i);
    for (size_t i = 0; i < count; ++i) rows[i][c] = by_relu || by_softmax ? raw(i) / sum : raw(i);
  }
  return rows;
}

}  // namespace

std::vector<int64_t> layers_of_route(const Layer& layer) { return named_layers(layer, "layers"); }
std::vector<int64_t> layers_of_from(const Layer& layer) { return named_layers(layer, "from"); }

ValueId translate_route(const Layer& layer) {
  LayerBuilder& builder = layer.builder();
  const int64_t groups = layer.section.integer("groups", 1, 1, kMostChannels);
  const int64_t group = layer.section.integer("group_id", 0, 0, groups - 1);
  std::vector<ValueId> parts;
  for (const int64_t other : layers_of_route(layer)) {
    ValueId part = layer.result(other);
    const Shape& shape = builder.shape(part);
    if (groups > 1) {
      if (shape[1] % groups != 0)
        layer.refuse(fmt::format("groups={} does not divide {} channels", groups, shape[1]), "groups");
      const int64_t size = shape[1] / groups;
      part = builder.add(
          "Slice", {part},
          {{"starts", Ints{0, group * size, 0, 0}}, {"ends", Ints{1, (group + 1) * size, shape[2], shape[3]}}});
    }
    parts.push_back(part);
  }
  return parts.size() == 1 ? parts.front() : builder.add("Concat", std::move(parts), {{"axis", int64_t{1}}});
}

ValueId translate_shortcut(const Layer& layer) {
  LayerBuilder& builder = layer.builder();
  std::vector<ValueId> parts{layer.input};
  for (const int64_t other : layers_of_from(layer)) parts.push_back(fit(layer, layer.result(other)));
  const std::string kind = layer.section.text("weights_type", "none");
  const bool per_channel = kind == "per_channel", per_layer = kind == "per_feature" || kind == "per_layer";
  if (!per_channel && !per_layer && kind != "none") {
    layer.refuse(fmt::format("weights_type: got '{}', expected none, per_feature or per_channel", kind),
                 "weights_type");
  }
  if (per_channel || per_layer) {
    const std::vector<std::vector<float>> rows = shares(layer, parts.size(), per_channel);
    for (size_t i = 0; i < parts.size(); ++i) {
      parts[i] = builder.add("Mul", {parts[i], builder.per_channel("weights", rows[i])});
    }
  }
  ValueId sum = parts.front();
  for (size_t i = 1; i < parts.size(); ++i) sum = builder.add("Add", {sum, parts[i]});
  return activate(layer, sum);
}

ValueId translate_scale_channels(const Layer& layer) {
  const ValueId other = layer.result(layers_of_from(layer).front());
  const Shape& shape = layer.builder().shape(other);
  // The layer before gives one number a channel (or, with scale_wh, one a place) for the layer named.
  const bool per_place = layer.section.integer("scale_wh", 0) != 0;
  const bool fits = per_place ? layer.channels() == 1 && layer.height() == shape[2] && layer.width() == shape[3]
                              : layer.channels() == shape[1] && layer.height() == 1 && layer.width() == 1;
  if (!fits) {
    layer.refuse(fmt::format("from: {} cannot scale {}", to_string(layer.shape()), to_string(shape)), "from");
  }
  return activate(layer, layer.builder().add("Mul", {other, layer.input}));
}

ValueId translate_sam(const Layer& layer) {
  const ValueId other = layer.result(layers_of_from(layer).front());
  if (layer.builder().shape(other) != layer.shape()) {
    layer.refuse(
        fmt::format("from: {} and {} differ", to_string(layer.shape()), to_string(layer.builder().shape(other))),
        "from");
  }
  return activate(layer, layer.builder().add("Mul", {layer.input, other}));
}

}  // namespace openrknn::darknet
