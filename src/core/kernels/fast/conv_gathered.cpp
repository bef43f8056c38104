// Conv and ConvTranspose over three dimensions on floats: what an output pixel multiplies is gathered to one row first,
// then all rows of a tile are one product. The products are worth the copy.
#include <algorithm>
#include <cmath>
#include <string>

#include "core/kernels/fast/cpus.h"
#include "core/kernels/fast/product.h"
#include "core/kernels/reference/prepared.h"
#include "core/kernels/reference/window.h"
#include "core/kernels/tables.h"

namespace openrknn::fast {
namespace {

using reference::present;
using reference::Window;

constexpr int64_t kMostGatheredRows = 48;

struct GatheredConv {
  const InnerLoops* loops = nullptr;
  const Gemm* gemm = nullptr;
  Window window;
  bool half = false;
  int64_t rows = 1, depth = 1, columns = 1, groups = 1;  // depth and columns: of one group
  Weights::Packed weights;                               // [group][panel][k][columns of a panel]
  std::vector<float> bias;                               // [group][padded columns]
  Activation activation;
  int64_t row_block = 1, row_blocks = 1;
  int64_t rows_at = 0, inputs_at = 0, outputs_at = 0, partial_at = 0;

  int64_t panel_columns() const { return 2 * gemm->lanes; }
  int64_t panels() const { return (columns + panel_columns() - 1) / panel_columns(); }
  int64_t panel_bytes() const { return depth * panel_columns() * static_cast<int64_t>(sizeof(float)); }
  int64_t channels() const { return window.in_channels / groups; }
};

int64_t groups_of(const Call& call) { return int_attribute(call.node.attributes, "group", 1); }
bool accepts_conv_gathered(const Call& call) {
  const Operand& w = call.inputs[1];
  return reference::window_fits(call.inputs[0], call.outputs[0]) && call.inputs[0].shape.size() == 5 &&
         element_count(call.outputs[0].shape) > 0 && w.constant != nullptr && floats_fit(call) &&
         (!present(call.inputs, 2) || call.inputs[2].constant != nullptr) &&
         (reference::is_transposed(call) ? w.shape[1] : w.shape[0] / groups_of(call)) >= kLeastPanelColumns;
}

/// [O, I/g, k…] of Conv or [I, O/g, k…] of ConvTranspose.
template <class T>
std::vector<std::byte> packed_panels(const GatheredConv& s, const T* values, bool transposed) {
  std::vector<std::byte> bytes(static_cast<size_t>(s.groups * s.panels() * s.panel_bytes() + 64));
  const int64_t taps = s.window.taps(), channels = s.channels(), lanes = s.gemm->lanes;
  for (int64_t g = 0; g < s.groups; ++g) {
    for (int64_t c = 0; c < s.columns; ++c) {
      const int64_t panel = c / s.panel_columns(), first = panel * s.panel_columns();
      const int64_t width = s.columns - first > lanes ? 2 * lanes : lanes;  // of this panel
      auto* to = reinterpret_cast<float*>(bytes.data() + (g * s.panels() + panel) * s.panel_bytes()) + c - first;
      for (int64_t tap = 0; tap < taps; ++tap) {
        for (int64_t channel = 0; channel < channels; ++channel, to += width) {
          const int64_t pair =
              transposed ? (g * channels + channel) * s.columns + c : (g * s.columns + c) * channels + channel;
          *to = static_cast<float>(values[pair * taps + tap]);
        }
      }
    }
  }
  return bytes;
}

template <const InnerLoops& kLoops>
Prepared prepare_conv_gathered(const Call& call, Weights& cache) {
  const Tensor& w = *call.inputs[1].constant;
  const std::vector<int64_t> kernel(w.shape().begin() + 2, w.shape().end());
  GatheredConv s;
  s.loops = &kLoops;
  s.gemm = &kLoops.gemm_float;
  s.window = reference::make_window(call.node, call.inputs[0], call.outputs[0], kernel, reference::is_transposed(call));
  s.half = call.inputs[0].dtype == DType::Float16;
  s.groups = groups_of(call);
  s.columns = s.window.out_channels / s.groups;
  s.depth = s.window.taps() * s.channels();
  s.rows = s.window.out_rows() * s.window.axes[2].out;
  s.activation = *loop_activation(call.node);
  const std::string key = "fast_gathered " + call.node.op + ' ' + std::to_string(s.groups) + ' ' +
                          std::to_string(s.gemm->lanes) + ' ' + Weights::identity(w);
  s.weights = cache.get(key, [&] {
    std::vector<std::byte> bytes;
    reference::visit(reference::FloatTypes{}, w.dtype(), [&]<class T>(reference::Tag<T>) {
      bytes = packed_panels(s, reinterpret_cast<const T*>(w.bytes().data()), reference::is_transposed(call));
    });
    return bytes;
  });
  if (present(call.inputs, 2)) {
    const std::vector<double> values = to_doubles(*call.inputs[2].constant);
    const int64_t padded = s.panels() * s.panel_columns();
    s.bias.resize(static_cast<size_t>(s.groups * padded));
    for (int64_t c = 0; c < s.window.out_channels; ++c) {
      s.bias[static_cast<size_t>(c / s.columns * padded + c % s.columns)] =
          static_cast<float>(values[static_cast<size_t>(c)]);
    }
  }
  const int64_t blocks = (s.rows + kMostGatheredRows - 1) / kMostGatheredRows;
  s.row_block = (s.rows + blocks - 1) / blocks;
  s.row_blocks = (s.rows + s.row_block - 1) / s.row_block;
  reference::ScratchLayout scratch;
  s.rows_at = scratch.add<float>(s.row_block * s.depth);
  s.inputs_at = scratch.add<void*>(s.row_block);
  s.outputs_at = scratch.add<void*>(s.row_block);
  s.partial_at = scratch.add<float>(s.row_block * s.panel_columns());
  const int64_t tiles = s.groups * s.row_blocks;
  return {std::make_shared<const GatheredConv>(std::move(s)), tiles, scratch.bytes(), -1, 0b110};
}

void run_conv_gathered(const Prepared& prepared, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  const auto& s = *static_cast<const GatheredConv*>(prepared.state.get());
  const int64_t group = tile / s.row_blocks, first = tile % s.row_blocks * s.row_block;
  const int64_t count = std::min(s.row_block, s.rows - first), width = s.window.axes[2].out, channels = s.channels();
  const int64_t bytes = s.half ? 2 : 4;
  float* row = reference::scratch_at<float>(scratch, s.rows_at);
  auto** inputs = reference::scratch_at<const void*>(scratch, s.inputs_at);
  auto** outputs = reference::scratch_at<void*>(scratch, s.outputs_at);
  for (int64_t i = 0; i < count; ++i, row += s.depth) {
    std::fill_n(row, s.depth, 0.0f);
    for_taps(s.window, (first + i) / width, (first + i) % width, [&](int64_t tap, int64_t pixel) {
      const std::byte* from = buffers[0].data + (pixel * s.window.in_channels + group * channels) * bytes;
      if (s.half)
        s.loops->half_to_float(reinterpret_cast<const uint16_t*>(from), row + tap * channels, channels);
      else
        std::copy_n(reinterpret_cast<const float*>(from), channels, row + tap * channels);
    });
    inputs[i] = row;
    outputs[i] = buffers.back().data + ((first + i) * s.window.out_channels + group * s.columns) * bytes;
  }
  const int64_t blocks = (count + s.gemm->rows - 1) / s.gemm->rows;
  GemmTile task;
  task.inputs = inputs;
  task.rows = count;
  task.block_rows = (count + blocks - 1) / blocks;
  task.runs = 1;
  task.run_length = s.depth;
  task.weights = s.weights->data() + group * s.panels() * s.panel_bytes();
  task.columns = s.columns;
  task.outputs = outputs;
  task.partial = scratch + s.partial_at;
  task.bias = s.bias.empty() ? nullptr : s.bias.data() + group * s.panels() * s.panel_columns();
  task.activation = s.activation;
  task.half = s.half;
  s.gemm->run(task);
}

#define ROWS(cpu, name, needs)                                                                                      \
  {"Conv",           "conv_gathered_float_" name, needs, accepts_conv_gathered, prepare_conv_gathered<cpu::kLoops>, \
   run_conv_gathered},                                                                                              \
      {"ConvTranspose",       "conv_transpose_gathered_float_" name, needs,                                         \
       accepts_conv_gathered, prepare_conv_gathered<cpu::kLoops>,    run_conv_gathered},
constexpr Kernel kConvGatheredKernels[] = {OPENRKNN_FAST_CPUS(ROWS)};
#undef ROWS

}  // namespace
}  // namespace openrknn::fast

namespace openrknn {
std::span<const Kernel> fast_conv_gathered_kernels() { return fast::kConvGatheredKernels; }
}  // namespace openrknn
