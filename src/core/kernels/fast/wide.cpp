// Conv, ConvTranspose and MatMul of Int16 codes: the sums of wide_loops.h, then the output stage of the reference. What
// an output pixel multiplies is copied to one row first; the products are worth it. Channel by channel convolutions
// have a loop of their own.
#include "core/kernels/fast/cpus.h"
#include "core/kernels/fast/product.h"
#include "core/kernels/reference/codes.h"
#include "core/kernels/reference/window.h"
#include "core/kernels/tables.h"

namespace openrknn::fast {
namespace {

using reference::present;
using reference::Window;

constexpr int64_t kRowBlock = 32;  // output pixels whose inputs are copied together

struct WideProduct {
  const WideGemm* gemm = nullptr;
  OutputStage stage;
  Weights::Packed weights;                     // [group][panel][pair of k][high, low][lanes]
  std::vector<int64_t> offset;                 // per output: bias and the zero point terms
  std::vector<int32_t> weight_zero_point;      // per output
  int64_t depth = 1, columns = 1, groups = 1;  // of one group
  int16_t padding = 0;
  Window window;           // convolutions
  bool is_matmul = false;  // rows are read where they lie
  int64_t rows = 0;        // of a MatMul

  int64_t pairs() const { return (depth + 1) / 2; }
  int64_t panels() const { return (columns + gemm->lanes - 1) / gemm->lanes; }
  int64_t panel_bytes() const { return pairs() * gemm->lanes * 8; }
  int64_t inputs_bytes() const { return is_matmul ? 0 : (kRowBlock * 2 * pairs() * 2 + 127) / 64 * 64; }
};

/// Weight of output `column` of `group` at k.
template <class WeightAt>
std::vector<std::byte> packed_panels(const WideProduct& p, WeightAt weight_at) {
  const int64_t lanes = p.gemm->lanes;
  std::vector<std::byte> bytes(static_cast<size_t>(p.groups * p.panels() * p.panel_bytes()));
  auto* to = reinterpret_cast<int16_t*>(bytes.data());
  for (int64_t group = 0; group < p.groups; ++group) {
    for (int64_t panel = 0; panel < p.panels(); ++panel) {
      for (int64_t pair = 0; pair < p.pairs(); ++pair, to += 4 * lanes) {
        for (int64_t i = 0; i < 2 * lanes; ++i) {
          const int64_t lane = p.gemm->interleaved ? i / 2 : i % lanes, part = p.gemm->interleaved ? i % 2 : i / lanes;
          const int64_t column = panel * lanes + lane, k = 2 * pair + part;
          const int32_t w = column < p.columns && k < p.depth ? weight_at(group, column, k) : 0;
          to[i] = static_cast<int16_t>(w >> 8);
          to[2 * lanes + i] = static_cast<int16_t>(w & 0xff);
        }
      }
    }
  }
  return bytes;
}

/// The columns of `group` for `count` rows of codes, `stride` apart; outputs[row] is the group's first column.
void multiply(const WideProduct& p, int64_t group, const int16_t* rows, int64_t stride, int64_t count,
              int16_t* const* outputs, int64_t* sums) {
  int64_t row_sums[kRowBlock];
  for (int64_t row = 0; row < count; ++row) {
    int64_t sum = 0;
    for (int64_t k = 0; k < p.depth; ++k) sum += rows[row * stride + k];
    row_sums[row] = sum;
  }
  const int64_t lanes = p.gemm->lanes;
  WideTile tile{.inputs = rows, .row_stride = stride, .rows = count, .pairs = p.pairs(), .sums = sums};
  for (int64_t panel = 0; panel < p.panels(); ++panel) {
    tile.weights = p.weights->data() + (group * p.panels() + panel) * p.panel_bytes();
    p.gemm->run(tile);
    const int64_t first = panel * lanes, end = std::min(lanes, p.columns - first);
    for (int64_t row = 0; row < count; ++row) {
      for (int64_t lane = 0; lane < end; ++lane) {
        const int64_t c = group * p.columns + first + lane;
        const auto at = static_cast<size_t>(c);
        // Σ (x-zx)(w-zw) + b = Σ xw - zw Σx + [b - zx Σw + n zx zw]
        const int64_t acc = sums[row * lanes + lane] - p.weight_zero_point[at] * row_sums[row] + p.offset[at];
        outputs[row][first + lane] = static_cast<int16_t>(p.stage.code(acc, c));
      }
    }
  }
}

/// One line of output pixels.
void run_conv(const WideProduct& p, std::span<const Buffer> buffers, int64_t line, std::byte* scratch) {
  const auto* x = reference::input<int16_t>(buffers, 0);
  auto* y = reference::output<int16_t>(buffers);
  auto* rows = reinterpret_cast<int16_t*>(scratch);
  auto* sums = reinterpret_cast<int64_t*>(scratch + p.inputs_bytes());
  const int64_t stride = 2 * p.pairs(), width = p.window.axes[2].out, inputs = p.window.in_channels / p.groups;
  for (int64_t first = 0; first < width; first += kRowBlock) {
    const int64_t count = std::min(kRowBlock, width - first);
    for (int64_t group = 0; group < p.groups; ++group) {
      int16_t* outputs[kRowBlock];
      for (int64_t i = 0; i < count; ++i) {
        int16_t* row = rows + i * stride;
        std::fill_n(row, stride, p.padding);  // real 0
        for_taps(p.window, line, first + i, [&](int64_t tap, int64_t pixel) {
          std::copy_n(x + pixel * p.window.in_channels + group * inputs, inputs, row + tap * inputs);
        });
        outputs[i] = y + (line * width + first + i) * p.window.out_channels + group * p.columns;
      }
      multiply(p, group, rows, stride, count, outputs, sums);
    }
  }
}
void run_matmul(const WideProduct& p, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  const int64_t first = tile * kRowBlock, count = std::min(kRowBlock, p.rows - first);
  int16_t* outputs[kRowBlock];
  for (int64_t i = 0; i < count; ++i) {
    outputs[i] = reference::output<int16_t>(buffers) + (first + i) * p.columns;
  }
  // With an odd depth the last pair reads the code behind the row; its weight is 0.
  multiply(p, 0, reference::input<int16_t>(buffers, 0) + first * p.depth, p.depth, count, outputs,
           reinterpret_cast<int64_t*>(scratch));
}
void run_wide(const Prepared& prepared, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  const auto& p = *static_cast<const WideProduct*>(prepared.state.get());
  (p.is_matmul ? run_matmul : run_conv)(p, buffers, tile, scratch);
}

bool fits_wide(const Call& call) {
  const Operand &x = call.inputs[0], &w = call.inputs[1];
  return !call.ideal && x.dtype == DType::Int16 && reference::is_coded_as(x, call.outputs[0]) &&
         w.dtype == DType::Int16 && w.quant != nullptr && w.constant != nullptr && reference::is_lowered(call) &&
         reference::bias_fits(call) && (!present(call.inputs, 2) || call.inputs[2].constant != nullptr);
}
bool accepts_wide_conv(const Call& call) {
  const Shape& w = call.inputs[1].shape;
  if (!fits_wide(call) || !reference::window_fits(call.inputs[0], call.outputs[0]) ||
      w.size() != call.inputs[0].shape.size()) {
    return false;
  }
  const int64_t groups = int_attribute(call.node.attributes, "group", 1);
  return (reference::is_transposed(call) ? w[1] : w[0] / groups) >= kLeastPanelColumns;
}
bool accepts_wide_matmul(const Call& call) {
  const Operand &a = call.inputs[0], &b = call.inputs[1];
  if (!fits_wide(call) || a.shape.empty() || b.shape.size() != 2 || b.shape[1] < kLeastPanelColumns) return false;
  return b.quant->scale.size() == 1 || b.quant->axis == 1;
}

/// Output stage, offsets and packed weights; geometry is known.
template <class WeightAt>
void finish(WideProduct& p, const Call& call, Weights& cache, WeightAt weight_at) {
  const std::vector<int32_t>& zero_points = call.inputs[1].quant->zero_point;
  const int64_t zx = call.inputs[0].quant->zero_point[0];
  p.stage = output_stage(call, call.inputs[0], call.inputs[1]);
  p.padding = static_cast<int16_t>(zx);
  for (int64_t group = 0; group < p.groups; ++group) {
    for (int64_t column = 0; column < p.columns; ++column) {
      const auto c = static_cast<size_t>(group * p.columns + column);
      // One, one per output, or (transposed convolution) one per output of a group.
      const int64_t zw = zero_points[c % zero_points.size()];
      int64_t sum = 0;
      for (int64_t k = 0; k < p.depth; ++k) sum += weight_at(group, column, k);
      const int64_t bias = present(call.inputs, 2) ? saturate48(call.inputs[2].constant->values<int64_t>()[c]) : 0;
      p.offset.push_back(bias - zx * sum + p.depth * zx * zw);
      p.weight_zero_point.push_back(static_cast<int32_t>(zw));
    }
  }
  const std::string key = "fast_wide " + call.node.op + ' ' + std::to_string(p.groups) + ' ' +
                          std::to_string(p.gemm->lanes) + ' ' + Weights::identity(*call.inputs[1].constant);
  p.weights = cache.get(key, [&] { return packed_panels(p, weight_at); });
}
Prepared prepared_of(WideProduct p, int64_t tiles) {
  const int64_t scratch = p.inputs_bytes() + kRowBlock * p.gemm->lanes * static_cast<int64_t>(sizeof(int64_t));
  return {std::make_shared<const WideProduct>(std::move(p)), tiles, scratch, -1, kPackedInputs};
}

template <const InnerLoops& kLoops>
Prepared prepare_wide_conv(const Call& call, Weights& cache) {
  const Shape& w = call.inputs[1].shape;
  const bool transposed = reference::is_transposed(call);
  const std::vector<int64_t> kernel(w.begin() + 2, w.end());
  WideProduct p;
  p.gemm = &kLoops.gemm_wide;
  p.window = reference::make_window(call.node, call.inputs[0], call.outputs[0], kernel, transposed);
  p.groups = int_attribute(call.node.attributes, "group", 1);
  p.columns = p.window.out_channels / p.groups;
  const int64_t inputs = p.window.in_channels / p.groups, taps = p.window.taps();
  p.depth = taps * inputs;
  const std::span<const int16_t> values = call.inputs[1].constant->values<int16_t>();
  finish(p, call, cache, [&](int64_t group, int64_t column, int64_t k) {
    const int64_t tap = k / inputs, channel = k % inputs;
    const int64_t pair =
        transposed ? (group * inputs + channel) * p.columns + column : (group * p.columns + column) * inputs + channel;
    return values[static_cast<size_t>(pair * taps + tap)];
  });
  const int64_t lines = p.window.out_rows();
  return prepared_of(std::move(p), lines);
}

template <const InnerLoops& kLoops>
Prepared prepare_wide_matmul(const Call& call, Weights& cache) {
  WideProduct p;
  p.gemm = &kLoops.gemm_wide;
  p.is_matmul = true;
  p.depth = call.inputs[1].shape[0];
  p.columns = call.inputs[1].shape[1];
  p.rows = p.depth == 0 ? 0 : element_count(call.inputs[0].shape) / p.depth;
  const std::span<const int16_t> values = call.inputs[1].constant->values<int16_t>();
  finish(p, call, cache,
         [&](int64_t, int64_t column, int64_t k) { return values[static_cast<size_t>(k * p.columns + column)]; });
  const int64_t tiles = (p.rows + kRowBlock - 1) / kRowBlock;
  return prepared_of(std::move(p), tiles);
}

// ---- Channel by channel: taps over all channels at once, on any CPU ----

struct WideDepthwise {
  Window window;
  OutputStage stage;
  int32_t input_zero_point = 0;
  std::vector<int32_t> weights;  // [tap][channel], zero points taken off
  std::vector<int64_t> bias;
};

void run_wide_depthwise(const Prepared& prepared, std::span<const Buffer> buffers, int64_t line, std::byte* scratch) {
  const auto& d = *static_cast<const WideDepthwise*>(prepared.state.get());
  const auto* x = reference::input<int16_t>(buffers, 0);
  const int64_t width = d.window.axes[2].out, channels = d.window.out_channels;
  auto* y = reference::output<int16_t>(buffers) + line * width * channels;
  auto* sums = reinterpret_cast<int64_t*>(scratch);
  for (int64_t column = 0; column < width; ++column, y += channels) {
    std::copy_n(d.bias.data(), channels, sums);
    for_taps(d.window, line, column, [&](int64_t tap, int64_t pixel) {
      const int16_t* in = x + pixel * channels;
      const int32_t* w = d.weights.data() + tap * channels;
      for (int64_t c = 0; c < channels; ++c) sums[c] += int64_t{in[c] - d.input_zero_point} * w[c];
    });
    for (int64_t c = 0; c < channels; ++c) y[c] = static_cast<int16_t>(d.stage.code(sums[c], c));
  }
}

bool accepts_depthwise(const Call& call) {
  const Shape &x = call.inputs[0].shape, &w = call.inputs[1].shape;
  return fits_wide(call) && reference::window_fits(call.inputs[0], call.outputs[0]) && w.size() == x.size() &&
         w[1] == 1 && w[0] == x.back() && int_attribute(call.node.attributes, "group", 1) == w[0];
}
Prepared prepare_depthwise(const Call& call, Weights&) {
  const Shape& w = call.inputs[1].shape;
  const std::vector<int64_t> kernel(w.begin() + 2, w.end());
  WideDepthwise d;
  d.window = reference::make_window(call.node, call.inputs[0], call.outputs[0], kernel, false);
  d.stage = output_stage(call, call.inputs[0], call.inputs[1]);
  d.input_zero_point = call.inputs[0].quant->zero_point[0];
  const std::vector<int32_t>& zero_points = call.inputs[1].quant->zero_point;
  const std::span<const int16_t> values = call.inputs[1].constant->values<int16_t>();
  const auto channels = static_cast<size_t>(w[0]), taps = static_cast<size_t>(d.window.taps());
  for (size_t tap = 0; tap < taps; ++tap) {
    for (size_t c = 0; c < channels; ++c) {
      d.weights.push_back(values[c * taps + tap] - zero_points[c % zero_points.size()]);
    }
  }
  d.bias.assign(channels, 0);
  for (size_t c = 0; c < channels && present(call.inputs, 2); ++c) {
    d.bias[c] = saturate48(call.inputs[2].constant->values<int64_t>()[c]);
  }
  const int64_t lines = d.window.out_rows(), scratch = w[0] * static_cast<int64_t>(sizeof(int64_t));
  return {std::make_shared<const WideDepthwise>(std::move(d)), lines, scratch, -1, kPackedInputs};
}

#define ROWS(cpu, name, needs)                                                                                           \
  {"Conv", "conv_i16_" name, needs, accepts_wide_conv, prepare_wide_conv<cpu::kLoops>, run_wide},                        \
      {"ConvTranspose", "conv_transpose_i16_" name, needs, accepts_wide_conv, prepare_wide_conv<cpu::kLoops>, run_wide}, \
      {"MatMul", "matmul_i16_" name, needs, accepts_wide_matmul, prepare_wide_matmul<cpu::kLoops>, run_wide},
constexpr Kernel kWideKernels[] = {
    {"Conv", "depthwise_i16", 0, accepts_depthwise, prepare_depthwise, run_wide_depthwise}, OPENRKNN_FAST_CPUS(ROWS)};
#undef ROWS

}  // namespace
}  // namespace openrknn::fast

namespace openrknn {
std::span<const Kernel> fast_wide_kernels() { return fast::kWideKernels; }
}  // namespace openrknn
