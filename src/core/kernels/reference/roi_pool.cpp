// RoiAlign and MaxRoiPool: boxes of the input pooled to one size.
// Float rule: places and weights are float32, every operation rounded, none fused. RoiAlign's average is one float32
// accumulator per output, from +0, samples in order (y, x), each ((w1*p1 + w2*p2) + w3*p3) + w4*p4 of the four pixels
// around it; then one division by the number of samples. Its maximum is that of the four products w*p, as the ONNX
// standard's reference has it. A sample more than one pixel outside the image is 0. Maxima are exact; the first NaN
// stays unless a larger number follows, as in comparing.
#include <array>
#include <cmath>
#include <string>

#include "core/kernels/reference/prepared.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace reference {
namespace {

struct RoiState {
  Body<RoiState> body = nullptr;
  std::string node;  // for messages
  int64_t images = 1, height = 1, width = 1, channels = 1;
  int64_t out_height = 1, out_width = 1;
  int64_t samples = 0;  // per bin and direction; 0: one per pixel
  float scale = 1, shift = 0;
  bool maximum = false;
  DType roi_dtype = DType::Float32, index_dtype = DType::Int64;
  Tiles tiles;  // rows (roi, oh)
  int64_t best_at = 0;
};

int64_t checked_image(const RoiState& s, int64_t image) {
  if (image >= 0 && image < s.images) return image;
  fail(Code::RuntimeBadInput, Location{.node = s.node},
       "batch index " + std::to_string(image) + " is out of range, expected 0 to " + std::to_string(s.images - 1),
       "feed indices of images of the batch");
}

/// Numbers `at * Count` on of the list of boxes.
template <size_t Count>
std::array<float, Count> read_box(const RoiState& s, const std::byte* rois, int64_t at) {
  std::array<float, Count> box;
  const int64_t count = static_cast<int64_t>(Count);
  load_floats(s.roi_dtype, rois + at * count * whole_bytes(s.roi_dtype), box.data(), count);
  return box;
}

/// The samples of one bin along one direction: number i lies at start + (i + 0.5) * bin / count. Those before `first`
/// and from `last` on are known to lie outside the image.
struct SampleAxis {
  float start = 0, bin = 0;
  int64_t count = 0, first = 0, last = 0;
  int64_t extent = 1;

