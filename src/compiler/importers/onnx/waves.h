// Sine, cosine, exponential and logarithm in double, for constants that importers compute: + - * / only, so the bits
// are the same with every C library.
#pragma once

#include <cstdint>
#include <vector>

namespace openrknn::onnx {

/// cos and sin of 2 pi i / count for i = 0 … count - 1. The angle is brought into the first eighth of the circle in
/// whole numbers, exactly; a Taylor series does the rest. Error at most 2e-16.
struct Circle {
  std::vector<double> cosine, sine;
};
Circle circle(int64_t count);

/// e^x and ln x; relative error at most 1e-15 for |x| <= 100, and for x in [1e-30, 1e30].
double exponential(double x);
double logarithm(double x);

}  // namespace openrknn::onnx
