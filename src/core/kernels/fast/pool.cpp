// MaxPool, AveragePool and their global forms on channels-last floats; MaxPool and AveragePool on Int8.
#include <algorithm>

#include "core/kernels/fast/code_scale.h"
#include "core/kernels/fast/cpus.h"
#include "core/kernels/pool_taps.h"
#include "core/kernels/reference/codes.h"
#include "core/kernels/reference/window.h"
#include "core/kernels/tables.h"

namespace openrknn::fast {
namespace {

using reference::Window;

struct Pool {
  void (*run)(const PoolPixel&) = nullptr;
  Window window;
  int64_t element_bytes = 4;
  bool average = false, count_padding = false;
  int32_t zero_point = 0, empty_code = 0;  ///< averages of codes; the latter stands for 0
  std::vector<CodeScale> scales;           ///< averages of codes: one, or [count - 1] where counts differ
  int64_t tile_pixels = 1, pixels = 1;
};

bool is_global(const Call& call) { return call.node.op.starts_with("Global"); }

bool accepts_pool_floats(const Call& call) {
  const Operand &x = call.inputs[0], &y = call.outputs[0];
  return reference::window_fits(x, y) && reference::is_float(x) && reference::same_dtype(x, y);
}
bool accepts_max_codes(const Call& call) {
  const Operand &x = call.inputs[0], &y = call.outputs[0];
  return reference::window_fits(x, y) && x.dtype == DType::Int8 && y.dtype == DType::Int8 &&
         reference::same_quant(x, y);
}
bool accepts_average_codes(const Call& call) {
  const Operand &x = call.inputs[0], &y = call.outputs[0];
  if (call.ideal || !reference::is_codes(x) || !reference::is_codes(y) || !reference::is_lowered(call)) return false;
  if (!reference::window_fits(x, y)) return false;
  for (size_t i = 0; i < call.node.fixed->scale.size(); ++i) {
    if (!scale_fits(output_scale(call, i))) return false;
  }
  return element_count(ints_attribute(call.node.attributes, "kernel_shape")) <= kMostSummedCodes;
}

Pool plan_pool(const Call& call, void (*run)(const PoolPixel&), bool average) {
  Pool p;
  const Operand& x = call.inputs[0];
  std::vector<int64_t> kernel(x.shape.begin() + 1, x.shape.end() - 1);
  if (!is_global(call)) kernel = ints_attribute(call.node.attributes, "kernel_shape", kernel);
  p.run = run;
  p.window = reference::make_window(call.node, x, call.outputs[0], kernel, false);
  p.element_bytes = bit_width(x.dtype) / 8;
  p.average = average;
  p.count_padding = !is_global(call) && int_attribute(call.node.attributes, "count_include_pad", 0) != 0;
  p.pixels = p.window.out_rows() * p.window.axes[2].out;
  p.tile_pixels = std::max<int64_t>(1, (1 << 14) / std::max<int64_t>(1, p.window.out_channels));
  return p;
}
Stretches written_pixels(const Prepared& prepared, int64_t tile) {
  const Pool& p = *static_cast<const Pool*>(prepared.state.get());
  const int64_t begin = tile * p.tile_pixels, pixels = std::min(p.pixels, begin + p.tile_pixels) - begin;
  return {.first = begin * p.window.out_channels, .length = pixels * p.window.out_channels, .step = 0, .count = 1};
}
Prepared finish(Pool p) {
  const int64_t tiles = std::max<int64_t>(1, (p.pixels + p.tile_pixels - 1) / p.tile_pixels);
  const int64_t scratch = p.window.taps() * static_cast<int64_t>(sizeof(void*));
  Prepared prepared{std::make_shared<const Pool>(std::move(p)), tiles, scratch};
  prepared.written = written_pixels;
  return prepared;
}
template <const InnerLoops& kLoops>
Prepared prepare_max(const Call& call, Weights&) {
  const DType dtype = call.inputs[0].dtype;
  const auto floats = dtype == DType::Float16 ? kLoops.max_half : kLoops.max_float;
  return finish(plan_pool(call, dtype == DType::Int8 ? kLoops.max_codes : floats, false));
}
template <const InnerLoops& kLoops>
Prepared prepare_average(const Call& call, Weights&) {
  const bool half = call.inputs[0].dtype == DType::Float16;
  return finish(plan_pool(call, half ? kLoops.average_half : kLoops.average_float, true));
}
template <const InnerLoops& kLoops>
Prepared prepare_average_codes(const Call& call, Weights&) {
  Pool p = plan_pool(call, kLoops.average_codes, true);
  p.zero_point = call.inputs[0].quant->zero_point[0];
  p.empty_code = reference::CodeParams(call.outputs[0]).code(0);
  for (size_t i = 0; i < call.node.fixed->scale.size(); ++i) p.scales.push_back(code_scale_of(output_scale(call, i)));
  return finish(std::move(p));
}

int64_t counted(const reference::WindowAxis& axis, int64_t o, bool count_padding) {
  return counted_pool_taps(axis.in, axis.kernel, axis.stride, axis.dilation, axis.pad, axis.pad_end, count_padding, o);
}

/// A window that lies in the padding altogether divides by nothing: its sum of 0 becomes the code of 0.
CodeScale scale_of(const Pool& p, int64_t count) {
  if (count == 0) return {.zero_point_after = static_cast<double>(p.empty_code)};
  return p.scales[p.scales.size() == 1 ? 0 : static_cast<size_t>(count - 1)];
}

void run_pool(const Prepared& prepared, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  const Pool& p = *static_cast<const Pool*>(prepared.state.get());
  const auto& [depth, height, width] = p.window.axes;
  const void** taps = reinterpret_cast<const void**>(scratch);
  const int64_t pixel_bytes = p.window.out_channels * p.element_bytes;
  PoolPixel pixel;
  pixel.taps = taps;
  pixel.channels = p.window.out_channels;
  const int64_t end = std::min(p.pixels, (tile + 1) * p.tile_pixels);
  for (int64_t i = tile * p.tile_pixels; i < end; ++i) {
    const int64_t row = i / width.out, column = i % width.out;
    pixel.count = 0;
    for_taps(p.window, row, column,
             [&](int64_t, int64_t source) { taps[pixel.count++] = buffers[0].data + source * pixel_bytes; });
    if (p.average) {
      const int64_t count = counted(depth, row / height.out % depth.out, p.count_padding) *
                            counted(height, row % height.out, p.count_padding) *
                            counted(width, column, p.count_padding);
      pixel.divisor = static_cast<float>(count);
      pixel.start = static_cast<int32_t>(-pixel.count * p.zero_point);
      if (!p.scales.empty()) pixel.scale = scale_of(p, count);
    }
    pixel.out = buffers.back().data + i * pixel_bytes;
    p.run(pixel);
  }
}

#define ROWS(cpu, name, needs)                                                                                          \
  {"MaxPool", "max_pool_float_" name, needs, accepts_pool_floats, prepare_max<cpu::kLoops>, run_pool},                  \
      {"GlobalMaxPool", "global_max_pool_float_" name, needs, accepts_pool_floats, prepare_max<cpu::kLoops>, run_pool}, \
      {"MaxPool", "max_pool_i8_" name, needs, accepts_max_codes, prepare_max<cpu::kLoops>, run_pool},                   \
      {"AveragePool", "average_pool_float_" name, needs, accepts_pool_floats, prepare_average<cpu::kLoops>, run_pool},  \
      {"GlobalAveragePool", "global_average_pool_float_" name, needs,                                                   \
       accepts_pool_floats, prepare_average<cpu::kLoops>,      run_pool},                                               \
      {"AveragePool", "average_pool_i8_" name, needs, accepts_average_codes, prepare_average_codes<cpu::kLoops>,        \
       run_pool},
constexpr Kernel kPoolKernels[] = {OPENRKNN_FAST_CPUS(ROWS)};
#undef ROWS

}  // namespace
}  // namespace openrknn::fast

namespace openrknn {
std::span<const Kernel> fast_pool_kernels() { return fast::kPoolKernels; }
}  // namespace openrknn
