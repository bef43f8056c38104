// How wide the filter of an antialiasing Resize is: inference bounds it, kernels use it.
#pragma once

#include <cmath>
#include <cstdint>

namespace openrknn {

/// Neighbours of one output position along a dimension that shrinks to `scale` < 1: the filter of linear (1 pixel to
/// each side) or cubic (2), stretched by 1 / scale. Meaningless beyond 2^40.
inline int64_t resize_filter_taps(bool cubic, double scale) {
  const double start = std::floor(-(cubic ? 2.0 : 1.0) / scale) + 1;
  return start < -0x1p40 ? int64_t{1} << 41 : 2 - 2 * static_cast<int64_t>(start);
}

}  // namespace openrknn
