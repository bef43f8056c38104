// Linear Resize of images (one or two spatial dimensions) on channels-last floats.
#include <algorithm>
#include <array>

#include "core/kernels/fast/cpus.h"
#include "core/kernels/reference/prepared.h"
#include "core/kernels/reference/resize_taps.h"
#include "core/kernels/tables.h"

namespace openrknn::fast {
namespace {

struct Resize {
  void (*run)(const BlendRow&) = nullptr;
  std::array<reference::ResizeAxis, 3> axes;
  int64_t channels = 1, pixel_bytes = 4;
  reference::Tiles tiles;  // output rows
};

bool accepts_resize(const Call& call) {
  const Operand &x = call.inputs[0], &y = call.outputs[0];
  const Attributes& attributes = call.node.attributes;
  return x.layout == Layout::ChannelsLast && y.layout == Layout::ChannelsLast &&
         (x.shape.size() == 3 || x.shape.size() == 4) && reference::is_float(x) && reference::same_dtype(x, y) &&
         x.shape.front() == y.shape.front() && x.shape.back() == y.shape.back() &&
         string_attribute(attributes, "mode", "nearest") == "linear" &&
         int_attribute(attributes, "antialias", 0) == 0 &&
         string_attribute(attributes, "coordinate_transformation_mode", "half_pixel") != "tf_crop_and_resize";
}

template <const InnerLoops& kLoops>
Prepared prepare_resize(const Call& call, Weights&) {
  const Operand& x = call.inputs[0];
  Resize r;
  r.run = x.dtype == DType::Float16 ? kLoops.blend_half : kLoops.blend_float;
  r.axes = reference::resize_axes(call);
  r.channels = x.shape.back();
  r.pixel_bytes = r.channels * (bit_width(x.dtype) / 8);
  r.tiles = reference::tile_rows(x.shape.front() * r.axes[1].out, r.axes[2].out * r.channels);
  const int64_t tiles = r.tiles.count();
  return {std::make_shared<const Resize>(std::move(r)), tiles, 0};
}

void run_resize(const Prepared& prepared, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  const Resize& r = *static_cast<const Resize*>(prepared.state.get());
  const auto& [depth, height, width] = r.axes;
  const int64_t line_bytes = width.in * r.pixel_bytes;
  BlendRow row;
  row.index = width.index.data();
  row.weight = width.weight.data();
  row.columns = width.taps;
  row.out = width.out;
  row.channels = r.channels;
  for (int64_t i = r.tiles.begin(tile); i < r.tiles.end(tile); ++i) {
    const std::byte* image = buffers[0].data + i / height.out * height.in * line_bytes;
    const size_t at = static_cast<size_t>(i % height.out * height.taps);
    row.lines[0] = image + height.index[at] * line_bytes;
    if (height.taps == 2) {
      row.lines[1] = image + height.index[at + 1] * line_bytes;
      row.line_weights[0] = height.weight[at];
      row.line_weights[1] = height.weight[at + 1];
    }
    row.to = buffers.back().data + i * width.out * r.pixel_bytes;
    r.run(row);
  }
}

#define ROWS(cpu, name, needs) \
  {"Resize", "resize_linear_" name, needs, accepts_resize, prepare_resize<cpu::kLoops>, run_resize},
constexpr Kernel kResizeKernels[] = {OPENRKNN_FAST_CPUS(ROWS)};
#undef ROWS

}  // namespace
}  // namespace openrknn::fast

namespace openrknn {
std::span<const Kernel> fast_resize_kernels() { return fast::kResizeKernels; }
}  // namespace openrknn
