// x^y for float32, correctly rounded in all but about one case in ten million: computed in double, rounded once.
// The logarithm and exponential are series of our own, so that results do not depend on the C library.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "core/kernels/reference/convert.h"

namespace openrknn::reference {

/// log2 of a positive, finite, normal double; absolute error below 1e-15 plus one rounding.
inline double log2_of(double x) {
  const uint64_t bits = std::bit_cast<uint64_t>(x);
  int64_t exponent = static_cast<int64_t>(bits >> 52) - 1023;
  double m = std::bit_cast<double>((bits & 0xfffffffffffffull) | 0x3ff0000000000000ull);  // [1, 2)
  if (m > 0x1.6a09e667f3bcdp+0) {                                                         // sqrt 2
    m *= 0.5;
    ++exponent;
  }
  // ln m = 2 atanh(t), t = (m - 1) / (m + 1), |t| <= 0.172: t + t^3/3 + t^5/5 + …
  const double t = (m - 1.0) / (m + 1.0), t2 = t * t;
  double series = 0.0;
  for (int power = 21; power >= 1; power -= 2) series = series * t2 + 1.0 / power;
  return static_cast<double>(exponent) + series * t * 2.0 * 0x1.71547652b82fep+0;  // 1 / ln 2
}

/// 2^x for |x| <= 1000; relative error below 1e-15.
inline double exp2_of(double x) {
  const double whole = std::nearbyint(x);
  const double z = (x - whole) * 0x1.62e42fefa39efp-1;  // ln 2, |z| <= 0.347
  double series = 1.0;
  for (int i = 14; i >= 1; --i) series = series * z / i + 1.0;
  return series * std::bit_cast<double>(static_cast<uint64_t>(static_cast<int64_t>(whole) + 1023) << 52);
}

/// IEEE 754 pow: x^0 = 1^y = 1; a negative x needs a whole y, else NaN.
inline float power(float x, float y) {
  if (y == 0.0f || x == 1.0f) return 1.0f;
  if (x != x || y != y) return std::numeric_limits<float>::quiet_NaN();
  const float size = std::fabs(x), infinity = std::numeric_limits<float>::infinity();
  const bool whole = std::floor(y) == y;
  const bool odd = whole && std::fabs(y) < 0x1p24f && std::fmod(y, 2.0f) != 0.0f;
  if (x < 0.0f && size != infinity && !whole) return std::numeric_limits<float>::quiet_NaN();
  float result;
  if (size == 1.0f) {
    result = 1.0f;
  } else if (size == 0.0f || size == infinity || std::fabs(y) == infinity) {
    result = (size > 1.0f) == (y > 0.0f) ? infinity : 0.0f;
  } else {
    const double exponent = static_cast<double>(y) * log2_of(size);
    result = exponent > 200.0 ? infinity : exponent < -200.0 ? 0.0f : static_cast<float>(exp2_of(exponent));
  }
  return std::signbit(x) && odd ? -result : result;
}

/// As int64_t. Adding 2^62 to an exponent beyond 2^62 changes no power modulo 2^64: an odd number to the 2^62 is 1.
template <class Exponent>
int64_t whole_exponent(Exponent y) {
  if constexpr (std::is_same_v<Exponent, uint64_t>) {
    constexpr uint64_t kMost = std::numeric_limits<int64_t>::max();
    return static_cast<int64_t>(y > kMost ? (y & kMost) | uint64_t{1} << 62 : y);
  } else {
    return static_cast<int64_t>(y);
  }
}

/// Whole powers by squaring, wrapping around; x^-n is 0 unless |x| = 1 (0^-n: 0).
template <class T>
T integer_power(T x, int64_t y) {
  if (y < 0) return x == T{1} ? T{1} : static_cast<int64_t>(x) == -1 ? (y % 2 ? x : T{1}) : T{0};
  uint64_t result = 1, base = static_cast<uint64_t>(x);
  for (; y > 0; y /= 2) {
    if (y % 2) result *= base;
    base *= base;
  }
  return static_cast<T>(result);
}

/// x^y of an integer base and a fractional exponent: the real power truncated, 0 where there is none.
template <class T>
T integer_power(T x, float y) {
  if (std::floor(y) == y && std::fabs(y) < 0x1p31f) return integer_power(x, static_cast<int64_t>(y));
  if (!(static_cast<double>(x) > 0.0) || y != y) return T{0};
  const double exponent = static_cast<double>(y) * log2_of(static_cast<double>(x));
  if (exponent > 64.0) return std::numeric_limits<T>::max();
  if (exponent < -1.0) return T{0};
  // A root that is a whole number may come out a few bits below it.
  const double power = exp2_of(exponent), whole = std::nearbyint(power);
  return convert_number<T>(std::fabs(power - whole) < 1e-12 * power ? whole : power);
}

}  // namespace openrknn::reference
