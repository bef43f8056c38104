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
  std::vector<int16_t> curve;
  int64_t tile_lines = 1;
};

bool fits_depthwise(const Call& call) {
  const Operand &x = call.inputs[0], &w = call.inputs[1];
  if (!reference::window_fits(x, call.outputs[0]) || x.shape.size() > 4 || w.constant == nullptr) return false;
  if (present(call.inputs, 2) && call.inputs[2].constant == nullptr) return false;
  const int64_t groups = int_attribute(call.node.attributes, "group", 1);
  return groups > 1 && groups == x.shape.back() && w.shape[0] == groups && w.shape[1] == 1;
}
bool accepts_depthwise_float(const Call& call) { return fits_depthwise(call) && floats_fit(call); }
bool accepts_depthwise_codes(const Call& call) {
  const Shape& w = call.inputs[1].shape;
  const int64_t taps = element_count(w) / w[0];
  return fits_depthwise(call) && taps <= 256 && codes_fit(call, taps);
}

Depthwise geometry_of(const Call& call, int64_t lanes) {
  Depthwise d;
  const Shape& w = call.inputs[1].shape;
  const std::vector<int64_t> kernel(w.begin() + 2, w.end());
  d.window = reference::make_window(call.node, call.inputs[0], call.outputs[0], kernel, false);
  d.element_bytes = bit_width(call.inputs[0].dtype) / 8;
  const WindowAxis& width = d.window.axes[2];
  const int64_t channels = d.window.in_channels;
  d.line.taps = width.kernel;
  d.line.stride = width.stride;
  d.line.dilation = width.dilation;
  d.line.pad = width.pad;
  d.line.in_width = width.in;
  d.line.out_width = width.out;
  d.line.channels = channels;
  d.line.padded_channels = (channels + lanes - 1) / lanes * lanes;
  d.tile_lines =
      std::clamp<int64_t>(kTileElements / std::max<int64_t>(1, width.out * channels), 1, d.window.out_rows());
  return d;
}
int64_t tiles_of(const Depthwise& d) { return (d.window.out_rows() + d.tile_lines - 1) / d.tile_lines; }

/// Geometry and packed weights; `weight(channel, index)` gives the number to multiply by.
template <class WeightAt>
Depthwise depthwise_of(const Call& call, int64_t lanes, Weights& cache, const std::string& key,
                       const WeightAt& weight) {
  Depthwise d = geometry_of(call, lanes);
  const int64_t channels = d.line.channels, padded = d.line.padded_channels, taps = d.window.taps();
  d.weights = cache.get(key + ' ' + std::to_string(padded) + ' ' + Weights::identity(*call.inputs[1].constant), [&] {
    std::vector<std::byte> bytes(static_cast<size_t>(taps * padded) * sizeof(float));
    float* packed = reinterpret_cast<float*>(bytes.data());
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t tap = 0; tap < taps; ++tap) packed[tap * padded + c] = weight(c, c * taps + tap);
    }
    return bytes;
  });
  return d;
}

/// Weights, bias and table are packed: bits 1 to 3.

Stretches written_lines(const Prepared& prepared, int64_t tile) {
  const Depthwise& d = *static_cast<const Depthwise*>(prepared.state.get());
  const int64_t line = d.line.out_width * d.line.channels, begin = tile * d.tile_lines;
  const int64_t lines = std::min(d.window.out_rows(), begin + d.tile_lines) - begin;
  return {.first = begin * line, .length = lines * line, .step = 0, .count = 1};
}

Prepared finish(Depthwise d) {
  const int64_t tiles = tiles_of(d);
  const int64_t scratch = 2 * d.window.axes[1].kernel * static_cast<int64_t>(sizeof(void*));
  Prepared prepared{std::make_shared<const Depthwise>(std::move(d)), tiles, scratch, -1, kPackedInputs};
  prepared.written = written_lines;
  return prepared;
}

