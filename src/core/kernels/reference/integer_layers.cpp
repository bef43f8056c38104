// MatMul and Conv on integers that stand for themselves: exact, wrapping around like two's complement. They are what
// MatMulInteger, ConvInteger and QLinearMatMul of ONNX become, zero points subtracted.
#include <type_traits>

#include "core/kernels/reference/broadcast.h"
#include "core/kernels/reference/prepared.h"
#include "core/kernels/reference/window.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace reference {
namespace {

using LayerTypes = Types<int32_t, uint32_t, int64_t, uint64_t>;

bool is_plain_layer(const Call& call) {
  const Operand &x = call.inputs[0], &y = call.outputs[0];
  const bool biased = present(call.inputs, 2);
  return one_of(LayerTypes{}, x.dtype) && !x.quant && !y.quant && same_dtype(x, y) && same_dtype(call.inputs[1], y) &&
         (!biased || same_dtype(call.inputs[2], y)) && !has_attribute(call.node.attributes, "activation");
}

// ---- MatMul ----

struct ProductState {
  Body<ProductState> body = nullptr;
  Broadcast batches;  // matrices: which of a (operand 0) and of b (operand 1) make matrix i of y
  int64_t m = 1, k = 1, n = 1, row_blocks = 1, row_block = 1;
  bool biased = false;
};

/// T is unsigned: overflow wraps, and the low bits of sums and products do not depend on the sign.
template <class T>
void run_product(const ProductState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  const int64_t batch = tile / s.row_blocks, begin = tile % s.row_blocks * s.row_block;
  const int64_t end = std::min(s.m, begin + s.row_block);
  for_rows(s.batches, batch, batch + 1, [&](int64_t, int64_t, const std::array<int64_t, kMaxOperands>& matrix) {
    const T* a = input<T>(buffers, 0) + matrix[0] * s.m * s.k;
    const T* b = input<T>(buffers, 1) + matrix[1] * s.k * s.n;
    T* y = output<T>(buffers) + batch * s.m * s.n;
    for (int64_t row = begin; row < end; ++row) {
      T* sums = y + row * s.n;
      for (int64_t n = 0; n < s.n; ++n) sums[n] = s.biased ? input<T>(buffers, 2)[n] : T{0};
      for (int64_t k = 0; k < s.k; ++k) {
        const T value = a[row * s.k + k];
        for (int64_t n = 0; n < s.n; ++n) sums[n] += value * b[k * s.n + n];
      }
    }
  });
}

bool accepts_product(const Call& call) {
  return is_plain_layer(call) && !call.inputs[0].shape.empty() && !call.inputs[1].shape.empty();
}
Prepared prepare_product(const Call& call, Weights&) {
  const Shape &a = call.inputs[0].shape, &b = call.inputs[1].shape;
  const auto batch_shape = [](const Shape& shape) {
    return shape.size() > 2 ? Shape(shape.begin(), shape.end() - 2) : Shape{};
  };
  ProductState s;
  s.m = a.size() >= 2 ? a[a.size() - 2] : 1;
  s.k = a.back();
  s.n = b.size() >= 2 ? b.back() : 1;
  s.biased = present(call.inputs, 2);
  const Shape a_batch = batch_shape(a), b_batch = batch_shape(b);
  s.batches = Broadcast(*broadcast(a_batch, b_batch), {&a_batch, &b_batch});
  s.row_block = tile_rows(s.m, s.n * std::max<int64_t>(1, s.k / 16)).block;
  s.row_blocks = std::max<int64_t>(1, (s.m + s.row_block - 1) / s.row_block);
  visit(LayerTypes{}, call.outputs[0].dtype, [&]<class T>(Tag<T>) { s.body = run_product<std::make_unsigned_t<T>>; });
  const int64_t tiles = s.batches.total * s.row_blocks;
  return make_prepared(std::move(s), tiles);
}

// ---- Conv ----

struct IntegerConvState {
  Body<IntegerConvState> body = nullptr;
  Window window;
  int64_t group = 1;
  bool biased = false;
  Tiles tiles;  // of output rows
};

template <class T>
void run_conv(const IntegerConvState& s, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  const T* x = input<T>(buffers, 0);
  const T* weights = input<T>(buffers, 1);  // [O, I/g, k…]
  const int64_t channels = s.window.out_channels, inputs = s.window.in_channels / s.group, taps = s.window.taps();
  const int64_t outputs = channels / s.group, width = s.window.axes[2].out;
  // Turned to [k…][I/g][O], so that the innermost loop runs over neighbours.
  T* packed = reinterpret_cast<T*>(scratch);
  for (int64_t o = 0; o < channels; ++o) {
    for (int64_t c = 0; c < inputs; ++c) {
      for (int64_t tap = 0; tap < taps; ++tap) {
        packed[(tap * inputs + c) * channels + o] = weights[(o * inputs + c) * taps + tap];
      }
    }
  }
  for (int64_t row = s.tiles.begin(tile); row < s.tiles.end(tile); ++row) {
    for (int64_t column = 0; column < width; ++column) {
      T* sums = output<T>(buffers) + (row * width + column) * channels;
      for (int64_t o = 0; o < channels; ++o) sums[o] = s.biased ? input<T>(buffers, 2)[o] : T{0};
      for_taps(s.window, row, column, [&](int64_t tap, int64_t pixel) {
        const T* from = x + pixel * s.window.in_channels;
        for (int64_t g = 0; g < s.group; ++g) {
          for (int64_t c = 0; c < inputs; ++c) {
            const T value = from[g * inputs + c];
            const T* w = packed + (tap * inputs + c) * channels + g * outputs;
            for (int64_t o = 0; o < outputs; ++o) sums[g * outputs + o] += value * w[o];
          }
        }
      });
    }
  }
}

bool accepts_integer_conv(const Call& call) {
  return is_plain_layer(call) && window_fits(call.inputs[0], call.outputs[0]);
}
Prepared prepare_integer_conv(const Call& call, Weights&) {
  const Operand& w = call.inputs[1];
  const std::span<const int64_t> kernel(w.shape.begin() + 2, w.shape.end());
  IntegerConvState s;
  s.window = make_window(call.node, call.inputs[0], call.outputs[0], kernel, false);
  s.group = int_attribute(call.node.attributes, "group", 1);
  s.biased = present(call.inputs, 2);
  // Every tile turns the weights once: tiles are at least worth that.
  const int64_t weight_count = element_count(w.shape);
  s.tiles = tile_rows(s.window.out_rows(), s.window.axes[2].out * s.window.out_channels);
  s.tiles.block = std::max(s.tiles.block, weight_count / std::max<int64_t>(1, s.window.axes[2].out * 16) + 1);
  visit(LayerTypes{}, call.outputs[0].dtype, [&]<class T>(Tag<T>) { s.body = run_conv<std::make_unsigned_t<T>>; });
  return make_tiled(std::move(s), weight_count * whole_bytes(w.dtype));
}

constexpr Kernel kIntegerLayersKernels[] = {
    {"MatMul", "matmul_integer_reference", 0, accepts_product, prepare_product, run_body<ProductState>},
    {"Conv", "conv_integer_reference", 0, accepts_integer_conv, prepare_integer_conv, run_body<IntegerConvState>},
};

}  // namespace
}  // namespace reference

std::span<const Kernel> reference_integer_layers_kernels() { return reference::kIntegerLayersKernels; }

}  // namespace openrknn
