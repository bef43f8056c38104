// Scales and zero points of the weights of Conv, ConvTranspose and MatMul.
#pragma once

#include "compiler/quantize/quantize.h"

namespace openrknn {

struct Range {
  double lowest = 0, highest = 0;  // 0 included
};
Range range_of(std::span<const float> values);

/// How the weights of an integer layer are coded.
struct WeightSpec {
  QuantizedMethod method = QuantizedMethod::Channel;
  DType dtype = DType::Int8;
  bool symmetric = false;
  bool power_of_two = false;  ///< one scale, a power of two, zero point 0
  bool clip = false;          ///< mmse: Int8 weights may be clipped where that lessens the error
};

/// Per index of `axis`, or one pair for all (QuantizedMethod::Layer). No weight is clipped unless asked for. `real` is
/// Float32 and finite; `bias` (may be empty) belongs to channel i mod channels.
QuantParams choose_weight_params(const Tensor& real, int axis, std::span<const float> bias, double input_scale,
                                 const WeightSpec&);

/// How the weights that a float16 layer reads are coded: Int8 or Int4.
struct WeightOnlySpec {
  QuantizedMethod method = QuantizedMethod::Channel;
  DType dtype = DType::Int8;
  bool symmetric = false;
  int64_t group = 0;  ///< input channels that share a scale, see core/graph/quant_runs.h; 0: none
  bool clip = false;  ///< mmse
};
QuantParams choose_weight_only_params(const Tensor& real, int axis, const WeightOnlySpec&);

/// A bias must leave room for the products in the accumulator: of 32 bits for Int8, of 48 for Int16.
constexpr double largest_bias(DType codes) {
  return static_cast<double>(codes == DType::Int16 ? int64_t{1} << 45 : int64_t{1} << 30);
}

}  // namespace openrknn
