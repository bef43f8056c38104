#include "compiler/importers/onnx/waves.h"

#include <cmath>
#include <utility>

namespace openrknn::onnx {
namespace {

/// Σ terms[i] x^i by Horner's rule, where terms[i] = ± 1 / (first + step i)!, signs as given.
double series(double square, int first, bool alternating) {
  constexpr int kTerms = 10;
  double sum = 0;
  for (int i = kTerms - 1; i >= 0; --i) {
    double factorial = 1;
    for (int j = 2; j <= first + 2 * i; ++j) factorial *= j;
    sum = sum * square + (alternating && i % 2 != 0 ? -1.0 : 1.0) / factorial;
  }
  return sum;
}

}  // namespace

Circle circle(int64_t count) {
  constexpr double kPi = 0x1.921fb54442d18p+1;
  Circle c;
  c.cosine.resize(static_cast<size_t>(count));
  c.sine.resize(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    // In units of 1/(8 count) of the circle an eighth has `count` of them.
    const int64_t place = 8 * i;
    const int64_t quarter = (place + count) / (2 * count);  // the nearest multiple of a quarter
    const int64_t rest = place - quarter * 2 * count;       // -count … count - 1
    const double angle = kPi * static_cast<double>(rest) / static_cast<double>(4 * count);
    double cosine = series(angle * angle, 0, true), sine = angle * series(angle * angle, 1, true);
    for (int64_t turn = 0; turn < quarter % 4; ++turn) cosine = -std::exchange(sine, cosine);
    c.cosine[static_cast<size_t>(i)] = cosine;
    c.sine[static_cast<size_t>(i)] = sine;
  }
  return c;
}

double exponential(double x) {
  constexpr double kLog2High = 0x1.62e42fee00000p-1, kLog2Low = 0x1.a39ef35793c76p-33;
  const double whole = std::nearbyint(x / (kLog2High + kLog2Low));
  const double r = ((x - whole * kLog2High) - whole * kLog2Low) / 2;  // |r| <= 0.18
  // e^2r = (sinh r + cosh r)^2
  const double root = series(r * r, 0, false) + r * series(r * r, 1, false);
  return std::ldexp(root * root, static_cast<int>(whole));
}

double logarithm(double x) {
  constexpr double kLog2 = 0x1.62e42fefa39efp-1;
  int exponent = 0;
  double m = std::frexp(x, &exponent);  // 0.5 … 1
  if (m < 0.70710678118654752) {
    m *= 2;
    --exponent;
  }
  // ln m = 2 artanh((m - 1) / (m + 1))
  const double z = (m - 1) / (m + 1), square = z * z;
  double sum = 0;
  for (int i = 13; i >= 0; --i) sum = sum * square + 1.0 / (2 * i + 1);
  return 2 * z * sum + exponent * kLog2;
}

}  // namespace openrknn::onnx
