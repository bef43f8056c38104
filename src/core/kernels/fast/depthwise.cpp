// Conv with one input channel a group and as many outputs: Float32, Float16, Int8. A tile is a range of output lines.
#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "core/kernels/fast/cpus.h"
#include "core/kernels/fast/product.h"
#include "core/kernels/reference/codes.h"
#include "core/kernels/reference/window.h"
#include "core/kernels/tables.h"

namespace openrknn::fast {
namespace {

using reference::present;
using reference::Window;
using reference::WindowAxis;

constexpr int64_t kTileElements = 1 << 13;  // of the output

struct Depthwise {
  void (*run)(const DepthwiseLine&) = nullptr;
  int64_t element_bytes = 4;
  Window window;
  DepthwiseLine line;       // what does not change from line to line
  Weights::Packed weights;  // float [taps][padded channels]; codes: minus their zero point
  std::vector<float> bias;
  std::vector<int32_t> offset, whole_offset;
  std::vector<double> channel;
  std::vector<float> float_channel;
  Weights::Packed lookup;
  int64_t tile_lines = 1;
};

bool fits(const Call& call) {
  const Operand &x = call.inputs[0], &w = call.inputs[1];
  if (!reference::window_fits(x, call.outputs[0]) || x.shape.size() > 4 || w.constant == nullptr) return false;
  if (present(call.inputs, 2) && call.inputs[2].constant == nullptr) return false;
  const int64_t groups = int_attribute(call.node.attributes, "group", 1);
  return groups > 1 && groups == x.shape.back() && w.shape[0] == groups && w.shape[1] == 1;
}
bool accepts_float(const Call& call) { return fits(call) && floats_fit(call); }
bool accepts_codes(const Call& call) {
  const Shape& w = call.inputs[1].shape;
  const int64_t taps = element_count(w) / w[0];
  return fits(call) && taps <= 256 && codes_fit(call, taps);
}

/// Geometry and packed weights; `weight(channel, index)` gives the number to multiply by.
template <class WeightAt>
Depthwise depthwise_of(const Call& call, const InnerLoops& loops, Weights& cache, const std::string& key,
                       const WeightAt& weight) {
  Depthwise d;
  const Shape& w = call.inputs[1].shape;
  const std::vector<int64_t> kernel(w.begin() + 2, w.end());
  d.window = reference::make_window(call.node, call.inputs[0], call.outputs[0], kernel, false);
  d.element_bytes = bit_width(call.inputs[0].dtype) / 8;
  const WindowAxis& width = d.window.axes[2];
  const int64_t channels = d.window.in_channels, taps = d.window.taps();
  const int64_t padded = (channels + loops.lanes - 1) / loops.lanes * loops.lanes;
  d.line.taps = width.kernel;
  d.line.stride = width.stride;
  d.line.dilation = width.dilation;
  d.line.pad = width.pad;
  d.line.in_width = width.in;
  d.line.out_width = width.out;
  d.line.channels = channels;
  d.line.padded_channels = padded;
  d.weights = cache.get(key + ' ' + std::to_string(padded) + ' ' + Weights::identity(*call.inputs[1].constant), [&] {
    std::vector<std::byte> bytes(static_cast<size_t>(taps * padded) * sizeof(float));
    float* packed = reinterpret_cast<float*>(bytes.data());
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t tap = 0; tap < taps; ++tap) packed[tap * padded + c] = weight(c, c * taps + tap);
    }
    return bytes;
  });
  d.tile_lines =
      std::clamp<int64_t>(kTileElements / std::max<int64_t>(1, width.out * channels), 1, d.window.out_rows());
  return d;
}

/// Weights, bias and table are packed: bits 1 to 3.
constexpr uint32_t kConstants = 0b1110;

Stretches written(const Prepared& prepared, int64_t tile) {
  const Depthwise& d = *static_cast<const Depthwise*>(prepared.state.get());
  const int64_t line = d.line.out_width * d.line.channels, begin = tile * d.tile_lines;
  const int64_t lines = std::min(d.window.out_rows(), begin + d.tile_lines) - begin;
  return {.first = begin * line, .length = lines * line, .step = 0, .count = 1};
}

Prepared finish(Depthwise d) {
  const int64_t tiles = (d.window.out_rows() + d.tile_lines - 1) / d.tile_lines;
  const int64_t scratch = 2 * d.window.axes[1].kernel * static_cast<int64_t>(sizeof(void*));
  Prepared prepared{std::make_shared<const Depthwise>(std::move(d)), tiles, scratch, -1, kConstants};
  prepared.written = written;
  return prepared;
}

template <const InnerLoops& kLoops>
Prepared prepare_float(const Call& call, Weights& cache) {
  Depthwise d;
  const Tensor& w = *call.inputs[1].constant;
  reference::visit(reference::FloatTypes{}, w.dtype(), [&]<class T>(reference::Tag<T>) {
    const T* values = reinterpret_cast<const T*>(w.bytes().data());
    d = depthwise_of(call, kLoops, cache, "fast_depthwise",
                     [&](int64_t, int64_t i) { return static_cast<float>(values[i]); });
  });
  d.run = d.element_bytes == 2 ? kLoops.depthwise_half : kLoops.depthwise_float;
  d.line.activation = *loop_activation(call.node);
  if (present(call.inputs, 2)) {
    for (const double b : to_doubles(*call.inputs[2].constant)) d.bias.push_back(static_cast<float>(b));
    d.bias.resize(static_cast<size_t>(d.line.padded_channels));
  }
  return finish(std::move(d));
}

