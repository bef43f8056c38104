// Where linear Resize samples its input: shared by lower(), which stores the weights, and `ideal` results.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string_view>

#include "core/base/dtype.h"

namespace openrknn {

/// Two neighbours of one dimension and the second one's share, 0..1. At an edge both are the edge.
struct LinearTap {
  int64_t first = 0, second = 0;
  double share = 0;
};

/// The position in the input that output position `o` shows (ONNX Resize, coordinate_transformation_mode). `scale` is
/// the declared one; it may differ from out / in by rounding of the size. An unknown mode gives NaN.
inline double resize_position(std::string_view mode, int64_t o, int64_t in, int64_t out, double scale) {
  const double position = static_cast<double>(o);
  if (mode == "half_pixel") return (position + 0.5) / scale - 0.5;
  if (mode == "pytorch_half_pixel") return out > 1 ? (position + 0.5) / scale - 0.5 : 0.0;
  if (mode == "asymmetric") return position / scale;
  if (mode == "align_corners") {
    return out > 1 ? position * static_cast<double>(in - 1) / static_cast<double>(out - 1) : 0.0;
  }
  if (mode == "half_pixel_symmetric") {
    const double length = static_cast<double>(in) * scale, adjustment = static_cast<double>(out) / length;
    return static_cast<double>(in) / 2 * (1 - adjustment) + (position + 0.5) / scale - 0.5;
  }
  return std::nan("");
}

inline LinearTap linear_tap(std::string_view mode, int64_t o, int64_t in, int64_t out, double scale) {
  const double x = std::clamp(resize_position(mode, o, in, out, scale), 0.0, static_cast<double>(in - 1));
  const int64_t first = static_cast<int64_t>(x);
  return {first, std::min(first + 1, in - 1), x - static_cast<double>(first)};
}

/// Linear Resize in integers: a share is stored as round(share · 2^11), so that the weights of two dimensions times a
/// code stay inside 32 bits.
inline constexpr int kResizeShareBits = 11;
/// Int16 codes take 15 bits a dimension: three of them and a code still fit in 64.
inline int resize_share_bits(DType codes) { return codes == DType::Int16 ? 15 : kResizeShareBits; }

}  // namespace openrknn
