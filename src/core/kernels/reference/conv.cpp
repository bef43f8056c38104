// Conv and ConvTranspose on floats.
// Float rule (docs/arithmetic.md): one float32 accumulator per output, from +0, std::fma over k = (kd, kh, kw, c)
// ascending, padding taps skipped; then one addition of the bias; then the activation; then one rounding to the dtype.
#include <cmath>
#include <string>

#include "core/kernels/reference/activation.h"
#include "core/kernels/reference/prepared.h"
#include "core/kernels/reference/window.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace reference {
namespace {

struct ConvState {
  Body<ConvState> body = nullptr;
  Window window;
  int64_t group = 1;
  DType weight_dtype = DType::Float32;
  Weights::Packed packed;  // constant weights as pack_weights leaves them; null: packed by the (then single) tile
  FloatVector bias;
  UnaryFunction activation;
  Tiles tiles;
  int64_t sums_at = 0, packed_at = 0;

  int64_t group_inputs() const { return window.in_channels / group; }
  int64_t group_outputs() const { return window.out_channels / group; }
  int64_t weight_count() const { return window.taps() * group_inputs() * window.out_channels; }
};

/// [O, I/g, k…] of Conv or [I, O/g, k…] of ConvTranspose to float32 [k…][I/g][O]: the order the loop below reads.
template <class T>
void pack_weights(const ConvState& s, const T* weights, float* packed) {
  const int64_t taps = s.window.taps(), inputs = s.group_inputs(), outputs = s.group_outputs();
  const bool transposed = s.window.axes[2].transposed;  // the axis every rank has
  for (int64_t g = 0; g < s.group; ++g) {
    for (int64_t o = 0; o < outputs; ++o) {
      for (int64_t c = 0; c < inputs; ++c) {
        const int64_t pair = transposed ? (g * inputs + c) * outputs + o : (g * outputs + o) * inputs + c;
        for (int64_t tap = 0; tap < taps; ++tap) {
          packed[(tap * inputs + c) * s.window.out_channels + g * outputs + o] =
              static_cast<float>(weights[pair * taps + tap]);
        }
      }
    }
  }
}
void pack_weights(const ConvState& s, const std::byte* weights, float* packed) {
  visit(FloatTypes{}, s.weight_dtype,
        [&]<class T>(Tag<T>) { pack_weights(s, reinterpret_cast<const T*>(weights), packed); });
}

template <class T>
void run_conv_rows(const ConvState& s, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  const T* x = input<T>(buffers, 0);
  T* y = output<T>(buffers);
  const float* bias = s.bias.read(buffers, scratch);
  float* sums = scratch_at<float>(scratch, s.sums_at);
  const float* weights;
  if (s.packed) {
    weights = reinterpret_cast<const float*>(s.packed->data());
  } else {
    float* packed = scratch_at<float>(scratch, s.packed_at);
    pack_weights(s, buffers[1].data, packed);
    weights = packed;
  }
  const int64_t channels = s.window.out_channels, inputs = s.group_inputs(), outputs = s.group_outputs();
  const int64_t width = s.window.axes[2].out;
  for (int64_t row = s.tiles.begin(tile); row < s.tiles.end(tile); ++row) {
    for (int64_t column = 0; column < width; ++column) {
      std::fill_n(sums, channels, 0.0f);
      for_taps(s.window, row, column, [&](int64_t tap, int64_t pixel) {
        const T* from = x + pixel * s.window.in_channels;
        for (int64_t g = 0; g < s.group; ++g) {
          for (int64_t c = 0; c < inputs; ++c) {
            const float value = static_cast<float>(from[g * inputs + c]);
            const float* w = weights + (tap * inputs + c) * channels + g * outputs;
            float* sum = sums + g * outputs;
            for (int64_t o = 0; o < outputs; ++o) sum[o] = std::fma(value, w[o], sum[o]);
          }
        }
      });
      if (bias) {
        for (int64_t o = 0; o < channels; ++o) sums[o] += bias[o];
      }
      s.activation.in_place(sums, channels);
      store_floats(sums, y + (row * width + column) * channels, channels);
    }
  }
}

bool accepts_conv(const Call& call) {
  return window_fits(call.inputs[0], call.outputs[0]) && is_float(call.inputs[0]) && is_float(call.inputs[1]) &&
         same_dtype(call.inputs[0], call.outputs[0]) && (!present(call.inputs, 2) || is_float(call.inputs[2])) &&
         fused_activation(call.node).has_value();
}

Prepared prepare_conv(const Call& call, Weights& cache, bool transposed) {
  const Operand& w = call.inputs[1];
  const std::span<const int64_t> kernel(w.shape.begin() + 2, w.shape.end());
  ScratchLayout scratch;
  ConvState s;
  s.window = make_window(call.node, call.inputs[0], call.outputs[0], kernel, transposed);
  s.group = int_attribute(call.node.attributes, "group", 1);
  s.weight_dtype = w.dtype;
  s.bias = FloatVector(call, 2, scratch);
  s.activation = *fused_activation(call.node);
  s.sums_at = scratch.add<float>(s.window.out_channels);
  s.tiles = tile_rows(s.window.out_rows(), s.window.axes[2].out * s.window.out_channels);
  if (w.constant) {
    const std::string key = std::string(transposed ? "reference_conv_transpose " : "reference_conv ") +
                            std::to_string(s.group) + ' ' + Weights::identity(*w.constant);
    s.packed = cache.get(key, [&] {
      std::vector<std::byte> bytes(static_cast<size_t>(s.weight_count()) * sizeof(float));
      pack_weights(s, w.constant->bytes().data(), reinterpret_cast<float*>(bytes.data()));
      return bytes;
    });
  } else {
    s.packed_at = scratch.add<float>(s.weight_count());
    s.tiles.block = std::max<int64_t>(1, s.tiles.total);  // packing once is worth more than tiles
  }
  visit(FloatTypes{}, call.inputs[0].dtype, [&]<class T>(Tag<T>) { s.body = run_conv_rows<T>; });
  const int64_t tiles = s.tiles.count();
  const bool packed = s.packed != nullptr;
  Prepared prepared = make_prepared(std::move(s), tiles, scratch.bytes());
  if (packed) prepared.unread_inputs = 1u << 1;
  return prepared;
}
Prepared prepare_conv(const Call& call, Weights& cache) { return prepare_conv(call, cache, false); }
Prepared prepare_conv_transpose(const Call& call, Weights& cache) { return prepare_conv(call, cache, true); }

constexpr Kernel kConvKernels[] = {
    {"Conv", "conv_reference", 0, accepts_conv, prepare_conv, run_body<ConvState>},
    {"ConvTranspose", "conv_transpose_reference", 0, accepts_conv, prepare_conv_transpose, run_body<ConvState>},
};

}  // namespace
}  // namespace reference

std::span<const Kernel> reference_conv_kernels() { return reference::kConvKernels; }

}  // namespace openrknn
