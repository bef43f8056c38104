// Resize: nearest, linear and cubic over one to three spatial dimensions of channels-last data.
// Every output position of a dimension has 1, 2 or 4 taps (input positions and weights), computed at plan time in
// float32 as onnxruntime does: with exact ties, nearest depends on it. A dimension that keeps its extent at scale 1 has
// one tap and is copied.
// Float rule: dimensions are interpolated one after the other, the innermost (width) first, then height, then depth;
// each as ((x0*w0 + x1*w1) + x2*w2) + x3*w3, every operation rounded, none fused; dimensions with one tap take no
// multiplication. 16-bit floats are rounded once, at the end.
#include <array>
#include <cmath>
#include <string>

#include "core/kernels/reference/prepared.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace reference {
namespace {

constexpr int64_t kMaxTaps = 4;

struct ResizeAxis {
  int64_t in = 1, out = 1, taps = 1;
  std::vector<int64_t> index;    // [out][taps]
  std::vector<float> weight;     // [out][taps]
  std::vector<uint8_t> outside;  // [out]: takes the extrapolation value; empty: none does

  bool is_outside(int64_t o) const { return !outside.empty() && outside[static_cast<size_t>(o)] != 0; }
};

struct ResizeState {
  Body<ResizeState> body = nullptr;
  std::array<ResizeAxis, 3> axes;  // depth, height, width; missing ones have extent 1
  int64_t channels = 1;
  float extrapolation = 0;
  Tiles tiles;  // rows (n, od, oh)
  int64_t lines_at = 0, height_at = 0, depth_at = 0;