  float place(int64_t i) const { return start + (static_cast<float>(i) + 0.5f) * bin / static_cast<float>(count); }
  bool outside(float place) const { return !(place >= -1.0f && place <= static_cast<float>(extent)); }
};

/// Bin number `index` of `bins` between `begin` and begin + size. Boxes that are not finite, or are larger than any
/// image, have no samples.
SampleAxis sample_axis(float begin, float size, int64_t index, int64_t bins, int64_t samples, int64_t extent) {
  constexpr float kLargest = 0x1p24f;
  SampleAxis axis;
  axis.extent = extent;
  if (!(std::fabs(begin) <= kLargest && std::fabs(size) <= kLargest)) return axis;
  axis.bin = size / static_cast<float>(bins);
  axis.start = begin + static_cast<float>(index) * axis.bin;
  axis.count = samples > 0 ? samples : static_cast<int64_t>(std::ceil(axis.bin));
  if (axis.count <= 0) axis.count = 0;
  axis.last = axis.count;
  const double step = static_cast<double>(axis.bin) / static_cast<double>(std::max<int64_t>(1, axis.count));
  if (step > 1e-3) {  // a box far larger than the image: skip what lies outside, with two samples to spare
    const double low = (-1.0 - axis.start) / step - 2.5, high = (static_cast<double>(extent) - axis.start) / step + 2.5;
    axis.first = static_cast<int64_t>(std::min(std::max(low, 0.0), static_cast<double>(axis.count)));
    axis.last = static_cast<int64_t>(std::min(std::max(high, 0.0), static_cast<double>(axis.count)));
    axis.last = std::max(axis.first, axis.last);
  }
  return axis;
}

/// The two neighbours of a place and the second one's share.
struct Neighbours {
  int64_t low = 0, high = 0;
  float share = 0;
};
Neighbours neighbours(float place, int64_t extent) {
  place = std::max(place, 0.0f);
  const int64_t low = static_cast<int64_t>(place);
  if (low >= extent - 1) return {extent - 1, extent - 1, 0.0f};
  return {low, low + 1, place - static_cast<float>(low)};
}

template <class T>
void run_align(const RoiState& s, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  float* best = scratch_at<float>(scratch, s.best_at);
  for (int64_t row = s.tiles.begin(tile); row < s.tiles.end(tile); ++row) {
    const int64_t roi = row / s.out_height, oh = row % s.out_height;
    const int64_t image = checked_image(
        s, s.index_dtype == DType::Int64 ? input<int64_t>(buffers, 2)[roi] : input<int32_t>(buffers, 2)[roi]);
    const T* x = input<T>(buffers, 0) + image * s.height * s.width * s.channels;
    const auto box = read_box<4>(s, buffers[1].data, roi);
    const float left = box[0] * s.scale - s.shift, top = box[1] * s.scale - s.shift;
    float width = box[2] * s.scale - s.shift - left, height = box[3] * s.scale - s.shift - top;
    if (s.shift == 0.0f) {  // the older convention has no empty boxes
      width = std::max(width, 1.0f);
      height = std::max(height, 1.0f);
    }
    const SampleAxis vertical = sample_axis(top, height, oh, s.out_height, s.samples, s.height);
    for (int64_t ow = 0; ow < s.out_width; ++ow) {
      const SampleAxis horizontal = sample_axis(left, width, ow, s.out_width, s.samples, s.width);
      std::fill_n(best, s.channels, 0.0f);
      // What is skipped is 0, so a maximum starts there; else with the first sample.
      bool started = !s.maximum || vertical.last - vertical.first != vertical.count ||
                     horizontal.last - horizontal.first != horizontal.count;
      for (int64_t iy = vertical.first; iy < vertical.last; ++iy) {
        const float y = vertical.place(iy);
        for (int64_t ix = horizontal.first; ix < horizontal.last; ++ix) {
          const float at = horizontal.place(ix);
          const bool outside = vertical.outside(y) || horizontal.outside(at);
          if (outside && s.maximum && started) {
            for (int64_t c = 0; c < s.channels; ++c) best[c] = std::max(best[c], 0.0f);
          }
          if (outside) {
            started = true;  // with the 0 that is there
            continue;
          }
          const Neighbours v = neighbours(y, s.height), h = neighbours(at, s.width);
          const float w1 = (1.0f - v.share) * (1.0f - h.share), w2 = (1.0f - v.share) * h.share;
          const float w3 = v.share * (1.0f - h.share), w4 = v.share * h.share;
          const T *p1 = x + (v.low * s.width + h.low) * s.channels, *p2 = x + (v.low * s.width + h.high) * s.channels;
          const T *p3 = x + (v.high * s.width + h.low) * s.channels, *p4 = x + (v.high * s.width + h.high) * s.channels;
          for (int64_t c = 0; c < s.channels; ++c) {
            const float a = w1 * static_cast<float>(p1[c]), b = w2 * static_cast<float>(p2[c]);
            const float d = w3 * static_cast<float>(p3[c]), e = w4 * static_cast<float>(p4[c]);
            if (!s.maximum) {
              best[c] += a + b + d + e;
            } else {
              const float value = std::max(std::max(a, b), std::max(d, e));
              best[c] = started ? std::max(best[c], value) : value;
            }
          }
          started = true;
        }
      }
      const float count = static_cast<float>(std::max<int64_t>(1, vertical.count * horizontal.count));
      for (int64_t c = 0; c < s.channels && !s.maximum; ++c) best[c] /= count;
      store_floats(best, output<T>(buffers) + (row * s.out_width + ow) * s.channels, s.channels);
    }
  }
}

/// Rounded to a pixel, halves away from zero; what is no number or far outside any image is cut off.
int64_t round_to_pixel(float x) {
  constexpr float kFar = 0x1p24f;
  if (x != x) return 0;
  return static_cast<int64_t>(std::round(std::min(std::max(x, -kFar), kFar)));
}

/// Pixels [begin, end) of bin `index`, inside the image.
struct Bin {
  int64_t begin, end;
};
Bin bin_of(int64_t first, int64_t last, int64_t index, int64_t bins, int64_t extent) {
  const float size = static_cast<float>(std::max<int64_t>(last - first + 1, 1)) / static_cast<float>(bins);
  const auto inside = [&](float at) {
    return std::min(std::max<int64_t>(static_cast<int64_t>(at) + first, 0), extent);
  };
  return {inside(std::floor(static_cast<float>(index) * size)),
          inside(std::ceil(static_cast<float>(index + 1) * size))};
}

template <class T>
void run_max_roi(const RoiState& s, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  float* best = scratch_at<float>(scratch, s.best_at);
  for (int64_t row = s.tiles.begin(tile); row < s.tiles.end(tile); ++row) {
    const int64_t roi = row / s.out_height, oh = row % s.out_height;
    const auto box = read_box<5>(s, buffers[1].data, roi);
    const int64_t image = checked_image(s, box[0] == std::floor(box[0]) ? round_to_pixel(box[0]) : -1);
    const T* x = input<T>(buffers, 0) + image * s.height * s.width * s.channels;
    const Bin rows =
        bin_of(round_to_pixel(box[2] * s.scale), round_to_pixel(box[4] * s.scale), oh, s.out_height, s.height);
    for (int64_t ow = 0; ow < s.out_width; ++ow) {
      const Bin columns =
          bin_of(round_to_pixel(box[1] * s.scale), round_to_pixel(box[3] * s.scale), ow, s.out_width, s.width);
      bool started = false;
      std::fill_n(best, s.channels, 0.0f);
      for (int64_t h = rows.begin; h < rows.end; ++h) {
        for (int64_t w = columns.begin; w < columns.end; ++w) {
          const T* pixel = x + (h * s.width + w) * s.channels;
          for (int64_t c = 0; c < s.channels; ++c) {
            const float value = static_cast<float>(pixel[c]);
            best[c] = started ? std::max(best[c], value) : value;
          }
          started = true;
        }
      }
      store_floats(best, output<T>(buffers) + (row * s.out_width + ow) * s.channels, s.channels);
    }
  }
}

bool fits_roi(const Call& call) {
  const Operand &x = call.inputs[0], &rois = call.inputs[1], &y = call.outputs[0];
  return x.layout == Layout::ChannelsLast && y.layout == Layout::ChannelsLast && x.shape.size() == 4 &&
         same_dtype(x, y) && is_float(x) && is_float(rois);
}
bool accepts_align(const Call& call) {
  return fits_roi(call) && (call.inputs[2].dtype == DType::Int32 || call.inputs[2].dtype == DType::Int64);
}

Prepared prepare_roi_pool(const Call& call, RoiState s) {
  const Shape &x = call.inputs[0].shape, &y = call.outputs[0].shape;
  s.node = call.node.name;
  s.images = x[0];
  s.height = x[1];
  s.width = x[2];
  s.channels = x[3];
  s.out_height = y[1];
  s.out_width = y[2];
  s.scale = static_cast<float>(float_attribute(call.node.attributes, "spatial_scale", 1.0));
  s.roi_dtype = call.inputs[1].dtype;
  ScratchLayout scratch;
  s.best_at = scratch.add<float>(s.channels);
  const int64_t samples = s.samples > 0 ? s.samples * s.samples : 4;
  s.tiles = tile_rows(y[0] * s.out_height, s.out_width * s.channels * samples);
  return make_tiled(std::move(s), scratch.bytes());
}
Prepared prepare_align(const Call& call, Weights&) {
  const Attributes& attributes = call.node.attributes;
  RoiState s;
  s.maximum = string_attribute(attributes, "mode", "avg") == "max";
  s.samples = int_attribute(attributes, "sampling_ratio", 0);
  s.shift = string_attribute(attributes, "coordinate_transformation_mode", "half_pixel") == "half_pixel" ? 0.5f : 0.0f;
  s.index_dtype = call.inputs[2].dtype;
  visit(FloatTypes{}, call.inputs[0].dtype, [&]<class T>(Tag<T>) { s.body = run_align<T>; });
  return prepare_roi_pool(call, std::move(s));
}
Prepared prepare_max_roi(const Call& call, Weights&) {
  RoiState s;
  visit(FloatTypes{}, call.inputs[0].dtype, [&]<class T>(Tag<T>) { s.body = run_max_roi<T>; });
  return prepare_roi_pool(call, std::move(s));
}

constexpr Kernel kRoiPoolKernels[] = {
    {"RoiAlign", "roi_align_reference", 0, accepts_align, prepare_align, run_body<RoiState>},
    {"MaxRoiPool", "max_roi_pool_reference", 0, fits_roi, prepare_max_roi, run_body<RoiState>},
};

}  // namespace
}  // namespace reference

std::span<const Kernel> reference_roi_pool_kernels() { return reference::kRoiPoolKernels; }

}  // namespace openrknn
