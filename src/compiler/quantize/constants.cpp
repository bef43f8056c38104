#include "compiler/quantize/constants.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/model/ports.h"

namespace openrknn {
namespace {

/// Bits of the channel multiplier (FixedPoint::channel_shift): cm = sw / max(sw) · 2^14.
constexpr double kChannelSteps = 1 << 14;
/// A bias must leave room for the products in a 32-bit accumulator.
constexpr double kLargestBias = 1 << 30;

struct Range {
  double lowest = 0, highest = 0;  // 0 included
};

Tensor as_float32(const Tensor& t) { return t.dtype() == DType::Float32 ? t : cast(t, DType::Float32); }

[[noreturn]] void refuse_not_finite(const Location& where) {
  fail(Code::QuantizeNotFinite, where, "the constant holds NaN or infinite numbers", "repair the model");
}

void require_finite(std::span<const float> values, const Location& where) {
  if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); })) refuse_not_finite(where);
}

/// One range per index of `axis`.
std::vector<Range> ranges_along(const Tensor& t, int axis) {
  const Shape& shape = t.shape();
  const auto at = shape.begin() + axis;
  const int64_t outer = element_count(Shape(shape.begin(), at)), inner = element_count(Shape(at + 1, shape.end()));
  std::vector<Range> ranges(static_cast<size_t>(*at));
  const float* v = t.values<float>().data();
  for (int64_t o = 0; o < outer; ++o) {
    for (Range& range : ranges) {
      for (int64_t i = 0; i < inner; ++i, ++v) {
        range.lowest = std::min(range.lowest, static_cast<double>(*v));
        range.highest = std::max(range.highest, static_cast<double>(*v));
      }
    }
  }
  return ranges;
}

double scale_of(const Range& range, bool symmetric) {
  if (range.lowest == 0 && range.highest == 0) return 0;
  return params_of_range(range.lowest, range.highest, DType::Int8, symmetric).scale[0];
}

/// Real 0 has a code, and the range starts at the lowest one.
int32_t zero_point_of(const Range& range, double scale, bool symmetric) {
  if (symmetric) return 0;
  return static_cast<int32_t>(std::clamp(std::nearbyint(-128 - range.lowest / scale), -128.0, 127.0));
}

/// Final scales of the channels: room for the bias, zero channels, and the grid the hardware's multiplier can express.
std::vector<double> channel_scales(std::vector<double> scales, std::span<const float> bias, double input_scale) {
  for (size_t i = 0; i < bias.size(); ++i) {
    const double least = std::abs(static_cast<double>(bias[i])) / (input_scale * kLargestBias);
    double& scale = scales[i % scales.size()];
    // An all-zero channel is left to the next step, which gives it at least as much unless all channels are zero.
    if (scale > 0) scale = std::max(scale, least);
  }
  double largest = *std::max_element(scales.begin(), scales.end());
  if (largest == 0) {  // no weights at all: a scale that serves the bias
    double most = 0;
    for (const float b : bias) most = std::max(most, std::abs(static_cast<double>(b)));
    largest = most > 0 ? most / (input_scale * (1 << 24)) : 1;
  }
  for (size_t i = 0; i < bias.size(); ++i) {
    if (scales[i % scales.size()] > 0) continue;
    largest = std::max(largest, std::abs(static_cast<double>(bias[i])) / (input_scale * kLargestBias));
  }
  for (double& scale : scales) {
    if (scale == 0) scale = largest;
    // The NPU multiplies each channel by round(sw / max · 2^14) / 2^14. Rounding the scale up to that grid before the
    // weights are quantized makes the multiplier exact: a channel at a thousandth of the largest would else be 2 % off.
    scale = std::ceil(scale / largest * kChannelSteps) * (largest / kChannelSteps);
  }
  return scales;
}

Coded quantize_bias(const Tensor& bias, const QuantParams& weights, double input_scale) {
  const std::span<const float> real = bias.values<float>();
  Coded coded{Tensor(DType::Int32, bias.shape()), {}};
  const std::span<int32_t> codes = coded.codes.mutable_values<int32_t>();
  for (size_t i = 0; i < real.size(); ++i) {
    const double scale = input_scale * weights.scale[i % weights.scale.size()];
    const double code = std::nearbyint(static_cast<double>(real[i]) / scale);
    codes[i] = static_cast<int32_t>(std::clamp(code, -kLargestBias, kLargestBias));
    coded.quant.scale.push_back(scale);
    coded.quant.zero_point.push_back(0);
  }
  coded.quant.axis = 0;
  return coded;
}

}  // namespace

