#include "core/kernels/reference/resize_taps.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/graph/resize_filter.h"
#include "core/kernels/reference/cubic.h"

namespace openrknn::reference {
namespace {

struct ResizeMode {
  std::string mode, coordinates, nearest;
  float cubic_a = -0.75f;
  bool exclude_outside = false, antialias = false;
};

/// The input position that output position o shows.
float position_of(const ResizeMode& m, float o, float in, float out, float scale, float roi_begin, float roi_end) {
  if (m.coordinates == "asymmetric") return o / scale;
  if (m.coordinates == "align_corners") return out == 1.0f ? 0.0f : o * (in - 1.0f) / (out - 1.0f);
  if (m.coordinates == "pytorch_half_pixel") return out > 1.0f ? (o + 0.5f) / scale - 0.5f : 0.0f;
  if (m.coordinates == "tf_half_pixel_for_nn") return (o + 0.5f) / scale;
  if (m.coordinates == "half_pixel_symmetric") {
    const float adjustment = out / (scale * in), offset = in / 2.0f * (1.0f - adjustment);
    return offset + (o + 0.5f) / scale - 0.5f;
  }
  if (m.coordinates == "tf_crop_and_resize") {
    return out > 1.0f ? roi_begin * (in - 1.0f) + o * (roi_end - roi_begin) * (in - 1.0f) / (out - 1.0f)
                      : 0.5f * (roi_begin + roi_end) * (in - 1.0f);
  }
  return (o + 0.5f) / scale - 0.5f;  // half_pixel
}
float round_position(const ResizeMode& m, float x) {
  if (m.nearest == "floor") return std::floor(x);
  if (m.nearest == "ceil") return std::ceil(x);
  const bool tie = x == std::floor(x) + 0.5f;
  if (tie) return m.nearest == "round_prefer_ceil" ? std::ceil(x) : std::floor(x);
  return std::nearbyint(x);
}

/// The filters at a distance from the position: a triangle, and Keys' kernel with parameter a.
double triangle(double x) { return std::max(0.0, 1.0 - std::fabs(x)); }
double keys(double a, double x) {
  x = std::fabs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0.0;
}

/// Neighbours of position x where the filter is stretched by 1 / scale (antialias, scale < 1); in double, rounded once.
void add_stretched_taps(ResizeAxis& axis, const ResizeMode& m, double x, double scale) {
  const bool cubic = m.mode == "cubic";
  const int64_t begin = 1 - axis.taps / 2;
  // A position on a pixel counts as the end of the interval before it.
  const double base = x == std::floor(x) ? x - 1 : std::floor(x);
  std::vector<double> weights;
  double sum = 0;
  for (int64_t k = 0; k < axis.taps; ++k) {
    const double at = base + static_cast<double>(begin + k), distance = scale * (at - x);
    const bool outside = !(at >= 0 && at <= static_cast<double>(axis.in - 1));
    const double weight = cubic ? keys(double{m.cubic_a}, distance) : triangle(distance);
    weights.push_back(outside && m.exclude_outside ? 0.0 : weight);
    sum += weights.back();
    axis.index.push_back(static_cast<int64_t>(std::min(std::max(at, 0.0), static_cast<double>(axis.in - 1))));
  }
  for (const double weight : weights) axis.weight.push_back(static_cast<float>(weight / sum));
}

void fill_taps(ResizeAxis& axis, const ResizeMode& m, float scale, float roi_begin, float roi_end) {
  const bool crops = m.coordinates == "tf_crop_and_resize";
  const bool copies = axis.in == axis.out && scale == 1.0f && !crops;
  const bool nearest = m.mode == "nearest";
  const bool stretched = m.antialias && !nearest && !copies && scale < 1.0f;
  axis.taps = copies || nearest ? 1 : m.mode == "linear" ? 2 : 4;
  if (stretched) axis.taps = resize_filter_taps(m.mode == "cubic", double{scale});
  if (crops) axis.outside.resize(static_cast<size_t>(axis.out));
  const float last = static_cast<float>(axis.in - 1);
  const auto inside = [&](float x) { return static_cast<int64_t>(std::min(std::max(x, 0.0f), last)); };
  for (int64_t o = 0; o < axis.out; ++o) {
    if (copies) {
      axis.index.push_back(o);
      axis.weight.push_back(1.0f);
      continue;
    }
    const float x = position_of(m, static_cast<float>(o), static_cast<float>(axis.in), static_cast<float>(axis.out),
                                scale, roi_begin, roi_end);
    if (crops) axis.outside[static_cast<size_t>(o)] = !(x >= 0.0f && x <= last);
    if (nearest) {
      axis.index.push_back(inside(round_position(m, x)));
      axis.weight.push_back(1.0f);
    } else if (stretched) {
      add_stretched_taps(axis, m, double{x}, double{scale});
    } else if (axis.taps == 2) {
      const float clamped = std::min(std::max(x, 0.0f), last);
      const int64_t first = static_cast<int64_t>(clamped);
      const float share = clamped - static_cast<float>(first);
      // Beyond an edge both neighbours are the edge; its one weight is what exclude_outside leaves, too.
      axis.index.insert(axis.index.end(), {first, std::min(first + 1, axis.in - 1)});
      axis.weight.insert(axis.weight.end(), {1.0f - share, share});
    } else {
      const float base = std::floor(x);
      std::array<float, 4> weights = cubic_weights(m.cubic_a, x - base);
      float sum = 0.0f;
      for (int k = 0; k < 4; ++k) {
        const float at = base + static_cast<float>(k - 1);
        if (m.exclude_outside && !(at >= 0.0f && at <= last)) weights[static_cast<size_t>(k)] = 0.0f;
        sum += weights[static_cast<size_t>(k)];
        axis.index.push_back(inside(at));
      }
      for (float& weight : weights) axis.weight.push_back(m.exclude_outside ? weight / sum : weight);
    }
  }
}

}  // namespace

std::array<ResizeAxis, 3> resize_axes(const Call& call) {
  const Attributes& attributes = call.node.attributes;
  const Shape &x = call.inputs[0].shape, &y = call.outputs[0].shape;
  const std::vector<double> scales = floats_attribute(attributes, "scales"), roi = floats_attribute(attributes, "roi");
  ResizeMode m;
  m.mode = string_attribute(attributes, "mode", "nearest");
  m.coordinates = string_attribute(attributes, "coordinate_transformation_mode", "half_pixel");
  m.nearest = string_attribute(attributes, "nearest_mode", "round_prefer_floor");
  m.cubic_a = static_cast<float>(float_attribute(attributes, "cubic_coeff_a", -0.75));
  m.exclude_outside = int_attribute(attributes, "exclude_outside", 0) != 0;
  m.antialias = int_attribute(attributes, "antialias", 0) != 0;
  std::array<ResizeAxis, 3> axes;
  const size_t spatial = x.size() - 2;
  for (size_t i = 0; i < 3; ++i) {
    ResizeAxis& axis = axes[i];
    // Channels-last: spatial dimensions stand at 1 … spatial.
    const bool missing = i < 3 - spatial;
    const size_t d = missing ? 0 : i + spatial - 2;
    if (!missing) {
      axis.in = x[d];
      axis.out = y[d];
    }
    float scale = static_cast<float>(axis.out) / static_cast<float>(axis.in);
    if (!missing && !scales.empty()) scale = static_cast<float>(scales[d]);
    const bool has_roi = !missing && !roi.empty();
    ResizeMode own = m;
    if (missing) own.coordinates = "half_pixel";
    fill_taps(axis, own, scale, has_roi ? static_cast<float>(roi[d]) : 0.0f,
              has_roi ? static_cast<float>(roi[x.size() + d]) : 1.0f);
  }
  return axes;
}

}  // namespace openrknn::reference
