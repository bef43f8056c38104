// Scales and zero points of the weights of Conv, ConvTranspose and MatMul.
#pragma once

#include "compiler/quantize/quantize.h"

namespace openrknn {

struct Range {
  double lowest = 0, highest = 0;  // 0 included
};
Range range_of(std::span<const float> values);

/// Int8, asymmetric unless `symmetric`; per index of `axis`, or one pair for all (QuantizedMethod::Layer). No weight is
/// clipped. `real` is Float32 and finite; `bias` (may be empty) belongs to channel i mod channels.
QuantParams choose_weight_params(const Tensor& real, int axis, std::span<const float> bias, double input_scale,
                                 QuantizedMethod, bool symmetric);

/// A bias must leave room for the products in a 32-bit accumulator.
constexpr double kLargestBias = 1 << 30;

}  // namespace openrknn
