// BatchNormalization, InstanceNormalization, LayerNormalization.
// Float rule (docs/arithmetic.md), every operation rounded once, none fused:
//   Batch:           a = scale * (1 / sqrt(variance + epsilon)),  b = bias - mean * a,  y = x * a + b
//   Instance, Layer: mean = sum x / n,  d = x - mean,  r = 1 / sqrt(sum d*d / n + epsilon),  y = d * r * scale + bias
// Layer's sums run along contiguous memory: 16 interleaved accumulators. Instance's run over the pixels of
// channels-last data: one accumulator per channel, from +0, ascending. Without bias the last addition is left out.
#include <cmath>

#include "core/kernels/reference/prepared.h"
#include "core/kernels/reference/sums.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace reference {
namespace {

struct NormState {
  Body<NormState> body = nullptr;
  float epsilon = 1e-5f;
  int64_t batch = 1, pixels = 1, channels = 1;  // Layer: rows = pixels, channels = length of a row
  FloatVector scale, bias, mean, variance;
  int64_t scratch_at = 0;
  Tiles tiles;
};

float inverse_deviation(float variance, float epsilon) { return 1.0f / std::sqrt(variance + epsilon); }

template <class T>
void run_batch(const NormState& s, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  const float *scale = s.scale.read(buffers, scratch), *bias = s.bias.read(buffers, scratch);
  const float *mean = s.mean.read(buffers, scratch), *variance = s.variance.read(buffers, scratch);
  float* a = scratch_at<float>(scratch, s.scratch_at);
  float* b = a + s.channels;
  for (int64_t c = 0; c < s.channels; ++c) {
    a[c] = scale[c] * inverse_deviation(variance[c], s.epsilon);
    b[c] = bias[c] - mean[c] * a[c];
  }
  for (int64_t row = s.tiles.begin(tile); row < s.tiles.end(tile); ++row) {
    const T* x = input<T>(buffers, 0) + row * s.channels;
    T* y = output<T>(buffers) + row * s.channels;
    for (int64_t c = 0; c < s.channels; ++c) y[c] = static_cast<T>(static_cast<float>(x[c]) * a[c] + b[c]);
  }
}

/// A tile is one image.
template <class T>
void run_instance(const NormState& s, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  const float *scale = s.scale.read(buffers, scratch), *bias = s.bias.read(buffers, scratch);
  const T* x = input<T>(buffers, 0) + tile * s.pixels * s.channels;
  T* y = output<T>(buffers) + tile * s.pixels * s.channels;
  float* mean = scratch_at<float>(scratch, s.scratch_at);
  float* inverse = mean + s.channels;
  const float count = static_cast<float>(s.pixels);
  std::fill_n(mean, 2 * s.channels, 0.0f);
  for (int64_t i = 0; i < s.pixels; ++i) {
    for (int64_t c = 0; c < s.channels; ++c) mean[c] += static_cast<float>(x[i * s.channels + c]);
  }
  for (int64_t c = 0; c < s.channels; ++c) mean[c] /= count;
  for (int64_t i = 0; i < s.pixels; ++i) {
    for (int64_t c = 0; c < s.channels; ++c) {
      const float d = static_cast<float>(x[i * s.channels + c]) - mean[c];
      inverse[c] += d * d;
    }
  }
  for (int64_t c = 0; c < s.channels; ++c) inverse[c] = inverse_deviation(inverse[c] / count, s.epsilon);
  for (int64_t i = 0; i < s.pixels; ++i) {
    for (int64_t c = 0; c < s.channels; ++c) {
      const float d = static_cast<float>(x[i * s.channels + c]) - mean[c];
      y[i * s.channels + c] = static_cast<T>(d * inverse[c] * scale[c] + bias[c]);
    }
  }
}

template <class T>
void run_layer(const NormState& s, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  const float *scale = s.scale.read(buffers, scratch), *bias = s.bias.read(buffers, scratch);
  float* d = scratch_at<float>(scratch, s.scratch_at);
  const int64_t length = s.channels;
  const float count = static_cast<float>(length);
  for (int64_t row = s.tiles.begin(tile); row < s.tiles.end(tile); ++row) {
    load_floats(input<T>(buffers, 0) + row * length, d, length);
    const float mean = sum_contiguous(d, length) / count;
    for (int64_t i = 0; i < length; ++i) d[i] -= mean;
    InterleavedSum squares;
    squares.add(d, length, [](float v) { return v * v; });
    const float inverse = inverse_deviation(squares.total() / count, s.epsilon);
    if (bias) {
      for (int64_t i = 0; i < length; ++i) d[i] = d[i] * inverse * scale[i] + bias[i];
    } else {
      for (int64_t i = 0; i < length; ++i) d[i] = d[i] * inverse * scale[i];
    }
    store_floats(d, output<T>(buffers) + row * length, length);
  }
}

bool accepts_normalization_floats(const Call& call) {
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    if (present(call.inputs, i) && !is_float(call.inputs[i])) return false;
  }
  return same_dtype(call.inputs[0], call.outputs[0]);
}
bool accepts_channels(const Call& call) {
  return accepts_normalization_floats(call) && has_channels_last(call.inputs[0]) &&
         has_channels_last(call.outputs[0]) && call.inputs[0].shape.size() >= 2;
}

