#include "compiler/quantize/constants.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compiler/quantize/weight_params.h"
#include "core/model/ports.h"

namespace openrknn {
namespace {

Tensor as_float32(const Tensor& t) { return t.dtype() == DType::Float32 ? t : cast(t, DType::Float32); }

[[noreturn]] void refuse_not_finite(const Location& where) {
  fail(Code::QuantizeNotFinite, where, "the constant holds NaN or infinite numbers", "repair the model");
}

void require_finite(std::span<const float> values, const Location& where) {
  if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); })) refuse_not_finite(where);
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
  const Range range = range_of(real.values<float>());
  return params_of_range(range.lowest, range.highest, DType::Int8, symmetric);
}

CodedLayer quantize_layer(const Tensor& weights, const Tensor* bias, int axis, double input_scale,
                          QuantizedMethod method, bool symmetric, const Location& where) {
  const Tensor real = as_float32(weights);
  require_finite(real.values<float>(), where);
  const Tensor real_bias = bias ? as_float32(*bias) : Tensor();
  require_finite(real_bias.values<float>(), where);

  const QuantParams params =
      choose_weight_params(real, axis, real_bias.values<float>(), input_scale, method, symmetric);
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
