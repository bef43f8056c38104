// GridSample: x read at places that are computed.
// Float rule: places and weights are float32, every operation rounded, none fused; an output is one float32 accumulator
// from +0, to which the taps inside the image are added in order (kd, kh, kw) as x * ((wd * wh) * ww). Nearest moves
// elements. A place that is no number reads nothing (zeros) or the first pixel (border, reflection).
#include <array>
#include <cmath>
#include <string>

#include "core/kernels/reference/cubic.h"
#include "core/kernels/reference/prepared.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace reference {
namespace {

enum class Padding : uint8_t { Zeros, Border, Reflection };
constexpr size_t kMostTaps = 4;

/// What one dimension contributes to an output: neighbours and their weights. Index -1: outside, adds nothing.
struct GridTaps {
  size_t count = 1;
  std::array<int64_t, kMostTaps> index = {};
  std::array<float, kMostTaps> weight = {1.0f};
};

struct GridState {
  Body<GridState> body = nullptr;
  std::array<int64_t, 3> extents = {1, 1, 1};  // depth, height, width; missing ones stand in front
  size_t dimensions = 2;
  int64_t channels = 1, positions = 1;  // positions of one image
  std::string mode;
  Padding padding = Padding::Zeros;
  bool align_corners = false;
  DType grid_dtype = DType::Float32;
  Tiles tiles;  // of all positions
  int64_t sums_at = 0;
};

/// Mirrored at both ends until it lies between them.
float reflect(float x, float low, float high) {
  const float range = high - low;
  if (!(range > 0.0f)) return low;
  const bool under = x < low;
  if (!under && !(x > high)) return x;
  const float distance = under ? low - x : x - high;
  const float turns = std::floor(distance / range);
  const float rest = distance - turns * range;
  const bool even = std::fmod(turns, 2.0f) == 0.0f;
  return even == under ? low + rest : high - rest;
}

GridTaps taps_of(const GridState& s, float place, int64_t extent) {
  const float length = static_cast<float>(extent);
  const float low = s.align_corners ? 0.0f : -0.5f, high = s.align_corners ? length - 1.0f : length - 0.5f;
  float x = s.align_corners ? (place + 1.0f) / 2.0f * (length - 1.0f) : ((place + 1.0f) * length - 1.0f) / 2.0f;
  const bool nearest = s.mode == "nearest";
  if (nearest) x = std::nearbyint(x);
  constexpr float kFar = 0x1p30f;  // beyond it neighbours cannot be told apart, and integers end
  if (!(std::fabs(x) <= kFar)) x = s.padding == Padding::Zeros ? -kFar : x > 0.0f ? high : low;
  if (x < low || x > high) {
    // Of cubic the neighbours are clamped instead, one by one, as onnxruntime and PyTorch do.
    if (s.padding == Padding::Border && s.mode != "cubic") x = std::min(std::max(x, 0.0f), length - 1.0f);
    if (s.padding == Padding::Reflection) x = reflect(x, low, high);
  }
  const auto inside = [&](int64_t i) {
    if (i >= 0 && i < extent) return i;
    if (s.padding == Padding::Zeros) return int64_t{-1};
    if (s.padding == Padding::Reflection) i = static_cast<int64_t>(reflect(static_cast<float>(i), low, high));
    return std::min(std::max<int64_t>(i, 0), extent - 1);
  };
  GridTaps taps;
  if (nearest) {
    taps.index[0] = inside(static_cast<int64_t>(x));
    return taps;
  }
  const float base = std::floor(x), share = x - base;
  const int64_t first = static_cast<int64_t>(base);
  if (s.mode == "linear") {
    taps.count = 2;
    taps.index = {inside(first), inside(first + 1)};
    taps.weight = {1.0f - share, share};
  } else {
    taps.count = 4;
    taps.index = {inside(first - 1), inside(first), inside(first + 1), inside(first + 2)};
    taps.weight = cubic_weights(-0.75f, share);
  }
  return taps;
}

/// The taps of an output position, per dimension. Grid entries are (x, y, z): the last dimension first.
std::array<GridTaps, 3> read_taps(const GridState& s, const std::byte* grid, int64_t position) {
  std::array<float, 3> places = {};
  const int64_t size = static_cast<int64_t>(s.dimensions);
  const int64_t offset = position * size * whole_bytes(s.grid_dtype);
  load_floats(s.grid_dtype, grid + offset, places.data(), size);
  std::array<GridTaps, 3> taps;
  for (size_t i = 0; i < s.dimensions; ++i) taps[2 - i] = taps_of(s, places[i], s.extents[2 - i]);
  return taps;
}

/// visit(pixel, weight) for the taps inside the image.
template <class Visit>
void for_grid_taps(const GridState& s, const std::array<GridTaps, 3>& taps, int64_t image, Visit&& visit) {
  const auto& [depth, height, width] = taps;
  for (size_t kd = 0; kd < depth.count; ++kd) {
    if (depth.index[kd] < 0) continue;
    for (size_t kh = 0; kh < height.count; ++kh) {
      if (height.index[kh] < 0) continue;
      const float weight = depth.weight[kd] * height.weight[kh];
      const int64_t line = ((image * s.extents[0] + depth.index[kd]) * s.extents[1] + height.index[kh]) * s.extents[2];
      for (size_t kw = 0; kw < width.count; ++kw) {
        if (width.index[kw] >= 0) visit(line + width.index[kw], weight * width.weight[kw]);
      }
    }
  }
}

template <class T>
void run_weighted(const GridState& s, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  const T* x = input<T>(buffers, 0);
  T* y = output<T>(buffers);
  float* sums = scratch_at<float>(scratch, s.sums_at);
  for (int64_t position = s.tiles.begin(tile); position < s.tiles.end(tile); ++position) {
    std::fill_n(sums, s.channels, 0.0f);
    for_grid_taps(s, read_taps(s, buffers[1].data, position), position / s.positions, [&](int64_t pixel, float weight) {
      const T* from = x + pixel * s.channels;
      for (int64_t c = 0; c < s.channels; ++c) sums[c] += static_cast<float>(from[c]) * weight;
    });
    store_floats(sums, y + position * s.channels, s.channels);
  }
}

/// T has the element's size; 0 is 0 in every type.
template <class T>
void run_nearest(const GridState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  const T* x = input<T>(buffers, 0);
  T* y = output<T>(buffers);
  for (int64_t position = s.tiles.begin(tile); position < s.tiles.end(tile); ++position) {
    T* to = y + position * s.channels;
    std::fill_n(to, s.channels, T{});
    for_grid_taps(s, read_taps(s, buffers[1].data, position), position / s.positions,
                  [&](int64_t pixel, float) { std::copy_n(x + pixel * s.channels, s.channels, to); });
  }
}

bool is_nearest(const Call& call) { return string_attribute(call.node.attributes, "mode", "linear") == "nearest"; }
bool accepts_grid_sample(const Call& call) {
  const Operand &x = call.inputs[0], &grid = call.inputs[1], &y = call.outputs[0];
  return x.layout == Layout::ChannelsLast && y.layout == Layout::ChannelsLast && x.shape.size() >= 3 &&
         x.shape.size() <= 5 && same_dtype(x, y) && is_float(grid) && !x.quant &&
         (is_nearest(call) ? whole_bytes(x.dtype) != 0 : is_float(x));
}
Prepared prepare_grid_sample(const Call& call, Weights&) {
  const Attributes& attributes = call.node.attributes;
  const Shape &x = call.inputs[0].shape, &y = call.outputs[0].shape;
  GridState s;
  s.dimensions = x.size() - 2;
  for (size_t i = 0; i < s.dimensions; ++i) {
    s.extents[3 - s.dimensions + i] = x[i + 1];
    s.positions *= y[i + 1];
  }
  s.channels = x.back();
  s.mode = string_attribute(attributes, "mode", "linear");
  const std::string padding = string_attribute(attributes, "padding_mode", "zeros");
  s.padding = padding == "zeros" ? Padding::Zeros : padding == "border" ? Padding::Border : Padding::Reflection;
  s.align_corners = int_attribute(attributes, "align_corners", 0) != 0;
  s.grid_dtype = call.inputs[1].dtype;
  ScratchLayout scratch;
  s.sums_at = scratch.add<float>(s.channels);
  s.tiles = tile_rows(x.front() * s.positions, 4 * std::max<int64_t>(4, s.channels));
  if (is_nearest(call)) {
    visit_size(whole_bytes(call.inputs[0].dtype), [&]<class T>(Tag<T>) { s.body = run_nearest<T>; });
  } else {
    visit(FloatTypes{}, call.inputs[0].dtype, [&]<class T>(Tag<T>) { s.body = run_weighted<T>; });
  }
  return make_tiled(std::move(s), scratch.bytes());
}

constexpr Kernel kGridSampleKernels[] = {
    {"GridSample", "grid_sample_reference", 0, accepts_grid_sample, prepare_grid_sample, run_body<GridState>}};

}  // namespace
}  // namespace reference

std::span<const Kernel> reference_grid_sample_kernels() { return reference::kGridSampleKernels; }

}  // namespace openrknn
