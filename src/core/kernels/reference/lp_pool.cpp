// LpPool: (sum |x|^p)^(1/p) of each window.
// Float rule (docs/arithmetic.md): one float32 accumulator per output, from +0, taps inside the input in order
// (kd, kh, kw), every operation rounded, none fused. p = 1 takes neither power nor root, p = 2 products and IEEE's
// square root, any other p power().
#include <cmath>

#include "core/kernels/reference/power.h"
#include "core/kernels/reference/prepared.h"
#include "core/kernels/reference/window.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace reference {
namespace {

struct LpPoolState {
  Body<LpPoolState> body = nullptr;
  Window window;
  float p = 2.0f;
  Tiles tiles;
};

struct First {
  static float raise(float x, float) { return std::fabs(x); }
  static float root(float x, float) { return x; }
};
struct Second {
  static float raise(float x, float) { return x * x; }
  static float root(float x, float) { return std::sqrt(x); }
};
struct Other {
  static float raise(float x, float p) { return power(std::fabs(x), p); }
  static float root(float x, float p) { return power(x, 1.0f / p); }
};

template <class T, class Norm>
void run_lp_pool(const LpPoolState& s, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  const T* x = input<T>(buffers, 0);
  T* y = output<T>(buffers);
  float* sums = reinterpret_cast<float*>(scratch);
  const int64_t channels = s.window.out_channels, width = s.window.axes[2].out;
  for (int64_t row = s.tiles.begin(tile); row < s.tiles.end(tile); ++row) {
    for (int64_t column = 0; column < width; ++column) {
      std::fill_n(sums, channels, 0.0f);
      for_taps(s.window, row, column, [&](int64_t, int64_t pixel) {
        const T* from = x + pixel * channels;
        for (int64_t c = 0; c < channels; ++c) sums[c] += Norm::raise(static_cast<float>(from[c]), s.p);
      });
      T* to = y + (row * width + column) * channels;
      for (int64_t c = 0; c < channels; ++c) to[c] = static_cast<T>(Norm::root(sums[c], s.p));
    }
  }
}

bool accepts_lp_pool(const Call& call) {
  return window_fits(call.inputs[0], call.outputs[0]) && same_dtype(call.inputs[0], call.outputs[0]) &&
         is_float(call.inputs[0]);
}
Prepared prepare_lp_pool(const Call& call, Weights&) {
  const int64_t p = int_attribute(call.node.attributes, "p", 2);
  LpPoolState s;
  const std::vector<int64_t> kernel = ints_attribute(call.node.attributes, "kernel_shape");
  s.window = make_window(call.node, call.inputs[0], call.outputs[0], kernel, false);
  s.p = static_cast<float>(p);
  s.tiles = tile_rows(s.window.out_rows(), s.window.axes[2].out * s.window.out_channels);
  visit(FloatTypes{}, call.inputs[0].dtype, [&]<class T>(Tag<T>) {
    s.body = p == 1 ? run_lp_pool<T, First> : p == 2 ? run_lp_pool<T, Second> : run_lp_pool<T, Other>;
  });
  const int64_t tiles = s.tiles.count(), scratch = s.window.out_channels * static_cast<int64_t>(sizeof(float));
  return make_prepared(std::move(s), tiles, scratch);
}

constexpr Kernel kLpPoolKernels[] = {
    {"LpPool", "lp_pool_reference", 0, accepts_lp_pool, prepare_lp_pool, run_body<LpPoolState>}};

}  // namespace
}  // namespace reference

std::span<const Kernel> reference_lp_pool_kernels() { return reference::kLpPoolKernels; }

}  // namespace openrknn
