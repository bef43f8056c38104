// From a range of real numbers to scale and zero point (toolkit: S = (max - min) / 255, Z = round(-128 - min / S)).
#include <algorithm>
#include <cmath>

#include "compiler/quantize/quantize.h"

namespace openrknn {

QuantParams params_of_range(double lowest, double highest, DType dtype, bool symmetric) {
  // Real 0 must have a code of its own: padding, Relu and sparse tensors are full of it.
  lowest = std::min(lowest, 0.0);
  highest = std::max(highest, 0.0);
  const double first = static_cast<double>(lowest_code(dtype)), last = static_cast<double>(highest_code(dtype));
  double scale = 1;
  if (symmetric) {
    const double largest = std::max(-lowest, highest);
    if (largest > 0) scale = largest / last;
    return {{scale}, {0}};
  }
  if (highest > lowest) scale = (highest - lowest) / (last - first);
  const double zero_point = std::nearbyint(first - lowest / scale);
  return {{scale}, {static_cast<int32_t>(std::clamp(zero_point, first, last))}};
}

QuantParams power_of_two_params(double lowest, double highest, DType dtype) {
  const double first = static_cast<double>(lowest_code(dtype)), last = static_cast<double>(highest_code(dtype));
  const double least = std::max({std::max(-lowest, 0.0) / -first, std::max(highest, 0.0) / last});
  if (least == 0) return {{1.0}, {0}};
  int exponent = 0;
  const double mantissa = std::frexp(least, &exponent);  // [0.5, 1)
  return {{std::ldexp(1.0, mantissa == 0.5 ? exponent - 1 : exponent)}, {0}};
}

RangeSpec activation_spec(Scheme scheme) {
  RangeSpec spec;
  if (scheme == Scheme::W16A16I || scheme == Scheme::W16A16I_DFP) spec.dtype = DType::Int16;
  spec.power_of_two = scheme == Scheme::W16A16I_DFP;
  return spec;
}

QuantizeOptions options_of(Scheme scheme) {
  QuantizeOptions options;
  options.activations = activation_spec(scheme);
  if (scheme == Scheme::W8A16) options.coded_weights = DType::Int8;
  if (scheme == Scheme::W4A16) options.coded_weights = DType::Int4;
  return options;
}

QuantParams choose(const Statistics& statistics, const RangeSpec& spec) {
  double lowest = 0, highest = 0;
  if (statistics.elements > statistics.not_finite) {
    lowest = static_cast<double>(statistics.lowest);
    highest = static_cast<double>(statistics.highest);
  }
  if (spec.natural) {
    lowest = std::clamp(lowest, spec.natural->first, spec.natural->second);
    highest = std::clamp(highest, spec.natural->first, spec.natural->second);
  }
  if (spec.power_of_two) return power_of_two_params(lowest, highest, spec.dtype);
  return params_of_range(lowest, highest, spec.dtype, spec.symmetric);
}

}  // namespace openrknn
