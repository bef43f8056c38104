// Tangent, the inverse trigonometric and the hyperbolic functions of float32: computed in double from series of our own
// and rounded once, so that results are the same on every CPU and C library. At most 0.51 ULP; the tangent 1.6 ULP,
// because its argument is reduced to a float32 first. NaN in, or an argument outside the domain, gives a NaN.
#pragma once

#include <cmath>
#include <limits>

#include "core/kernels/math.h"
#include "core/kernels/reference/power.h"

namespace openrknn::reference {

inline constexpr double kPi = 0x1.921fb54442d18p+1;

/// first + x2 (first' + x2 (…)) for coefficients given lowest power first.
template <int terms, class Coefficient>
double series_of(double x2, Coefficient coefficient) {
  double sum = coefficient(terms - 1);
  for (int i = terms - 2; i >= 0; --i) sum = sum * x2 + coefficient(i);
  return sum;
}

/// Arc tangent; the sign of 0 stays. 1/x takes |x| to [0, 1], halving the angle twice to [0, tan(pi/16)].
inline double arc_tangent(double x) {
  const double size = std::fabs(x);
  const bool inverted = size > 1.0;
  double t = inverted ? 1.0 / size : size;
  for (int i = 0; i < 2; ++i) t = t / (1.0 + std::sqrt(1.0 + t * t));
  const double part = 4.0 * t * series_of<11>(t * t, [](int i) { return (i % 2 ? -1.0 : 1.0) / (2 * i + 1); });
  return std::copysign(inverted ? kPi / 2 - part : part, x);
}
inline float atan(float x) { return x != x ? math::kQuietNan : static_cast<float>(arc_tangent(x)); }

/// Where the square root is of a negative number the argument is outside [-1, 1].
inline float asin(float x) {
  if (!(std::fabs(x) <= 1.0f)) return math::kQuietNan;
  const double wide = x;
  return static_cast<float>(arc_tangent(wide / std::sqrt((1.0 - wide) * (1.0 + wide))));
}
inline float acos(float x) {
  if (!(std::fabs(x) <= 1.0f)) return math::kQuietNan;
  const double wide = x;
  return static_cast<float>(2.0 * arc_tangent(std::sqrt((1.0 - wide) / (1.0 + wide))));
}

/// Sine over cosine of the rest after quarter turns; an odd number of them exchanges the two.
inline float tan(float x) {
  const math::QuarterTurns parts = math::reduce_quarter_turns_of(x);
  if (parts.rest != parts.rest) return math::kQuietNan;
  if (parts.rest == 0.0f && parts.turns == 0) return x;
  const double r = parts.rest, r2 = r * r;
  double factorial[18] = {1.0};
  for (int i = 1; i < 18; ++i) factorial[i] = factorial[i - 1] * i;
  const double sine = r * series_of<9>(r2, [&](int i) { return (i % 2 ? -1.0 : 1.0) / factorial[2 * i + 1]; });
  const double cosine = series_of<9>(r2, [&](int i) { return (i % 2 ? -1.0 : 1.0) / factorial[2 * i]; });
  return static_cast<float>(parts.turns % 2 != 0 ? -cosine / sine : sine / cosine);
}

/// e^x for |x| <= 100.
inline double exponential(double x) { return exp2_of(x * 0x1.71547652b82fep+0); }  // 1 / ln 2
/// Natural logarithm of a positive, finite, normal double.
inline double natural_log(double x) { return log2_of(x) * 0x1.62e42fefa39efp-1; }  // ln 2

/// Beyond 100 both functions have long left the range of float32.
inline float sinh(float x) {
  if (x != x) return math::kQuietNan;
  const double size = std::fmin(std::fabs(static_cast<double>(x)), 100.0), x2 = size * size;
  double result;
  if (size < 1.0) {  // the difference of exponentials would cancel
    double term = size;
    result = size;
    for (int i = 2; i <= 16; i += 2) {
      term = term * x2 / (i * (i + 1.0));
      result += term;
    }
  } else {
    result = 0.5 * (exponential(size) - exponential(-size));
  }
  return std::copysign(static_cast<float>(result), x);
}
inline float cosh(float x) {
  if (x != x) return math::kQuietNan;
  const double size = std::fmin(std::fabs(static_cast<double>(x)), 100.0);
  return static_cast<float>(0.5 * (exponential(size) + exponential(-size)));
}

/// Below this the logarithms of the inverse functions would lose digits, and two terms of the series are exact enough.
inline constexpr double kTiny = 0x1p-11;

inline float asinh(float x) {
  if (x != x) return math::kQuietNan;
  const double size = std::fabs(static_cast<double>(x));
  if (size == std::numeric_limits<double>::infinity()) return x;
  const double result =
      size < kTiny ? size - size * size * size / 6.0 : natural_log(size + std::sqrt(size * size + 1.0));
  return std::copysign(static_cast<float>(result), x);
}
inline float acosh(float x) {
  if (!(x >= 1.0f)) return math::kQuietNan;
  const double wide = x;
  if (wide == std::numeric_limits<double>::infinity()) return x;
  return static_cast<float>(natural_log(wide + std::sqrt((wide - 1.0) * (wide + 1.0))));
}
inline float atanh(float x) {
  const double size = std::fabs(static_cast<double>(x));
  if (!(size <= 1.0)) return math::kQuietNan;
  if (size == 1.0) return std::copysign(math::kInfinity, x);
  const double result = size < kTiny ? size + size * size * size / 3.0 : 0.5 * natural_log((1.0 + size) / (1.0 - size));
  return std::copysign(static_cast<float>(result), x);
}

}  // namespace openrknn::reference