NormState start_norm(const Call& call) {
  NormState s;
  s.epsilon = static_cast<float>(float_attribute(call.node.attributes, "epsilon", 1e-5));
  const Shape& x = call.inputs[0].shape;
  s.batch = x.front();
  s.channels = x.back();
  for (size_t d = 1; d + 1 < x.size(); ++d) s.pixels *= x[d];
  return s;
}
Prepared prepare_batch(const Call& call, Weights&) {
  NormState s = start_norm(call);
  ScratchLayout scratch;
  s.scale = FloatVector(call, 1, scratch);
  s.bias = FloatVector(call, 2, scratch);
  s.mean = FloatVector(call, 3, scratch);
  s.variance = FloatVector(call, 4, scratch);
  s.scratch_at = scratch.add<float>(2 * s.channels);
  s.tiles = tile_rows(s.batch * s.pixels, s.channels);
  visit(FloatTypes{}, call.inputs[0].dtype, [&]<class T>(Tag<T>) { s.body = run_batch<T>; });
  return make_tiled(std::move(s), scratch.bytes(), 0);
}
Prepared prepare_instance(const Call& call, Weights&) {
  NormState s = start_norm(call);
  ScratchLayout scratch;
  s.scale = FloatVector(call, 1, scratch);
  s.bias = FloatVector(call, 2, scratch);
  s.scratch_at = scratch.add<float>(2 * s.channels);
  visit(FloatTypes{}, call.inputs[0].dtype, [&]<class T>(Tag<T>) { s.body = run_instance<T>; });
  const int64_t tiles = s.batch;
  return make_prepared(std::move(s), tiles, scratch.bytes());
}
Prepared prepare_layer(const Call& call, Weights&) {
  const Shape& x = call.inputs[0].shape;
  const size_t axis =
      static_cast<size_t>(int_attribute(call.node.attributes, "axis", static_cast<int64_t>(x.size()) - 1));
  NormState s = start_norm(call);
  s.pixels = s.channels = 1;
  for (size_t d = 0; d < x.size(); ++d) (d < axis ? s.pixels : s.channels) *= x[d];
  ScratchLayout scratch;
  s.scale = FloatVector(call, 1, scratch);
  s.bias = FloatVector(call, 2, scratch);
  s.scratch_at = scratch.add<float>(s.channels);
  s.tiles = tile_rows(s.pixels, s.channels);
  visit(FloatTypes{}, call.inputs[0].dtype, [&]<class T>(Tag<T>) { s.body = run_layer<T>; });
  return make_tiled(std::move(s), scratch.bytes());
}
/// Scale and bias cover the normalised dimensions one to one.
bool accepts_layer(const Call& call) {
  if (!accepts_normalization_floats(call)) return false;
  const Shape& x = call.inputs[0].shape;
  const size_t axis =
      static_cast<size_t>(int_attribute(call.node.attributes, "axis", static_cast<int64_t>(x.size()) - 1));
  int64_t length = 1;
  for (size_t d = axis; d < x.size(); ++d) length *= x[d];
  return element_count(call.inputs[1].shape) == length &&
         (!present(call.inputs, 2) || element_count(call.inputs[2].shape) == length);
}

constexpr Kernel kNormalizationKernels[] = {
    {"BatchNormalization", "batch_normalization_reference", 0, accepts_channels, prepare_batch, run_body<NormState>},
    {"InstanceNormalization", "instance_normalization_reference", 0, accepts_channels, prepare_instance,
     run_body<NormState>},
    {"LayerNormalization", "layer_normalization_reference", 0, accepts_layer, prepare_layer, run_body<NormState>},
};

}  // namespace
}  // namespace reference

std::span<const Kernel> reference_normalization_kernels() { return reference::kNormalizationKernels; }

}  // namespace openrknn