template <const InnerLoops& kLoops>
Prepared prepare_depthwise_float(const Call& call, Weights& cache) {
  Depthwise d;
  const Tensor& w = *call.inputs[1].constant;
  reference::visit(reference::FloatTypes{}, w.dtype(), [&]<class T>(reference::Tag<T>) {
    const T* values = reinterpret_cast<const T*>(w.bytes().data());
    d = depthwise_of(call, kLoops.lanes, cache, "fast_depthwise",
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

/// Output stage of codes; activations are stored with `code_offset` added to them.
void fill_stage(Depthwise& d, const Call& call, Weights& cache, int64_t code_offset) {
  const Operand &x = call.inputs[0], &w = call.inputs[1];
  const int8_t* values = w.constant->values<int8_t>().data();
  const std::vector<int32_t>& zero = w.quant->zero_point;
  const OutputStage stage = output_stage(call, x, w);
  d.line.requantize = requantize_of(stage);
  d.lookup = lookup_of(stage, call, cache);
  d.curve = stage.table;
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
    d.whole_offset[at] -= static_cast<int32_t>((zx + code_offset) * sum);
    const int64_t largest = magnitude * std::max(zx + 128, 127 - zx) + std::abs(int64_t{d.offset[at]});
    floats_fit = floats_fit && floats_fit_stage(d.line.requantize, d.channel[at], largest);
  }
  if (floats_fit) d.float_channel.assign(d.channel.begin(), d.channel.end());
}
/// What lines are told of it.
Requantize stage_of(const Depthwise& d, const std::vector<int32_t>& offset) {
  Requantize q = d.line.requantize;
  q.offset = offset.data();
  q.channel = d.channel.data();
  q.floats.channel = d.float_channel.empty() ? nullptr : d.float_channel.data();
  q.lookup = lookup_at_zero(d.lookup);
  q.curve.entries = d.curve.data();
  return q;
}

/// Weights less their zero point.
struct CenteredWeights {
  const int8_t* values;
  const std::vector<int32_t>& zero;

  explicit CenteredWeights(const Operand& w) : values(w.constant->values<int8_t>().data()), zero(w.quant->zero_point) {}
  int32_t operator()(int64_t channel, int64_t index) const {
    return values[index] - zero[zero.size() == 1 ? 0 : static_cast<size_t>(channel)];
  }
  std::string key(std::string text) const {
    for (const int32_t z : zero) text += ' ' + std::to_string(z);
    return text;
  }
};

template <const InnerLoops& kLoops>
Prepared prepare_depthwise_codes(const Call& call, Weights& cache) {
  const CenteredWeights weight(call.inputs[1]);
  Depthwise d = depthwise_of(call, kLoops.lanes, cache, weight.key("fast_depthwise_i8"),
                             [&](int64_t c, int64_t i) { return static_cast<float>(weight(c, i)); });
  d.run = kLoops.depthwise_codes;
  d.line.input_zero_point = static_cast<float>(call.inputs[0].quant->zero_point[0]);
  fill_stage(d, call, cache, 0);
  return finish(std::move(d));
}

void run_depthwise(const Prepared& prepared, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  const Depthwise& d = *static_cast<const Depthwise*>(prepared.state.get());
  const WindowAxis& height = d.window.axes[1];
  const void** lines = reinterpret_cast<const void**>(scratch);
  const float** weights = reinterpret_cast<const float**>(lines + height.kernel);
  DepthwiseLine line = d.line;
  line.lines = lines;
  line.weights = weights;
  line.bias = d.bias.empty() ? nullptr : d.bias.data();
  line.requantize = stage_of(d, d.offset);
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

// ---- Codes, four kernel rows at a time ----

/// Bytes of staged input that stay in the first-level cache.
constexpr int64_t kStagedBytes = 24 << 10, kLeastStagedColumns = 40;

struct DotState {
  Depthwise shared;  ///< window, output stage, tiles
  void (*run)(const DepthwiseDot&) = nullptr;
  DepthwiseDot line;            ///< what does not change from line to line
  Weights::Packed weights;      ///< as DepthwiseDot says
  std::vector<int8_t> no_line;  ///< stands for lines outside the input
  int64_t staging_at = 0;
};

bool fit_int8(const Call& call) {
  const CenteredWeights weight(call.inputs[1]);
  const int64_t channels = call.inputs[1].shape[0], taps = element_count(call.inputs[1].shape) / channels;
  for (int64_t i = 0; i < channels * taps; ++i) {
    const int32_t w = weight(i / taps, i);
    if (w < INT8_MIN || w > INT8_MAX) return false;
  }
  return true;
}

/// Weights of nine bits cost two instructions: where a tap serves few outputs, floats are as fast.
bool accepts_dot(const Call& call) {
  if (!accepts_depthwise_codes(call)) return false;
  const std::vector<int64_t> strides = ints_attribute(call.node.attributes, "strides", {1});
  const Shape& w = call.inputs[1].shape;
  return strides.back() == 1 || (w.size() > 3 && w[2] > 3) || fit_int8(call);
}

Weights::Packed pack_dot(const Call& call, const DepthwiseDot& line, Weights& cache) {
  const CenteredWeights weight(call.inputs[1]);
  const std::string key = weight.key("fast_depthwise_dot") + ' ' + std::to_string(line.padded_channels) + ' ' +
                          Weights::identity(*call.inputs[1].constant);
  return cache.get(key, [&] {
    const int64_t all_taps = element_count(call.inputs[1].shape) / line.channels, parts = line.wide ? 2 : 1;
    std::vector<std::byte> bytes(static_cast<size_t>(line.groups * line.taps * parts * line.padded_channels * 4));
    for (int64_t c = 0; c < line.channels; ++c) {
      for (int64_t i = 0; i < all_taps; ++i) {
        const int64_t row = i / line.taps, tap = i % line.taps;
        const int64_t first = (row / 4 * line.taps + tap) * parts * line.padded_channels + c;
        std::byte* to = &bytes[static_cast<size_t>(first * 4 + row % 4)];
        const int32_t w = weight(c, c * all_taps + i);
        to[0] = static_cast<std::byte>(line.wide ? w & 1 : w);
        if (line.wide) to[line.padded_channels * 4] = static_cast<std::byte>(w >> 1);
      }
    }
    return bytes;
  });
}

template <const InnerLoops& kLoops>
Prepared prepare_dot(const Call& call, Weights& cache) {
  DotState s;
  s.run = kLoops.depthwise_dot;
  s.shared = geometry_of(call, kLoops.gemm_codes.lanes);
  fill_stage(s.shared, call, cache, kLoops.gemm_codes.code_offset);
  const DepthwiseLine& shape = s.shared.line;
  const int64_t kernel_rows = s.shared.window.axes[1].kernel;
  DepthwiseDot& line = s.line;
  line.groups = (kernel_rows + 3) / 4;
  line.wide = !fit_int8(call);
  line.taps = shape.taps;
  line.stride = shape.stride;
  line.dilation = shape.dilation;
  line.pad = shape.pad;
  line.in_width = shape.in_width;
  line.out_width = shape.out_width;
  line.channels = shape.channels;
  line.padded_channels = shape.padded_channels;
  const int64_t columns = kStagedBytes / (line.groups * line.channels * 4);
  line.pitch = columns >= kLeastStagedColumns ? line.channels : std::min(line.channels, kDepthwiseBlock);
  const int64_t reach = (line.taps - 1) * line.dilation + 1, column_bytes = line.groups * line.pitch * 4;
  line.segment = std::clamp<int64_t>((kStagedBytes / column_bytes - reach) / line.stride + 1, 8,
                                     std::max<int64_t>(8, line.out_width));
  line.group_bytes = ((line.segment - 1) * line.stride + reach) * line.pitch * 4;
  const int32_t zx = call.inputs[0].quant->zero_point[0];
  line.padding = static_cast<int32_t>(0x01010101u * static_cast<uint8_t>(zx + kLoops.gemm_codes.code_offset));
  s.weights = pack_dot(call, line, cache);
  s.no_line.assign(static_cast<size_t>(line.in_width * line.channels + 64), static_cast<int8_t>(zx));
  s.staging_at = (4 * line.groups * static_cast<int64_t>(sizeof(void*)) + 63) / 64 * 64;
  const int64_t tiles = tiles_of(s.shared);
  const int64_t scratch = s.staging_at + line.groups * line.group_bytes + kDepthwiseSlack;
  return {std::make_shared<const DotState>(std::move(s)), tiles, scratch, -1, kPackedInputs};
}

void run_dot(const Prepared& prepared, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  const DotState& s = *static_cast<const DotState*>(prepared.state.get());
  const Depthwise& d = s.shared;
  const WindowAxis& height = d.window.axes[1];
  const int8_t** lines = reinterpret_cast<const int8_t**>(scratch);
  DepthwiseDot line = s.line;
  line.lines = lines;
  line.weights = s.weights->data();
  line.staging = scratch + s.staging_at;
  line.requantize = stage_of(d, d.whole_offset);
  const int8_t* x = reinterpret_cast<const int8_t*>(buffers[0].data);
  int8_t* out = reinterpret_cast<int8_t*>(buffers.back().data);
  const int64_t in_line = line.in_width * line.channels, out_line = line.out_width * line.channels;
  const int64_t end = std::min(d.window.out_rows(), (tile + 1) * d.tile_lines);
  for (int64_t row = tile * d.tile_lines; row < end; ++row) {
    const int64_t image = row / height.out, y = row % height.out;
    for (int64_t k = 0; k < 4 * line.groups; ++k) {
      const int64_t source = k < height.kernel ? height.source(y, k) : -1;
      lines[k] = source < 0 ? s.no_line.data() : x + (image * height.in + source) * in_line;
    }
    line.out = out + row * out_line;
    s.run(line);
  }
}

#define CODE_ROWS(cpu, name, needs) \
  {"Conv", "depthwise_i8_" name, needs, accepts_dot, prepare_dot<cpu::kLoops>, run_dot},
#define ALL_ROWS(cpu, name, needs)                                                                               \
  {"Conv",       "depthwise_float_" name, needs, accepts_depthwise_float, prepare_depthwise_float<cpu::kLoops>,  \
   run_depthwise},                                                                                               \
      {"Conv",       "depthwise_i8_" name, needs, accepts_depthwise_codes, prepare_depthwise_codes<cpu::kLoops>, \
       run_depthwise},
constexpr Kernel kDepthwiseKernels[] = {OPENRKNN_FAST_CODE_CPUS(CODE_ROWS) OPENRKNN_FAST_CPUS(ALL_ROWS)};
#undef CODE_ROWS
#undef ALL_ROWS

}  // namespace
}  // namespace openrknn::fast

namespace openrknn {
std::span<const Kernel> fast_depthwise_kernels() { return fast::kDepthwiseKernels; }
}  // namespace openrknn
