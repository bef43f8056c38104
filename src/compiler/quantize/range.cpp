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
  return params_of_range(lowest, highest, spec.dtype, spec.symmetric);
}

}  // namespace openrknn
