#include "compiler/quantize/constants.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compiler/quantize/weight_params.h"
#include "core/graph/quant_runs.h"
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

/// round(value / scale) in the width of the accumulator that `codes` add up in.
Tensor bias_codes(std::span<const double> values, std::span<const double> scales, const Shape& shape, DType codes) {
  const double most = largest_bias(codes);
  Tensor result(codes == DType::Int16 ? DType::Int64 : DType::Int32, shape);
  for (size_t i = 0; i < values.size(); ++i) {
    const auto code = static_cast<int64_t>(std::clamp(std::nearbyint(values[i] / scales[i]), -most, most));
    if (codes == DType::Int16) {
      result.mutable_values<int64_t>()[i] = code;
    } else {
      result.mutable_values<int32_t>()[i] = static_cast<int32_t>(code);
    }
  }
  return result;
}

Coded quantize_bias(const Tensor& bias, const QuantParams& weights, double input_scale, DType codes) {
  Coded coded;
  for (int64_t i = 0; i < bias.size(); ++i) {
    const double scale = input_scale * weights.scale[static_cast<size_t>(i) % weights.scale.size()];
    coded.quant.scale.push_back(scale);
    coded.quant.zero_point.push_back(0);
  }
  coded.quant.axis = 0;
  coded.codes = bias_codes(to_doubles(bias), coded.quant.scale, bias.shape(), codes);
  return coded;
}

}  // namespace

Coded quantize_constant(const Tensor& real, const QuantParams& quant, DType codes) {
  return {quantize_tensor(real, quant, codes), quant};
}

QuantParams params_of_constant(const Tensor& t, const RangeSpec& spec, const Location& where) {
  const Tensor real = as_float32(t);
  require_finite(real.values<float>(), where);
  const Range range = range_of(real.values<float>());
  if (spec.power_of_two) return power_of_two_params(range.lowest, range.highest, spec.dtype);
  return params_of_range(range.lowest, range.highest, spec.dtype, spec.symmetric);
}

CodedLayer quantize_layer(const Tensor& weights, const Tensor* bias, int axis, double input_scale,
                          const WeightSpec& spec, const Location& where) {
  const Tensor real = as_float32(weights);
  require_finite(real.values<float>(), where);
  const Tensor real_bias = bias ? as_float32(*bias) : Tensor();
  require_finite(real_bias.values<float>(), where);

  const QuantParams params = choose_weight_params(real, axis, real_bias.values<float>(), input_scale, spec);
  CodedLayer layer{{quantize_tensor(real, params, spec.dtype), params}, std::nullopt};
  if (bias) layer.bias = quantize_bias(real_bias, params, input_scale, spec.dtype);
  return layer;
}

CodedLayer given_layer(const GivenCodes& weights, const Tensor* bias, const GivenCodes* given_bias, int axis,
                       double input_scale, DType codes) {
  QuantParams params = weights.quant;
  std::vector<bool> empty(params.scale.size(), true);
  const std::vector<int64_t> values = to_ints(*weights.codes);
  for_quant_runs(weights.codes->shape(), params, [&](int64_t begin, int64_t count, size_t index) {
    for (int64_t i = begin; i < begin + count; ++i) {
      if (values[static_cast<size_t>(i)] != params.zero_point[index]) empty[index] = false;
    }
  });
  double largest = 0;
  for (size_t c = 0; c < empty.size(); ++c) {
    if (!empty[c]) largest = std::max(largest, params.scale[c]);
  }
  for (size_t c = 0; c < empty.size(); ++c) {
    if (empty[c] && largest > 0) params.scale[c] = largest;  // it decides nothing but the multiplier of the others
  }
  if (params.axis >= 0) params.axis = axis;
  CodedLayer layer{{cast(*weights.codes, codes), params}, std::nullopt};
  if (bias == nullptr) return layer;
  layer.bias = quantize_bias(as_float32(*bias), params, input_scale, codes);
  if (given_bias == nullptr || given_bias->dtype != DType::Int32) return layer;
  const std::vector<int64_t> kept = to_ints(*given_bias->codes);
  std::vector<int64_t> biases = to_ints(layer.bias->codes);
  const auto most = static_cast<int64_t>(largest_bias(codes));
  for (size_t i = 0; i < biases.size(); ++i) {
    const std::vector<double>& scales = given_bias->quant.scale;
    const double scale = scales[scales.size() == 1 ? 0 : i], expected = layer.bias->quant.scale[i];
    if (std::abs(scale - expected) <= 1e-6 * expected && std::abs(kept[i]) <= most) biases[i] = kept[i];
  }
  layer.bias->codes = cast(Tensor::from<int64_t>(bias->shape(), biases), layer.bias->codes.dtype());
  return layer;
}

Coded quantize_weights(const Tensor& weights, int axis, const WeightOnlySpec& spec, const Location& where) {
  const Tensor real = as_float32(weights);
  require_finite(real.values<float>(), where);
  const QuantParams params = choose_weight_only_params(real, axis, spec);
  return {quantize_tensor(real, params, spec.dtype), params};
}

CodedNormalization quantize_normalization(std::span<const Tensor> parameters, double epsilon, double input_scale,
                                          const RangeSpec& activations, const Location& where) {
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
  for (const double b : offset) step = std::max(step, std::abs(b) / (input_scale * largest_bias(activations.dtype)));
  if (activations.power_of_two) step = power_of_two_params(-step * 32767, step * 32767, DType::Int16).scale[0];

  const Shape shape = parameters[0].shape();
  const std::vector<double> bias_scales(scale.size(), input_scale * step);
  CodedNormalization coded{{Tensor(DType::Int16, shape), {{step}, {0}}},
                           {bias_codes(offset, bias_scales, shape, activations.dtype), {{input_scale * step}, {0}}}};
  const std::span<int16_t> slopes = coded.slope.codes.mutable_values<int16_t>();
  for (size_t c = 0; c < scale.size(); ++c) slopes[c] = static_cast<int16_t>(std::nearbyint(slope[c] / step));
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
