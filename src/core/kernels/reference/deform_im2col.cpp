// DeformIm2Col: what each tap of a deformable convolution reads, as channels [group][tap][channel of the group] of an
// image of the output's size. A 1x1 convolution of it is the deformable convolution, with sums in the order k = (kh,
// kw, c). Float rule: places and weights are float32, every operation rounded, none fused:
// ((w1*p1 + w2*p2) + w3*p3) + w4*p4 of the four pixels around the place (those outside are 0), times the mask.
#include <array>
#include <cmath>

#include "core/kernels/reference/prepared.h"
#include "core/kernels/reference/window.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace reference {
namespace {

struct DeformState {
  Body<DeformState> body = nullptr;
  Window window;
  int64_t group = 1, offset_group = 1;
  bool masked = false;
  Tiles tiles;  // output rows
  int64_t samples_at = 0, zeros_at = 0;
};

/// The pixels around a place with their weights; those outside are -1 and have weight 0.
struct Corners {
  std::array<int64_t, 4> pixel = {-1, -1, -1, -1};
  std::array<float, 4> weight = {};
};
Corners corners_of(float y, float x, int64_t height, int64_t width) {
  Corners corners;
  // Written so that NaN is outside.
  if (!(y > -1.0f && y < static_cast<float>(height) && x > -1.0f && x < static_cast<float>(width))) return corners;
  const float top = std::floor(y), left = std::floor(x);
  const float down = y - top, right = x - left;
  const std::array<float, 4> weights = {(1.0f - down) * (1.0f - right), (1.0f - down) * right, down * (1.0f - right),
                                        down * right};
  for (size_t i = 0; i < 4; ++i) {
    const int64_t h = static_cast<int64_t>(top) + static_cast<int64_t>(i / 2);
    const int64_t w = static_cast<int64_t>(left) + static_cast<int64_t>(i % 2);
    if (h < 0 || h >= height || w < 0 || w >= width) continue;
    corners.pixel[i] = h * width + w;
    corners.weight[i] = weights[i];
  }
  return corners;
}

template <class T>
void run_deform_im2col(const DeformState& s, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  const auto& [depth, height, width] = s.window.axes;
  const int64_t channels = s.window.in_channels, taps = s.window.taps();
  const int64_t group_channels = channels / s.group, offset_channels = channels / s.offset_group;
  float* samples = scratch_at<float>(scratch, s.samples_at);
  T* zeros = scratch_at<T>(scratch, s.zeros_at);
  std::fill_n(zeros, channels, T{});
  for (int64_t row = s.tiles.begin(tile); row < s.tiles.end(tile); ++row) {
    const int64_t oh = row % height.out, n = row / height.out;
    const T* x = input<T>(buffers, 0) + n * height.in * width.in * channels;
    for (int64_t ow = 0; ow < width.out; ++ow) {
      const int64_t place = (row * width.out + ow) * s.offset_group * taps;
      const T* offset = input<T>(buffers, 1) + 2 * place;
      const T* mask = s.masked ? input<T>(buffers, 2) + place : nullptr;
      T* y = output<T>(buffers) + (row * width.out + ow) * channels * taps;
      for (int64_t tap = 0; tap < taps; ++tap) {
        const float base_y = static_cast<float>(oh * height.stride - height.pad + tap / width.kernel * height.dilation);
        const float base_x = static_cast<float>(ow * width.stride - width.pad + tap % width.kernel * width.dilation);
        for (int64_t part = 0; part < s.offset_group; ++part) {
          const int64_t at = part * taps + tap;
          const Corners corners = corners_of(base_y + static_cast<float>(offset[2 * at]),
                                             base_x + static_cast<float>(offset[2 * at + 1]), height.in, width.in);
          const auto& w = corners.weight;
          const auto corner = [&](size_t i) { return corners.pixel[i] < 0 ? zeros : x + corners.pixel[i] * channels; };
          const T *p1 = corner(0), *p2 = corner(1), *p3 = corner(2), *p4 = corner(3);
          const float factor = mask ? static_cast<float>(mask[at]) : 1.0f;
          for (int64_t c = part * offset_channels; c < (part + 1) * offset_channels; ++c) {
            samples[c] = (static_cast<float>(p1[c]) * w[0] + static_cast<float>(p2[c]) * w[1] +
                          static_cast<float>(p3[c]) * w[2] + static_cast<float>(p4[c]) * w[3]) *
                         factor;
          }
        }
        for (int64_t g = 0; g < s.group; ++g) {
          store_floats(samples + g * group_channels, y + (g * taps + tap) * group_channels, group_channels);
        }
      }
    }
  }
}

bool accepts_deform_im2col(const Call& call) {
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    if (!present(call.inputs, i)) continue;
    const Operand& operand = call.inputs[i];
    if (!window_fits(operand, call.outputs[0]) || operand.shape.size() != 4 || !same_dtype(operand, call.outputs[0])) {
      return false;
    }
  }
  return is_float(call.outputs[0]);
}
Prepared prepare_deform_im2col(const Call& call, Weights&) {
  DeformState s;
  const std::vector<int64_t> kernel = ints_attribute(call.node.attributes, "kernel_shape");
  s.window = make_window(call.node, call.inputs[0], call.outputs[0], kernel, false);
  s.group = int_attribute(call.node.attributes, "group", 1);
  s.offset_group = int_attribute(call.node.attributes, "offset_group", 1);
  s.masked = present(call.inputs, 2);
  s.tiles = tile_rows(s.window.out_rows(), s.window.axes[2].out * s.window.out_channels);
  ScratchLayout scratch;
  s.samples_at = scratch.add<float>(s.window.in_channels);
  s.zeros_at = scratch.add<float>(s.window.in_channels);
  visit(FloatTypes{}, call.inputs[0].dtype, [&]<class T>(Tag<T>) { s.body = run_deform_im2col<T>; });
  return make_tiled(std::move(s), scratch.bytes());
}

constexpr Kernel kDeformIm2colKernels[] = {{"DeformIm2Col", "deform_im2col_reference", 0, accepts_deform_im2col,
                                            prepare_deform_im2col, run_body<DeformState>}};

}  // namespace
}  // namespace reference

std::span<const Kernel> reference_deform_im2col_kernels() { return reference::kDeformIm2colKernels; }

}  // namespace openrknn