  int64_t row_size() const { return axes[2].out * channels; }
};

/// One row, interpolated along the width: out[ow][c].
template <class T>
void resize_line(const ResizeAxis& width, int64_t channels, const T* in, float* out) {
  for (int64_t o = 0; o < width.out; ++o, out += channels) {
    const int64_t* index = &width.index[static_cast<size_t>(o * width.taps)];
    const float* weight = &width.weight[static_cast<size_t>(o * width.taps)];
    const T* first = in + index[0] * channels;
    if (width.taps == 1) {
      load_floats(first, out, channels);
      continue;
    }
    const T* second = in + index[1] * channels;
    for (int64_t c = 0; c < channels; ++c) {
      out[c] = static_cast<float>(first[c]) * weight[0] + static_cast<float>(second[c]) * weight[1];
    }
    for (int64_t k = 2; k < width.taps; ++k) {
      const T* next = in + index[k] * channels;
      for (int64_t c = 0; c < channels; ++c) out[c] += static_cast<float>(next[c]) * weight[k];
    }
  }
}
/// Tap number k joins the sum along an outer dimension.
void add_tap(const ResizeAxis& axis, int64_t o, int64_t k, const float* in, float* sum, int64_t count) {
  const float weight = axis.weight[static_cast<size_t>(o * axis.taps + k)];
  if (axis.taps == 1) {
    std::memcpy(sum, in, static_cast<size_t>(count) * sizeof(float));
  } else if (k == 0) {
    for (int64_t i = 0; i < count; ++i) sum[i] = in[i] * weight;
  } else {
    for (int64_t i = 0; i < count; ++i) sum[i] += in[i] * weight;
  }
}

template <class T>
void run_interpolated(const ResizeState& s, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  const auto& [depth, height, width] = s.axes;
  const int64_t size = s.row_size();
  float* lines = scratch_at<float>(scratch, s.lines_at);
  float* height_sum = scratch_at<float>(scratch, s.height_at);
  float* depth_sum = scratch_at<float>(scratch, s.depth_at);
  int64_t held[kMaxTaps] = {-1, -1, -1, -1};  // neighbouring rows need the same lines again
  for (int64_t row = s.tiles.begin(tile); row < s.tiles.end(tile); ++row) {
    const int64_t oh = row % height.out, od = row / height.out % depth.out, n = row / height.out / depth.out;
    T* y = output<T>(buffers) + row * size;
    if (height.is_outside(oh) || depth.is_outside(od)) {
      std::fill_n(y, size, static_cast<T>(s.extrapolation));
      continue;
    }
    for (int64_t kd = 0; kd < depth.taps; ++kd) {
      for (int64_t kh = 0; kh < height.taps; ++kh) {
        const int64_t d = depth.index[static_cast<size_t>(od * depth.taps + kd)];
        const int64_t source =
            (n * depth.in + d) * height.in + height.index[static_cast<size_t>(oh * height.taps + kh)];
        float* line = lines + source % kMaxTaps * size;
        if (held[source % kMaxTaps] != source) {
          resize_line(width, s.channels, input<T>(buffers, 0) + source * width.in * s.channels, line);
          held[source % kMaxTaps] = source;
        }
        add_tap(height, oh, kh, line, height_sum, size);
      }
      add_tap(depth, od, kd, height_sum, depth_sum, size);
    }
    store_floats(depth_sum, y, size);
    for (int64_t o = 0; !width.outside.empty() && o < width.out; ++o) {
      if (width.is_outside(o)) std::fill_n(y + o * s.channels, s.channels, static_cast<T>(s.extrapolation));
    }
  }
}

/// One tap in every dimension: whole pixels are copied. T has the element's size.
template <class T>
void run_copied(const ResizeState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  const auto& [depth, height, width] = s.axes;
  const int64_t channels = s.channels;
  for (int64_t row = s.tiles.begin(tile); row < s.tiles.end(tile); ++row) {
    const int64_t oh = row % height.out, od = row / height.out % depth.out, n = row / height.out / depth.out;
    const int64_t d = depth.index[static_cast<size_t>(od)], h = height.index[static_cast<size_t>(oh)];
    const T* x = input<T>(buffers, 0) + ((n * depth.in + d) * height.in + h) * width.in * channels;
    T* y = output<T>(buffers) + row * s.row_size();
    for (int64_t o = 0; o < width.out; ++o) {
      const T* pixel = x + width.index[static_cast<size_t>(o)] * channels;
      if (channels == 1)
        y[o] = *pixel;
      else
        std::memcpy(y + o * channels, pixel, static_cast<size_t>(channels) * sizeof(T));
    }
  }
}

// ---- Taps ----

struct ResizeMode {
  std::string mode, coordinates, nearest;
  float cubic_a = -0.75f;
  bool exclude_outside = false;
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
/// The four weights of a position `s` beyond the second tap (Keys' kernel with parameter a).
std::array<float, 4> cubic_weights(float a, float s) {
  const auto far = [a](float t) { return ((a * t - 5.0f * a) * t + 8.0f * a) * t - 4.0f * a; };
  const auto near = [a](float t) { return ((a + 2.0f) * t - (a + 3.0f)) * t * t + 1.0f; };
  return {far(s + 1.0f), near(s), near(1.0f - s), far(2.0f - s)};
}

void fill_taps(ResizeAxis& axis, const ResizeMode& m, float scale, float roi_begin, float roi_end) {
  const bool crops = m.coordinates == "tf_crop_and_resize";
  const bool copies = axis.in == axis.out && scale == 1.0f && !crops;
  const bool nearest = m.mode == "nearest";
  axis.taps = copies || nearest ? 1 : m.mode == "linear" ? 2 : kMaxTaps;
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
    } else if (axis.taps == 2) {
      const float clamped = std::min(std::max(x, 0.0f), last);
      const int64_t first = static_cast<int64_t>(clamped);
      const float share = clamped - static_cast<float>(first);
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

bool crops(const Call& call) {
  return string_attribute(call.node.attributes, "coordinate_transformation_mode", "") == "tf_crop_and_resize";
}
bool fits(const Call& call) {
  const Operand &x = call.inputs[0], &y = call.outputs[0];
  return x.layout == Layout::ChannelsLast && y.layout == Layout::ChannelsLast && x.shape.size() >= 3 &&
         x.shape.size() <= 5 && same_dtype(x, y) && x.shape.back() == y.shape.back() &&
         x.shape.front() == y.shape.front();
}
bool is_nearest(const Call& call) { return string_attribute(call.node.attributes, "mode", "nearest") == "nearest"; }
bool accepts_copied(const Call& call) {
  return fits(call) && is_nearest(call) && !crops(call) && whole_bytes(call.inputs[0].dtype) != 0 &&
         same_quant(call.inputs[0], call.outputs[0]);
}
bool accepts_interpolated(const Call& call) {
  const std::vector<double> roi = floats_attribute(call.node.attributes, "roi");
  return fits(call) && is_float(call.inputs[0]) && (!crops(call) || roi.size() == 2 * call.inputs[0].shape.size());
}

ResizeState start(const Call& call) {
  const Attributes& attributes = call.node.attributes;
  const Shape &x = call.inputs[0].shape, &y = call.outputs[0].shape;
  const std::vector<double> scales = floats_attribute(attributes, "scales"), roi = floats_attribute(attributes, "roi");
  ResizeMode m;
  m.mode = string_attribute(attributes, "mode", "nearest");
  m.coordinates = string_attribute(attributes, "coordinate_transformation_mode", "half_pixel");
  m.nearest = string_attribute(attributes, "nearest_mode", "round_prefer_floor");
  m.cubic_a = static_cast<float>(float_attribute(attributes, "cubic_coeff_a", -0.75));
  m.exclude_outside = int_attribute(attributes, "exclude_outside", 0) != 0;
  ResizeState s;
  s.extrapolation = static_cast<float>(float_attribute(attributes, "extrapolation_value", 0.0));
  s.channels = x.back();
  const size_t spatial = x.size() - 2;
  for (size_t i = 0; i < 3; ++i) {
    ResizeAxis& axis = s.axes[i];
    const size_t d = i + spatial - 2;  // wraps for the dimensions that stand in front
    const bool missing = i < 3 - spatial;
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
  s.tiles = tile_rows(x.front() * s.axes[0].out * s.axes[1].out, s.row_size());
  return s;
}
Prepared prepare_copied(const Call& call, Weights&) {
  ResizeState s = start(call);
  visit_size(whole_bytes(call.inputs[0].dtype), [&]<class T>(Tag<T>) { s.body = run_copied<T>; });
  const int64_t tiles = s.tiles.count();
  return make_prepared(std::move(s), tiles);
}
Prepared prepare_interpolated(const Call& call, Weights&) {
  ResizeState s = start(call);
  ScratchLayout scratch;
  s.lines_at = scratch.add<float>(kMaxTaps * s.row_size());
  s.height_at = scratch.add<float>(s.row_size());
  s.depth_at = scratch.add<float>(s.row_size());
  visit(FloatTypes{}, call.inputs[0].dtype, [&]<class T>(Tag<T>) { s.body = run_interpolated<T>; });
  const int64_t tiles = s.tiles.count();
  return make_prepared(std::move(s), tiles, scratch.bytes());
}

constexpr Kernel kRows[] = {
    {"Resize", "resize_nearest_reference", 0, accepts_copied, prepare_copied, run_body<ResizeState>},
    {"Resize", "resize_reference", 0, accepts_interpolated, prepare_interpolated, run_body<ResizeState>},
};

}  // namespace
}  // namespace reference

std::span<const Kernel> reference_resize_kernels() { return reference::kRows; }

}  // namespace openrknn
