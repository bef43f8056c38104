// Constants in the form a quantized or float16 graph holds them.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "compiler/quantize/weight_params.h"

namespace openrknn {

struct Coded {
  Tensor codes;
  QuantParams quant;
};

/// Per-tensor codes.
Coded quantize_constant(const Tensor&, const QuantParams&, DType);
/// Parameters over the constant's own range, as `spec` codes activations. Throws Error (QuantizeNotFinite) naming
/// `where`.
QuantParams params_of_constant(const Tensor&, const RangeSpec& spec, const Location& where);

struct CodedLayer {
  Coded weights;
  std::optional<Coded> bias;  ///< Int32, with Int16 weights Int64, at scale sx·sw, one scale per element
};
/// Weights (one scale per index of `axis`, or one) and bias of Conv, ConvTranspose, MatMul. Bias element i belongs to
/// weight channel i mod channels (grouped ConvTranspose shares them between groups). Throws Error (QuantizeNotFinite).
CodedLayer quantize_layer(const Tensor& weights, const Tensor* bias, int axis, double input_scale, const WeightSpec&,
                          const Location& where);

/// Weights whose codes the model gives, in the type of the layer. Codes and scales stay; a channel without weights
/// takes the largest scale. Bias codes stay where their scale is sx·sw, else the bias is coded anew.
CodedLayer given_layer(const GivenCodes& weights, const Tensor* bias, const GivenCodes* given_bias, int axis,
                       double input_scale, DType codes);

struct HalfConstant {
  Tensor values;
  int64_t overflowing = 0;  ///< finite numbers that became infinite
  double worst = 0;         ///< the largest of them by magnitude
};

/// What was made of constants before, by content: builds that differ in the precision of some layers share the others.
struct LayerCache {
  std::mutex mutex;
  std::map<std::string, CodedLayer> layers;
  std::map<std::string, HalfConstant> halves;
};

/// Weights that float16 layers read. Throws Error (QuantizeNotFinite).
Coded quantize_weights(const Tensor& weights, int axis, const WeightOnlySpec&, const Location& where);

struct CodedNormalization {
  Coded slope;  ///< Int16, symmetric, one scale: scale / sqrt(variance + epsilon)
  Coded bias;   ///< Int32, with Int16 activations Int64, at scale sx · slope scale: bias - mean · slope
};
CodedNormalization quantize_normalization(std::span<const Tensor> parameters, double epsilon, double input_scale,
                                          const RangeSpec& activations, const Location& where);

/// Float16, rounded to nearest even; with `saturate` overflowing numbers become ±65504.
HalfConstant to_half(const Tensor&, bool saturate);

}  // namespace openrknn