Coded quantize_constant(const Tensor& real, const QuantParams& quant) {
  return {quantize_tensor(real, quant, DType::Int8), quant};
}

QuantParams params_of_constant(const Tensor& t, bool symmetric, const Location& where) {
  const Tensor real = as_float32(t);
  require_finite(real.values<float>(), where);
  Range range;
  for (const float v : real.values<float>()) {
    range.lowest = std::min(range.lowest, static_cast<double>(v));
    range.highest = std::max(range.highest, static_cast<double>(v));
  }
  return params_of_range(range.lowest, range.highest, DType::Int8, symmetric);
}

CodedLayer quantize_layer(const Tensor& weights, const Tensor* bias, int axis, double input_scale,
                          QuantizedMethod method, bool symmetric, const Location& where) {
  const Tensor real = as_float32(weights);
  require_finite(real.values<float>(), where);
  const Tensor real_bias = bias ? as_float32(*bias) : Tensor();
  require_finite(real_bias.values<float>(), where);

  std::vector<Range> ranges = ranges_along(real, axis);
  if (method == QuantizedMethod::Layer && !ranges.empty()) {
    for (const Range& range : ranges) {
      ranges[0].lowest = std::min(ranges[0].lowest, range.lowest);
      ranges[0].highest = std::max(ranges[0].highest, range.highest);
    }
    ranges.resize(1);
  }
  QuantParams params;
  if (ranges.empty()) {  // no output channels
    params = {{1.0}, {0}};
  } else {
    for (const Range& range : ranges) params.scale.push_back(scale_of(range, symmetric));
    params.scale = channel_scales(std::move(params.scale), real_bias.values<float>(), input_scale);
    for (size_t c = 0; c < ranges.size(); ++c) {
      params.zero_point.push_back(zero_point_of(ranges[c], params.scale[c], symmetric));
    }
    if (method == QuantizedMethod::Channel) params.axis = axis;
  }
  CodedLayer layer{{quantize_tensor(real, params, DType::Int8), params}, std::nullopt};
  if (bias) layer.bias = quantize_bias(real_bias, params, input_scale);
  return layer;
}

CodedNormalization quantize_normalization(std::span<const Tensor> parameters, double epsilon, double input_scale,
                                          const Location& where) {
  std::vector<std::vector<double>> p;
  for (const Tensor& t : parameters) p.push_back(to_doubles(t));
  const std::vector<double>&scale = p[0], &bias = p[1], &mean = p[2], &variance = p[3];
  std::vector<double> slope, offset;
  double largest = 0;
  for (size_t c = 0; c < scale.size(); ++c) {
    slope.push_back(scale[c] / std::sqrt(variance[c] + epsilon));
    offset.push_back(bias[c] - mean[c] * slope[c]);
    if (!std::isfinite(slope[c]) || !std::isfinite(offset[c])) refuse_not_finite(where);
    largest = std::max(largest, std::abs(slope[c]));
  }
  double step = largest > 0 ? largest / 32767 : 1;
  for (const double b : offset) step = std::max(step, std::abs(b) / (input_scale * kLargestBias));

  const Shape shape = parameters[0].shape();
  CodedNormalization coded{{Tensor(DType::Int16, shape), {{step}, {0}}},
                           {Tensor(DType::Int32, shape), {{input_scale * step}, {0}}}};
  const std::span<int16_t> slopes = coded.slope.codes.mutable_values<int16_t>();
  const std::span<int32_t> biases = coded.bias.codes.mutable_values<int32_t>();
  for (size_t c = 0; c < scale.size(); ++c) {
    slopes[c] = static_cast<int16_t>(std::nearbyint(slope[c] / step));
    biases[c] =
        static_cast<int32_t>(std::clamp(std::nearbyint(offset[c] / (input_scale * step)), -kLargestBias, kLargestBias));
  }
  return coded;
}

HalfConstant to_half(const Tensor& t, bool saturate) {
  constexpr float kLargestHalf = 65504;
  const Tensor real = as_float32(t);
  HalfConstant half{Tensor(DType::Float16, t.shape())};
  const std::span<Float16> out = half.values.mutable_values<Float16>();
  const std::span<const float> in = real.values<float>();
  for (size_t i = 0; i < in.size(); ++i) {
    out[i] = Float16(in[i]);
    if (!std::isfinite(in[i]) || std::isfinite(static_cast<float>(out[i]))) continue;
    ++half.overflowing;
    if (std::abs(static_cast<double>(in[i])) > std::abs(half.worst)) half.worst = static_cast<double>(in[i]);
    if (saturate) out[i] = Float16(in[i] > 0 ? kLargestHalf : -kLargestHalf);
  }
  return half;
}

}  // namespace openrknn
