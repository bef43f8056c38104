// MaxPool, AveragePool, GlobalMaxPool, GlobalAveragePool.
// Float rule (docs/arithmetic.md): averages add the taps inside the input to one float32 accumulator per output, from
// +0, in order (kd, kh, kw), and divide once by the count. The maximum is exact in every dtype; NaN wins.
#include <limits>

#include "core/kernels/reference/prepared.h"
#include "core/kernels/reference/window.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace reference {
namespace {

struct PoolState {
  Body<PoolState> body = nullptr;
  Window window;
  bool count_padding = false;
  Tiles tiles;
};

template <class T>
constexpr Wide<T> lowest() {
  using W = Wide<T>;
  if constexpr (std::numeric_limits<W>::has_infinity) return -std::numeric_limits<W>::infinity();
  return std::numeric_limits<W>::lowest();
}

template <class T>
void run_max(const PoolState& s, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  using W = Wide<T>;
  const T* x = input<T>(buffers, 0);
  T* y = output<T>(buffers);
  W* best = reinterpret_cast<W*>(scratch);
  const int64_t channels = s.window.out_channels, width = s.window.axes[2].out;
  for (int64_t row = s.tiles.begin(tile); row < s.tiles.end(tile); ++row) {
    for (int64_t column = 0; column < width; ++column) {
      std::fill_n(best, channels, lowest<T>());
      for_taps(s.window, row, column, [&](int64_t, int64_t pixel) {
        const T* from = x + pixel * channels;
        for (int64_t c = 0; c < channels; ++c) {
          const W value = static_cast<W>(from[c]);
          best[c] = (value > best[c]) | (value != value) ? value : best[c];
        }
      });
      T* to = y + (row * width + column) * channels;
      for (int64_t c = 0; c < channels; ++c) to[c] = static_cast<T>(best[c]);
    }
  }
}

/// Taps of output position `o` that count: those inside the input, or also those on declared padding. A window that
/// ceil_mode lets reach beyond the padding never counts what lies there.
int64_t counted_taps(const WindowAxis& axis, int64_t o, bool count_padding) {
  int64_t count = 0;
  for (int64_t k = 0; k < axis.kernel; ++k) {
    const int64_t i = o * axis.stride - axis.pad + k * axis.dilation;
    count += count_padding ? i < axis.in + axis.pad_end : i >= 0 && i < axis.in;
  }
  return count;
}

template <class T>
void run_average(const PoolState& s, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  const T* x = input<T>(buffers, 0);
  T* y = output<T>(buffers);
  float* sums = reinterpret_cast<float*>(scratch);
  const auto& [depth, height, width] = s.window.axes;
  const int64_t channels = s.window.out_channels;
  for (int64_t row = s.tiles.begin(tile); row < s.tiles.end(tile); ++row) {
    const int64_t row_count = counted_taps(depth, row / height.out % depth.out, s.count_padding) *
                              counted_taps(height, row % height.out, s.count_padding);
    for (int64_t column = 0; column < width.out; ++column) {
      std::fill_n(sums, channels, 0.0f);
      for_taps(s.window, row, column, [&](int64_t, int64_t pixel) {
        const T* from = x + pixel * channels;
        for (int64_t c = 0; c < channels; ++c) sums[c] += static_cast<float>(from[c]);
      });
      const float count = static_cast<float>(row_count * counted_taps(width, column, s.count_padding));
      T* to = y + (row * width.out + column) * channels;
      for (int64_t c = 0; c < channels; ++c) to[c] = static_cast<T>(sums[c] / count);
    }
  }
}

bool fits_pool(const Call& call) {
  return window_fits(call.inputs[0], call.outputs[0]) && same_dtype(call.inputs[0], call.outputs[0]);
}
bool accepts_max(const Call& call) {
  return fits_pool(call) && one_of(NumberTypes{}, call.inputs[0].dtype) && same_quant(call.inputs[0], call.outputs[0]);
}
bool accepts_average(const Call& call) { return fits_pool(call) && is_float(call.inputs[0]); }

/// The window of a global pool is the whole input.
Window pool_window(const Call& call, bool global) {
  const Operand& x = call.inputs[0];
  std::vector<int64_t> kernel(x.shape.begin() + 1, x.shape.end() - 1);
  if (!global) kernel = ints_attribute(call.node.attributes, "kernel_shape", kernel);
  return make_window(call.node, x, call.outputs[0], kernel, false);
}

Prepared finish(PoolState s, int64_t scratch) {
  s.tiles = tile_rows(s.window.out_rows(), s.window.axes[2].out * s.window.out_channels);
  return make_tiled(std::move(s), scratch);
}
template <bool global>
Prepared prepare_max(const Call& call, Weights&) {
  PoolState s;
  s.window = pool_window(call, global);
  int64_t scratch = 0;
  visit(NumberTypes{}, call.inputs[0].dtype, [&]<class T>(Tag<T>) {
    s.body = run_max<T>;
    scratch = s.window.out_channels * static_cast<int64_t>(sizeof(Wide<T>));
  });
  return finish(std::move(s), scratch);
}
template <bool global>
Prepared prepare_average(const Call& call, Weights&) {
  PoolState s;
  s.window = pool_window(call, global);
  s.count_padding = !global && int_attribute(call.node.attributes, "count_include_pad", 0) != 0;
  visit(FloatTypes{}, call.inputs[0].dtype, [&]<class T>(Tag<T>) { s.body = run_average<T>; });
  const int64_t scratch = s.window.out_channels * static_cast<int64_t>(sizeof(float));
  return finish(std::move(s), scratch);
}

constexpr Kernel kPoolKernels[] = {
    {"MaxPool", "max_pool_reference", 0, accepts_max, prepare_max<false>, run_body<PoolState>},
    {"GlobalMaxPool", "global_max_pool_reference", 0, accepts_max, prepare_max<true>, run_body<PoolState>},
    {"AveragePool", "average_pool_reference", 0, accepts_average, prepare_average<false>, run_body<PoolState>},
    {"GlobalAveragePool", "global_average_pool_reference", 0, accepts_average, prepare_average<true>,
     run_body<PoolState>},
};

}  // namespace
}  // namespace reference

std::span<const Kernel> reference_pool_kernels() { return reference::kPoolKernels; }

}  // namespace openrknn
