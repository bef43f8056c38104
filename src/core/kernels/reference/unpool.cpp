// ArgMaxPool, where MaxPool found its element, and MaxUnpool, which puts elements back there.
// Positions count the logical order [N, C, spatial…], whatever the layout. Exact in every dtype. The first of equal
// elements wins, as does the first NaN; taps are met in order (kd, kh, kw). A window without taps inside gives -1.
#include <string>

#include "core/kernels/reference/prepared.h"
#include "core/kernels/reference/window.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace reference {
namespace {

struct ArgMaxState {
  Body<ArgMaxState> body = nullptr;
  Window window;
  bool column_major = false;
  Tiles tiles;
  int64_t best_at = 0;
};

/// Where pixel number `pixel` (n, d, h, w) of channel 0 lies in the logical order.
int64_t logical_pixel(const Window& window, int64_t pixel, bool column_major) {
  const auto& [depth, height, width] = window.axes;
  const int64_t image = depth.in * height.in * width.in, n = pixel / image;
  int64_t within = pixel % image;
  if (column_major) {
    // The first spatial dimension counts fastest; dimensions in front that are missing have extent 1.
    const int64_t w = within % width.in, h = within / width.in % height.in, d = within / width.in / height.in;
    within = d + depth.in * (h + height.in * w);
  }
  return n * window.in_channels * image + within;
}

template <class T>
void run_arg_max(const ArgMaxState& s, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  using W = Wide<T>;
  const T* x = input<T>(buffers, 0);
  W* best = scratch_at<W>(scratch, s.best_at);
  const int64_t channels = s.window.out_channels, width = s.window.axes[2].out;
  const int64_t image = s.window.axes[0].in * s.window.axes[1].in * s.window.axes[2].in;
  for (int64_t row = s.tiles.begin(tile); row < s.tiles.end(tile); ++row) {
    for (int64_t column = 0; column < width; ++column) {
      int64_t* y = output<int64_t>(buffers) + (row * width + column) * channels;
      bool first = true;
      std::fill_n(y, channels, int64_t{-1});
      for_taps(s.window, row, column, [&](int64_t, int64_t pixel) {
        const T* from = x + pixel * channels;
        const int64_t at = logical_pixel(s.window, pixel, s.column_major);
        for (int64_t c = 0; c < channels; ++c) {
          const W value = static_cast<W>(from[c]);
          const bool wins = first || value > best[c] || (value != value && best[c] == best[c]);
          best[c] = wins ? value : best[c];
          y[c] = wins ? at + c * image : y[c];
        }
        first = false;
      });
    }
  }
}

bool accepts_arg_max(const Call& call) {
  return window_fits(call.inputs[0], call.outputs[0]) && one_of(NumberTypes{}, call.inputs[0].dtype) &&
         call.outputs[0].dtype == DType::Int64;
}
Prepared prepare_arg_max(const Call& call, Weights&) {
  const Operand& x = call.inputs[0];
  ArgMaxState s;
  const std::vector<int64_t> kernel = ints_attribute(call.node.attributes, "kernel_shape");
  s.window = make_window(call.node, x, call.outputs[0], kernel, false);
  s.column_major = int_attribute(call.node.attributes, "storage_order", 0) != 0;
  s.tiles = tile_rows(s.window.out_rows(), s.window.axes[2].out * s.window.out_channels);
  ScratchLayout scratch;
  visit(NumberTypes{}, x.dtype, [&]<class T>(Tag<T>) {
    s.body = run_arg_max<T>;
    s.best_at = scratch.add<Wide<T>>(s.window.out_channels);
  });
  return make_tiled(std::move(s), scratch.bytes());
}

struct UnpoolState {
  Body<UnpoolState> body = nullptr;
  std::string node;                                           // for messages
  int64_t elements = 0, channels = 1, pixels = 1, total = 0;  // of x; spatial positions and elements of y
};

/// One tile: positions may point anywhere. Where they repeat, the last in memory (n, pixel, c) wins.
template <class T>
void run_unpool(const UnpoolState& s, std::span<const Buffer> buffers, int64_t, std::byte*) {
  const T* x = input<T>(buffers, 0);
  const int64_t* indices = input<int64_t>(buffers, 1);
  T* y = output<T>(buffers);
  std::fill_n(y, s.total, T{});
  for (int64_t i = 0; i < s.elements; ++i) {
    const int64_t at = indices[i];
    if (at < 0 || at >= s.total) {
      fail(Code::RuntimeBadInput, Location{.node = s.node},
           "index " + std::to_string(at) + " is out of range, expected 0 to " + std::to_string(s.total - 1),
           "feed the Indices output of the MaxPool that is to be undone");
    }
    const int64_t plane = at / s.pixels, pixel = at % s.pixels;
    y[(plane / s.channels * s.pixels + pixel) * s.channels + plane % s.channels] = x[i];
  }
}

bool accepts_unpool(const Call& call) {
  const Operand &x = call.inputs[0], &indices = call.inputs[1], &y = call.outputs[0];
  return window_fits(x, y) && indices.layout == Layout::ChannelsLast && same_dtype(x, y) && !x.quant && !y.quant &&
         whole_bytes(x.dtype) != 0 && indices.dtype == DType::Int64;
}
Prepared prepare_unpool(const Call& call, Weights&) {
  UnpoolState s;
  s.node = call.node.name;
  s.elements = element_count(call.inputs[0].shape);
  s.total = element_count(call.outputs[0].shape);
  s.channels = call.outputs[0].shape.back();
  for (size_t d = 1; d + 1 < call.outputs[0].shape.size(); ++d) s.pixels *= call.outputs[0].shape[d];
  visit_size(whole_bytes(call.inputs[0].dtype), [&]<class T>(Tag<T>) { s.body = run_unpool<T>; });
  return make_prepared(std::move(s), 1);
}

constexpr Kernel kUnpoolKernels[] = {
    {"ArgMaxPool", "arg_max_pool_reference", 0, accepts_arg_max, prepare_arg_max, run_body<ArgMaxState>},
    {"MaxUnpool", "max_unpool_reference", 0, accepts_unpool, prepare_unpool, run_body<UnpoolState>},
};

}  // namespace
}  // namespace reference

std::span<const Kernel> reference_unpool_kernels() { return reference::kUnpoolKernels; }

}  // namespace openrknn