template <const InnerLoops& kLoops>
Prepared prepare_codes(const Call& call, Weights& cache) {
  const Operand &x = call.inputs[0], &w = call.inputs[1];
  const int8_t* values = w.constant->values<int8_t>().data();
  const std::vector<int32_t>& zero = w.quant->zero_point;
  std::string key = "fast_depthwise_i8";
  for (const int32_t z : zero) key += ' ' + std::to_string(z);
  Depthwise d = depthwise_of(call, kLoops, cache, key, [&](int64_t c, int64_t i) {
    return static_cast<float>(values[i] - zero[zero.size() == 1 ? 0 : static_cast<size_t>(c)]);
  });
  d.run = kLoops.depthwise_codes;
  d.line.input_zero_point = static_cast<float>(x.quant->zero_point[0]);
  const OutputStage stage = output_stage(call, x, w);
  d.line.requantize = requantize_of(stage);
  d.lookup = lookup_of(stage, call, cache);
  const std::span<const int32_t> bias = code_bias(call);
  d.offset.assign(bias.begin(), bias.end());
  d.offset.resize(static_cast<size_t>(d.line.padded_channels));
  d.channel.assign(d.offset.size(), 1.0);
  for (size_t c = 0; c < stage.channel.size(); ++c) d.channel[c] = std::ldexp(stage.channel[c], -stage.channel_shift);
  d.whole_offset = d.offset;
  const int64_t taps = d.window.taps();
  bool floats_fit = true;
  for (int64_t c = 0; c < d.line.channels; ++c) {
    const size_t at = static_cast<size_t>(c);
    int64_t sum = 0, magnitude = 0;
    for (int64_t tap = 0; tap < taps; ++tap) {
      const int64_t weight = values[c * taps + tap] - zero[zero.size() == 1 ? 0 : at];
      sum += weight;
      magnitude += std::abs(weight);
    }
    const int64_t zx = x.quant->zero_point[0];
    d.whole_offset[at] -= static_cast<int32_t>(zx * sum);
    const int64_t largest = magnitude * std::max(zx + 128, 127 - zx) + std::abs(int64_t{d.offset[at]});
    floats_fit = floats_fit && floats_fit_stage(d.line.requantize, d.channel[at], largest);
  }
  if (floats_fit) d.float_channel.assign(d.channel.begin(), d.channel.end());
  return finish(std::move(d));
}

void run(const Prepared& prepared, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  const Depthwise& d = *static_cast<const Depthwise*>(prepared.state.get());
  const WindowAxis& height = d.window.axes[1];
  const void** lines = reinterpret_cast<const void**>(scratch);
  const float** weights = reinterpret_cast<const float**>(lines + height.kernel);
  DepthwiseLine line = d.line;
  line.lines = lines;
  line.weights = weights;
  line.bias = d.bias.empty() ? nullptr : d.bias.data();
  line.requantize.offset = d.offset.data();
  line.requantize.channel = d.channel.data();
  line.requantize.floats.channel = d.float_channel.empty() ? nullptr : d.float_channel.data();
  line.requantize.lookup = lookup_at_zero(d.lookup);
  const float* packed = reinterpret_cast<const float*>(d.weights->data());
  const int64_t in_line = line.in_width * line.channels * d.element_bytes;
  const int64_t out_line = line.out_width * line.channels * d.element_bytes;
  const int64_t end = std::min(d.window.out_rows(), (tile + 1) * d.tile_lines);
  for (int64_t row = tile * d.tile_lines; row < end; ++row) {
    const int64_t image = row / height.out, y = row % height.out;
    line.line_count = 0;
    for (int64_t k = 0; k < height.kernel; ++k) {
      const int64_t source = height.source(y, k);
      if (source < 0) continue;
      lines[line.line_count] = buffers[0].data + (image * height.in + source) * in_line;
      weights[line.line_count++] = packed + k * line.taps * line.padded_channels;
    }
    const bool whole = line.line_count == height.kernel && !d.whole_offset.empty();
    line.whole_offset = whole ? d.whole_offset.data() : nullptr;
    line.out = buffers.back().data + row * out_line;
    d.run(line);
  }
}

#define ROWS(cpu, name, needs)                                                              \
  {"Conv", "depthwise_float_" name, needs, accepts_float, prepare_float<cpu::kLoops>, run}, \
      {"Conv", "depthwise_i8_" name, needs, accepts_codes, prepare_codes<cpu::kLoops>, run},
constexpr Kernel kRows[] = {OPENRKNN_FAST_CPUS(ROWS)};
#undef ROWS

}  // namespace
}  // namespace openrknn::fast

namespace openrknn {
std::span<const Kernel> fast_depthwise_kernels() { return fast::kRows; }
}  // namespace openrknn
