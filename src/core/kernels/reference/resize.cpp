// Resize: nearest, linear and cubic over one to three spatial dimensions of channels-last data.
// Every output position of a dimension has 1, 2 or 4 taps (input positions and weights; antialias: more), computed at
// plan time in float32 as onnxruntime does: with exact ties, nearest depends on it. A dimension that keeps its extent
// at scale 1 has one tap and is copied. Float rule: dimensions are interpolated one after the other, the innermost
// (width) first, then height, then depth; each as ((x0*w0 + x1*w1) + x2*w2) + x3*w3 …, every operation rounded, none
// fused; dimensions with one tap take no multiplication. 16-bit floats are rounded once, at the end.
#include <array>
#include <cmath>
#include <string>

#include "core/kernels/reference/prepared.h"
#include "core/kernels/reference/resize_taps.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace reference {
namespace {

struct ResizeState {
  Body<ResizeState> body = nullptr;
  std::array<ResizeAxis, 3> axes;  // depth, height, width; missing ones have extent 1
  int64_t channels = 1, pixel_bytes = 0;
  float extrapolation = 0;
  Tiles tiles;        // rows (n, od, oh)
  int64_t lines = 1;  // interpolated along the width and kept, as neighbouring rows need the same ones again
  int64_t held_at = 0, lines_at = 0, height_at = 0, depth_at = 0;

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
  int64_t* held = scratch_at<int64_t>(scratch, s.held_at);
  std::fill_n(held, s.lines, int64_t{-1});
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
        float* line = lines + source % s.lines * size;
        if (held[source % s.lines] != source) {
          resize_line(width, s.channels, input<T>(buffers, 0) + source * width.in * s.channels, line);
          held[source % s.lines] = source;
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

/// One tap in every dimension: whole pixels of kBytes (0: any number) are copied.
template <int64_t kBytes>
void run_copied(const ResizeState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  const auto& [depth, height, width] = s.axes;
  const int64_t bytes = kBytes > 0 ? kBytes : s.pixel_bytes, row_bytes = width.out * bytes;
  const std::byte* before = nullptr;  // what the row above shows: neighbours are often the same
  for (int64_t row = s.tiles.begin(tile); row < s.tiles.end(tile); ++row) {
    const int64_t oh = row % height.out, od = row / height.out % depth.out, n = row / height.out / depth.out;
    const int64_t d = depth.index[static_cast<size_t>(od)], h = height.index[static_cast<size_t>(oh)];
    const std::byte* x = buffers[0].data + ((n * depth.in + d) * height.in + h) * width.in * bytes;
    std::byte* y = buffers.back().data + row * row_bytes;
    if (x == before) {
      std::memcpy(y, y - row_bytes, static_cast<size_t>(row_bytes));
      continue;
    }
    before = x;
    for (int64_t o = 0; o < width.out; ++o) {
      std::memcpy(y + o * bytes, x + width.index[static_cast<size_t>(o)] * bytes, static_cast<size_t>(bytes));
    }
  }
}

bool crops(const Call& call) {
  return string_attribute(call.node.attributes, "coordinate_transformation_mode", "") == "tf_crop_and_resize";
}
bool fits_resize(const Call& call) {
  const Operand &x = call.inputs[0], &y = call.outputs[0];
  return x.layout == Layout::ChannelsLast && y.layout == Layout::ChannelsLast && x.shape.size() >= 3 &&
         x.shape.size() <= 5 && same_dtype(x, y) && x.shape.back() == y.shape.back() &&
         x.shape.front() == y.shape.front();
}
bool resizes_nearest(const Call& call) {
  return string_attribute(call.node.attributes, "mode", "nearest") == "nearest";
}
bool accepts_copied(const Call& call) {
  return fits_resize(call) && resizes_nearest(call) && !crops(call) && whole_bytes(call.inputs[0].dtype) != 0 &&
         same_quant(call.inputs[0], call.outputs[0]);
}
bool accepts_interpolated(const Call& call) {
  const std::vector<double> roi = floats_attribute(call.node.attributes, "roi");
  return fits_resize(call) && is_float(call.inputs[0]) &&
         (!crops(call) || roi.size() == 2 * call.inputs[0].shape.size());
}

ResizeState start_resize(const Call& call) {
  ResizeState s;
  s.axes = resize_axes(call);
  s.extrapolation = static_cast<float>(float_attribute(call.node.attributes, "extrapolation_value", 0.0));
  s.channels = call.inputs[0].shape.back();
  s.tiles = tile_rows(call.inputs[0].shape.front() * s.axes[0].out * s.axes[1].out, s.row_size());
  return s;
}
/// The loop for pixels of that many bytes; those of few have one of their own.
template <int64_t... kSizes>
Body<ResizeState> copied_body(int64_t bytes, std::integer_sequence<int64_t, kSizes...>) {
  Body<ResizeState> body = run_copied<0>;
  ((bytes == kSizes ? static_cast<void>(body = run_copied<kSizes>) : static_cast<void>(0)), ...);
  return body;
}
Prepared prepare_copied(const Call& call, Weights&) {
  constexpr int64_t kTileBytes = 16 * kTileElements;  // copies are cheap
  ResizeState s = start_resize(call);
  s.pixel_bytes = s.channels * whole_bytes(call.inputs[0].dtype);
  s.body = copied_body(s.pixel_bytes, std::integer_sequence<int64_t, 1, 2, 3, 4, 6, 8, 12, 16>{});
  s.tiles.block = std::max<int64_t>(1, kTileBytes / std::max<int64_t>(1, s.axes[2].out * s.pixel_bytes));
  return make_tiled(std::move(s));
}
Prepared prepare_interpolated(const Call& call, Weights&) {
  ResizeState s = start_resize(call);
  ScratchLayout scratch;
  s.lines = std::max<int64_t>(4, s.axes[1].taps);
  s.held_at = scratch.add<int64_t>(s.lines);
  s.lines_at = scratch.add<float>(s.lines * s.row_size());
  s.height_at = scratch.add<float>(s.row_size());
  s.depth_at = scratch.add<float>(s.row_size());
  visit(FloatTypes{}, call.inputs[0].dtype, [&]<class T>(Tag<T>) { s.body = run_interpolated<T>; });
  return make_tiled(std::move(s), scratch.bytes());
}

constexpr Kernel kResizeKernels[] = {
    {"Resize", "resize_nearest_reference", 0, accepts_copied, prepare_copied, run_body<ResizeState>},
    {"Resize", "resize_reference", 0, accepts_interpolated, prepare_interpolated, run_body<ResizeState>},
};

}  // namespace
}  // namespace reference

std::span<const Kernel> reference_resize_kernels() { return reference::kResizeKernels; }

}  // namespace openrknn
