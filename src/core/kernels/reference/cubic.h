// Keys' cubic kernel with parameter a: the weights Resize and GridSample share.
#pragma once

#include <array>

namespace openrknn::reference {

/// The four weights of a position `share` beyond the second of its four taps, 0 <= share < 1.
inline std::array<float, 4> cubic_weights(float a, float share) {
  const auto far = [a](float t) { return ((a * t - 5.0f * a) * t + 8.0f * a) * t - 4.0f * a; };
  const auto near = [a](float t) { return ((a + 2.0f) * t - (a + 3.0f)) * t * t + 1.0f; };
  return {far(share + 1.0f), near(share), near(1.0f - share), far(2.0f - share)};
}

}  // namespace openrknn::reference
