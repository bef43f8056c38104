// From a range of real numbers to scale and zero point (toolkit: S = (max - min) / 255, Z = round(-128 - min / S)).
#include <algorithm>
#include <cmath>

#include "compiler/quantize/range_search.h"

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
  Statistics seen = statistics;
  if (!seen.has_range()) seen.lowest = seen.highest = 0;
  if (spec.natural) {
    const auto [least, most] = *spec.natural;
    seen.lowest = std::clamp(seen.lowest, static_cast<float>(least), static_cast<float>(most));
    seen.highest = std::clamp(seen.highest, static_cast<float>(least), static_cast<float>(most));
  }
  const Bounds widest{std::min(static_cast<double>(seen.lowest), 0.0),
                      std::max(static_cast<double>(seen.highest), 0.0)};
  if (spec.algorithm == RangeAlgorithm::Normal || widest == Bounds{}) return params_of_bounds(widest, spec);
  if (!seen.has_histogram()) {
    fail(Code::QuantizeNoStatistics, "the statistics hold no histogram, which this range algorithm reads",
         "calibrate with Detail::Histograms");
  }
  using Algorithm = Bounds (*)(const Moments&, const Bounds&, const RangeSpec&);
  constexpr Algorithm kAlgorithms[] = {nullptr, least_divergence_bounds, least_error_bounds, percentile_bounds,
                                       best_bounds};  // by RangeAlgorithm
  const Moments moments(seen);
  return params_of_bounds(kAlgorithms[static_cast<size_t>(spec.algorithm)](moments, widest, spec), spec);
}

}  // namespace openrknn
