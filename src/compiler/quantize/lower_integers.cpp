#include "compiler/quantize/lower_integers.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/kernels/output_stage.h"

namespace openrknn {
namespace {

constexpr int kMultiplierBits = 15;

constexpr double kSettled = 0.125;  // codes

/// Lowest and highest output code seen so far, without rounding.
struct Settled {
  double low = 1e9, high = -1e9;
  /// False once the codes from here outwards differ by more than kSettled.
  bool add(double code) {
    low = std::min(low, code);
    high = std::max(high, code);
    return high - low <= kSettled;
  }
};

/// 2^(k/4) as a product of exact powers and a constant: no libm in what is stored.
double quarter_power(int k) {
  constexpr std::array<double, 4> kRoots = {1.0, 0x1.306fe0a31b715p+0, 0x1.6a09e667f3bcdp+0, 0x1.ae89f995ad3adp+0};
  const int part = ((k % 4) + 4) % 4;
  return std::ldexp(kRoots[static_cast<size_t>(part)], (k - part) / 4);
}

/// Where a piecewise curve has a corner on either side of 0; 0 if it has none away from 0.
double corner_of(const Curve& curve) {
  if (curve.kind == CurveKind::HardSwish) return 3;
  if (curve.kind == CurveKind::HardSigmoid && curve.beta == 0.5) return 0.5 / curve.alpha;
  return 0;
}

}  // namespace

std::pair<int32_t, int> multiplier_of(double factor, DType result) {
  if (factor <= 0) return {0, 0};
  int exponent = 0;
  const double mantissa = std::frexp(factor, &exponent);  // [0.5, 1)
  int shift = kMultiplierBits - exponent;
  if (shift < 0) return {(1 << kMultiplierBits) - 1, 0};
  shift = std::min(shift, largest_shift(result));
  double multiplier = std::nearbyint(std::ldexp(mantissa, exponent + shift));
  if (multiplier == 1 << kMultiplierBits) {  // 16 bits, but signed: 2^15 would be negative on the wire
    multiplier /= 2;
    if (--shift < 0) return {(1 << kMultiplierBits) - 1, 0};
  }
  return {static_cast<int32_t>(multiplier), shift};
}

double pre_activation_limit(const Curve& curve, const QuantParams& output, DType result, double reach) {
  constexpr int kFirst = -40, kLast = 160;  // 2^-10 to 2^40
  const auto code = [&](double x) {
    return std::clamp(apply(curve, x) / output.scale[0] + output.zero_point[0],
                      static_cast<double>(lowest_code(result)), static_cast<double>(highest_code(result)));
  };
  // Inwards from far outside, as long as nothing changes any more.
  Settled right, left;
  int k = kLast;
  while (k > kFirst && right.add(code(quarter_power(k - 1))) && left.add(code(-quarter_power(k - 1)))) --k;
  const double limit = std::min(quarter_power(k), reach);
  // Interpolation rounds corners off: put them on an entry of the table. A little wider does no harm.
  const double corner = corner_of(curve);
  const double side = result == DType::Int16 ? kWideTableSize / 2 : 256;  // entries on either side of 0
  const double entries = std::floor(side * corner / limit);
  return entries >= 1 ? side * corner / entries : limit;
}

std::vector<int16_t> activation_table(const Curve& curve, double limit, const QuantParams& output) {
  std::vector<int16_t> table;
  for (int i = 0; i <= 512; ++i) {
    const double real = apply(curve, (i - 256) * (limit / 256));
    const double entry = std::nearbyint(real / output.scale[0] * 128);
    table.push_back(static_cast<int16_t>(std::clamp(entry, -32768.0, 32767.0)));
  }
  return table;
}

std::vector<int32_t> wide_activation_table(const Curve& curve, double limit, const QuantParams& output) {
  constexpr int kHalf = kWideTableSize / 2;
  constexpr double kCode = 1 << kWideEntryBits;
  std::vector<int32_t> table;
  for (int i = 0; i < kWideTableSize; ++i) {
    const double real = apply(curve, (i - kHalf) * (limit / kHalf));
    const double entry = std::nearbyint(real / output.scale[0] * kCode);
    table.push_back(static_cast<int32_t>(std::clamp(entry, -0x1p31, 0x1p31 - 1)));
  }
  return table;
}

std::vector<int8_t> code_table(const Curve& curve, const QuantParams& input, const QuantParams& output) {
  std::vector<int8_t> table;
  for (int code = -128; code <= 127; ++code) {
    const double real = apply(curve, (code - input.zero_point[0]) * input.scale[0]);
    table.push_back(static_cast<int8_t>(real_to_code(real, output.scale[0], output.zero_point[0])));
  }
  return table;
}

CodeClamp clamp_of(const std::optional<Curve>& curve, const QuantParams& output, DType result) {
  const auto low = static_cast<int32_t>(lowest_code(result)), high = static_cast<int32_t>(highest_code(result));
  if (!curve || !is_clamp(*curve)) return {low, high};
  // Infinite bounds saturate to the ends of the range.
  return {real_to_code(curve->low, output.scale[0], output.zero_point[0], low, high),
          real_to_code(curve->high, output.scale[0], output.zero_point[0], low, high)};
}

}  // namespace openrknn
