#include "compiler/corrections/product_layer.h"

#include <algorithm>

namespace openrknn::corrections {
namespace {

/// One spatial dimension: which element of the input tap `t` of output position `o` reads; -1: none.
struct Window {
  int64_t input = 1, output = 1, kernel = 1, stride = 1, dilation = 1, begin = 0;
  bool transposed = false;
  int64_t source(int64_t o, int64_t t) const {
    int64_t at = transposed ? o + begin - t * dilation : o * stride + t * dilation - begin;
    if (transposed) {
      if (at % stride != 0) return -1;
      at /= stride;
    }
    return at >= 0 && at < input ? at : -1;
  }
};

std::vector<Window> windows_of(const Node& node, const Shape& x, const Shape& w, const Shape& y) {
  const size_t spatial = x.size() - 2;
  const std::vector<int64_t> ones(spatial, 1), none(2 * spatial, 0);
  const std::vector<int64_t> strides = ints_attribute(node.attributes, "strides", ones);
  const std::vector<int64_t> dilations = ints_attribute(node.attributes, "dilations", ones);
  const std::vector<int64_t> pads = ints_attribute(node.attributes, "pads", none);
  std::vector<Window> windows;
  for (size_t d = 0; d < spatial; ++d) {
    windows.push_back({x[d + 2], y[d + 2], w[d + 2], strides[d], dilations[d], pads[d], node.op == "ConvTranspose"});
  }
  return windows;
}

/// Of the windows' product: every output position (row-major) and tap (row-major).
std::vector<int32_t> offsets_of(const std::vector<Window>& windows) {
  std::vector<int32_t> offsets = {0};
  int64_t places = 1, taps = 1;
  for (const Window& window : windows) {
    std::vector<int32_t> wider(offsets.size() * static_cast<size_t>(window.output * window.kernel));
    for (int64_t p = 0; p < places * window.output; ++p) {
      for (int64_t t = 0; t < taps * window.kernel; ++t) {
        const int32_t outer = offsets[static_cast<size_t>(p / window.output * taps + t / window.kernel)];
        const int64_t inner = window.source(p % window.output, t % window.kernel);
        wider[static_cast<size_t>(p * taps * window.kernel + t)] =
            outer < 0 || inner < 0 ? -1 : static_cast<int32_t>(outer * window.input + inner);
      }
    }
    places *= window.output;
    taps *= window.kernel;
    offsets = std::move(wider);
  }
  return offsets;
}

ProductLayer matrix_layer(const Shape& x, const Shape& w) {
  ProductLayer layer;
  layer.depth = w[0];
  layer.channels = w.size() > 1 ? w[1] : 1;
  layer.batch = layer.depth > 0 ? element_count(x) / layer.depth : 0;
  layer.offsets = {0};
  layer.channel_step = 1;
  layer.input_step = layer.channels;
  return layer;
}

ProductLayer window_layer(const Node& node, const Shape& x, const Shape& w, const Shape& y) {
  ProductLayer layer;
  const std::vector<Window> windows = windows_of(node, x, w, y);
  layer.groups = int_attribute(node.attributes, "group", 1);
  layer.offsets = offsets_of(windows);
  layer.batch = x[0];
  for (const Window& window : windows) {
    layer.taps *= window.kernel;
    layer.area *= window.input;
    layer.places *= window.output;
  }
  layer.channels = y[1] / layer.groups;
  layer.depth = x[1] / layer.groups * layer.taps;
  if (node.op == "Conv") {  // [O, I/group, …]
    layer.input_step = layer.taps;
    layer.channel_step = layer.depth;
    layer.group_step = layer.channels * layer.depth;
  } else {  // [I, O/group, …]
    layer.channel_step = layer.taps;
    layer.input_step = layer.channels * layer.taps;
    layer.group_step = layer.channels * layer.depth;
  }
  return layer;
}

}  // namespace

std::optional<ProductLayer> product_layer(const Graph& golden, NodeId id) {
  const Node& node = golden[id];
  const bool matrix = node.op == "MatMul";
  if (!matrix && node.op != "Conv" && node.op != "ConvTranspose") return std::nullopt;
  const Value &input = golden[node.inputs[0]], &weights = golden[node.inputs[1]];
  const bool is_constant = weights.constant.has_value() && weights.producer == NodeId::None;
  if (!is_constant || weights.dtype != DType::Float32 || input.dtype != DType::Float32 || input.constant) {
    return std::nullopt;
  }
  if (matrix && weights.shape.size() > 2) return std::nullopt;
  if (element_count(weights.shape) == 0 || element_count(input.shape) == 0) return std::nullopt;
  ProductLayer layer = matrix ? matrix_layer(input.shape, weights.shape)
                              : window_layer(node, input.shape, weights.shape, golden[node.outputs[0]].shape);
  layer.node = id;
  layer.input = node.inputs[0];
  return layer;
}

void gather_columns(const ProductLayer& layer, std::span<const float> input, int64_t group,
                    std::span<const int64_t> positions, float* rows) {
  const int64_t channels = layer.depth / layer.taps, all = channels * layer.groups;
  const size_t count = positions.size();
  for (int64_t k = 0; k < layer.depth; ++k) {
    const int64_t channel = group * channels + k / layer.taps, tap = k % layer.taps;
    float* const row = rows + static_cast<size_t>(k) * count;
    for (size_t i = 0; i < count; ++i) {
      const int64_t item = positions[i] / layer.places, place = positions[i] % layer.places;
      const int32_t offset = layer.offsets[static_cast<size_t>(place * layer.taps + tap)];
      row[i] = offset < 0 ? 0.0f : input[static_cast<size_t>((item * all + channel) * layer.area + offset)];
    }
  }
}

std::vector<double> input_sums(const ProductLayer& layer, std::span<const float> input) {
  const int64_t channels = layer.depth / layer.taps * layer.groups;
  std::vector<double> sums(static_cast<size_t>(layer.groups * layer.depth), 0.0);
  for (int64_t tap = 0; tap < layer.taps; ++tap) {
    std::vector<int32_t> read;
    for (int64_t place = 0; place < layer.places; ++place) {
      const int32_t offset = layer.offsets[static_cast<size_t>(place * layer.taps + tap)];
      if (offset >= 0) read.push_back(offset);
    }
    for (int64_t channel = 0; channel < channels; ++channel) {
      double sum[4] = {};  // side by side: none waits for the one before it
      for (int64_t item = 0; item < layer.batch; ++item) {
        const float* const from = input.data() + (item * channels + channel) * layer.area;
        for (size_t i = 0; i < read.size(); ++i) sum[i % 4] += static_cast<double>(from[read[i]]);
      }
      sums[static_cast<size_t>(channel * layer.taps + tap)] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    }
  }
  return sums;
}

}  // namespace openrknn::corrections
