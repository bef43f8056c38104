// Numbers of known distributions, and what a quantization does to them, computed number by number.
#pragma once

#include <algorithm>
#include <cmath>
#include <random>

#include "support.h"

namespace openrknn::test {

struct Distribution {
  const char* name;
  std::vector<float> values;
};

inline std::vector<float> drawn(int count, float (*draw)(double normal, double uniform, int index)) {
  std::mt19937 random(20);
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> uniform(1e-12, 1);
  std::vector<float> values;
  for (int i = 0; i < count; ++i) {
    const double n = normal(random), u = uniform(random);
    values.push_back(draw(n, u, i));
  }
  return values;
}

inline float number(double v) { return static_cast<float>(v); }

inline std::vector<Distribution> distributions(int count = 6000) {
  return {
      {"normal", drawn(count, [](double n, double, int) { return number(n); })},
      {"shifted normal", drawn(count, [](double n, double, int) { return number(n + 1.5); })},
      {"laplace", drawn(count, [](double n, double u, int) { return number(std::copysign(std::log(u), n)); })},
      {"negative laplace", drawn(count, [](double, double u, int) { return number(3 * std::log(u)); })},
      {"relu", drawn(count, [](double n, double, int) { return number(std::max(0.0, n)); })},
      {"relu of laplace", drawn(count, [](double n, double u, int) { return n < 0 ? 0.0f : number(-std::log(u)); })},
      {"relu6", drawn(count, [](double n, double, int) { return number(std::clamp(4 * n, 0.0, 6.0)); })},
      {"silu", drawn(count, [](double n, double, int) { return number(2 * n / (1 + std::exp(-2 * n))); })},
      {"heavy tail", drawn(count, [](double n, double u, int) { return number(n / std::cbrt(u)); })},
      {"one outlier", drawn(count, [](double n, double, int i) { return i == 7 ? 50.0f : number(n); })},
      {"outliers on both sides",
       drawn(count, [](double n, double, int i) { return i < 2 ? number(i * 400 - 200) : number(n); })},
      {"far outlier", drawn(count, [](double n, double, int i) { return i == 7 ? 3e5f : number(n); })},
      {"bimodal", drawn(count, [](double n, double, int i) { return number(i % 3 == 0 ? 40 + n : n / 8); })},
      {"two values", drawn(count, [](double, double, int i) { return i % 2 == 0 ? -1.0f : 3.0f; })},
      {"uniform", drawn(count, [](double, double u, int) { return number(2 * u - 1); })},
      {"constant", drawn(count, [](double, double, int) { return 2.75f; })},
      {"all zero", drawn(count, [](double, double, int) { return 0.0f; })},
      {"tiny", drawn(count, [](double n, double, int) { return number(1e-30 * n); })},
      {"subnormal", drawn(count, [](double n, double, int) { return number(1e-41 * n); })},
      {"huge", drawn(count, [](double n, double, int) { return number(5e37 * n); })},
  };
}

inline Statistics statistics_of(std::span<const float> values) {
  BucketCounter counter;
  Statistics s;
  s.observe(0, values, &counter);
  return s;
}

/// Σ (x − x')², number by number.
inline double true_error(std::span<const float> values, const QuantParams& params, DType dtype = DType::Int8) {
  const auto low = static_cast<double>(lowest_code(dtype)), high = static_cast<double>(highest_code(dtype));
  const double scale = params.scale[0], zero_point = params.zero_point[0];
  double error = 0;
  for (const float v : values) {
    const double x = static_cast<double>(v);
    const double code = std::clamp(std::nearbyint(x / scale) + zero_point, low, high);
    const double e = x - (code - zero_point) * scale;
    error += e * e;
  }
  return error;
}
inline double energy(std::span<const float> values) {
  double sum = 0;
  for (const float v : values) sum += static_cast<double>(v) * static_cast<double>(v);
  return sum;
}

}  // namespace openrknn::test
