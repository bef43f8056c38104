// Linear Resize and unfolded BatchNormalization on codes.
#include "core/kernels/reference/codes.h"
#include "core/kernels/resize_coordinates.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace {

using namespace reference;

// ---- Resize, mode linear. Input and output share their parameters, so codes are interpolated as they are ----

struct ResizeTap {
  int64_t first = 0, second = 0;
  int64_t share = 0;  // of the second neighbour, times 2^share_bits
  double ideal_share = 0;
};

/// Spatial dimensions, outermost first; missing ones stand in front with extent 1: their factor 1 is exact.
struct ResizeState {
  std::array<std::vector<ResizeTap>, 3> taps;  // per output position
  std::array<int64_t, 3> in = {1, 1, 1};
  int64_t channels = 1;
  int32_t low = -128, high = 127;
  int share_bits = kResizeShareBits;
  bool is_ideal = false;
  Body<ResizeState> body = nullptr;
};

/// Calls visit(pixel, d, h, w) for the corners around output (od, oh, ow): 1 in a name's place = second neighbour.
template <class Visit>
void for_corners(const ResizeState& s, const ResizeTap& d, const ResizeTap& h, const ResizeTap& w, Visit&& visit) {
  for (int corner = 0; corner < 8; ++corner) {
    const bool cd = (corner & 4) != 0, ch = (corner & 2) != 0, cw = (corner & 1) != 0;
    const int64_t pixel =
        ((cd ? d.second : d.first) * s.in[1] + (ch ? h.second : h.first)) * s.in[2] + (cw ? w.second : w.first);
    visit(pixel, cd, ch, cw);
  }
}

template <class Code>
void run_resize_row(const ResizeState& s, std::span<const Buffer> buffers, int64_t row, std::byte*) {
  const auto depth = static_cast<int64_t>(s.taps[0].size()), height = static_cast<int64_t>(s.taps[1].size());
  const auto width = static_cast<int64_t>(s.taps[2].size());
  const ResizeTap& h = s.taps[1][static_cast<size_t>(row % height)];
  const ResizeTap& d = s.taps[0][static_cast<size_t>(row / height % depth)];
  const int64_t batch = row / height / depth;
  const auto* x = input<Code>(buffers, 0) + batch * s.in[0] * s.in[1] * s.in[2] * s.channels;
  auto* y = output<Code>(buffers) + row * width * s.channels;
  const int64_t one = int64_t{1} << s.share_bits;
  for (int64_t column = 0; column < width; ++column) {
    const ResizeTap& w = s.taps[2][static_cast<size_t>(column)];
    for (int64_t c = 0; c < s.channels; ++c) {
      int64_t sum = 0;
      double ideal = 0;
      for_corners(s, d, h, w, [&](int64_t pixel, bool cd, bool ch, bool cw) {
        const int32_t code = x[pixel * s.channels + c];
        if (s.is_ideal) {
          ideal += code * (cd ? d.ideal_share : 1 - d.ideal_share) * (ch ? h.ideal_share : 1 - h.ideal_share) *
                   (cw ? w.ideal_share : 1 - w.ideal_share);
        } else {
          sum +=
              (cd ? d.share : one - d.share) * (ch ? h.share : one - h.share) * (cw ? w.share : one - w.share) * code;
        }
      });
      const int64_t code =
          s.is_ideal ? static_cast<int64_t>(std::nearbyint(ideal)) : round_shift(sum, 3 * s.share_bits);
      *y++ = static_cast<Code>(std::clamp<int64_t>(code, s.low, s.high));
    }
  }
}

bool accepts_resize(const Call& call) {
  const Operand &x = call.inputs[0], &y = call.outputs[0];
  if (!is_coded_as(x, y) || !same_quant(x, y)) return false;
  if (string_attribute(call.node.attributes, "mode", "nearest") != "linear") return false;
  if (x.shape.size() < 3 || x.shape.size() > 5 || x.layout != Layout::ChannelsLast) return false;
  return call.ideal || (call.node.fixed && !call.node.fixed->slope.empty());
}

Prepared prepare_resize(const Call& call, Weights&) {
  const Operand &x = call.inputs[0], &y = call.outputs[0];
  const size_t spatial = x.shape.size() - 2;
  const std::string mode = string_attribute(call.node.attributes, "coordinate_transformation_mode", "half_pixel");
  const std::vector<double> scales = floats_attribute(call.node.attributes, "scales");
  ResizeState state;
  state.is_ideal = call.ideal;
  state.channels = x.shape.back();
  state.share_bits = resize_share_bits(x.dtype);
  state.low = static_cast<int32_t>(lowest_code(x.dtype));
  state.high = static_cast<int32_t>(highest_code(x.dtype));
  for (auto& taps : state.taps) taps.assign(1, {});
  size_t stored = 0;
  for (size_t i = 0; i < spatial; ++i) {
    const size_t slot = 3 - spatial + i;
    const int64_t in = x.shape[i + 1], out = y.shape[i + 1];
    const double scale = i + 1 < scales.size() ? scales[i + 1] : static_cast<double>(out) / static_cast<double>(in);
    state.in[slot] = in;
    state.taps[slot].clear();
    for (int64_t o = 0; o < out; ++o) {
      ResizeTap tap;
      if (call.ideal) {
        const LinearTap ideal = linear_tap(mode, o, in, out, scale);
        tap = {ideal.first, ideal.second, 0, ideal.share};
      } else {
        tap.first = call.node.fixed->slope.at(stored);
        tap.second = std::min(tap.first + 1, in - 1);
        tap.share = call.node.fixed->slope.at(stored + 1);
        stored += 2;
      }
      state.taps[slot].push_back(tap);
    }
  }
  if (!call.ideal) {
    state.low = call.node.fixed->low;
    state.high = call.node.fixed->high;
  }
  visit(CodeTypes{}, x.dtype, [&]<class Code>(Tag<Code>) { state.body = run_resize_row<Code>; });
  const int64_t rows = y.shape[0] * static_cast<int64_t>(state.taps[0].size() * state.taps[1].size());
  return make_prepared(std::move(state), rows);
}

// ---- BatchNormalization, in the form quantize() brings it to: mean 0, variance 1, scale Int16, bias Int32 ----

struct NormState {
  OutputScale scale;
  CodeParams x, y;
  double factor = 1;  // sx · scale of the Int16 codes
  int64_t channels = 1;
  bool is_ideal = false;
  Tiles tiles;
  Body<NormState> body = nullptr;
};

template <class Code>
void run_norm(const NormState& s, std::span<const Buffer> buffers, int64_t tile, std::byte*) {
  const auto* x = input<Code>(buffers, 0);
  const auto* slope = input<int16_t>(buffers, 1);
  auto* y = output<Code>(buffers);
  for (int64_t i = s.tiles.begin(tile); i < s.tiles.end(tile); ++i) {
    const int64_t c = i % s.channels;
    const int64_t acc = int64_t{x[i] - s.x.zero_point} * slope[c] + bias_of<Code>(buffers, 2, c);
    y[i] = static_cast<Code>(s.is_ideal ? s.y.code(static_cast<double>(acc) * s.factor) : s.scale(acc));
  }
}

bool accepts_norm(const Call& call) {
  return is_coded_as(call.inputs[0], call.outputs[0]) && has_channels_last(call.inputs[0]) &&
         call.inputs[1].dtype == DType::Int16 && call.inputs[1].quant != nullptr && bias_fits(call) && is_lowered(call);
}

Prepared prepare_norm(const Call& call, Weights&) {
  NormState state;
  state.x = CodeParams(call.inputs[0]);
  state.y = CodeParams(call.outputs[0]);
  state.factor = state.x.scale * call.inputs[1].quant->scale[0];
  state.channels = call.inputs[0].shape.back();
  state.is_ideal = call.ideal;
  if (!call.ideal) state.scale = output_scale(call, 0);
  state.tiles.total = element_count(call.outputs[0].shape);
  visit(CodeTypes{}, call.inputs[0].dtype, [&]<class Code>(Tag<Code>) { state.body = run_norm<Code>; });
  return make_tiled(std::move(state));
}

constexpr Kernel kSpatialQuantizedKernels[] = {
    {.op = "Resize",
     .name = "resize_linear_codes_reference",
     .accepts = accepts_resize,
     .prepare = prepare_resize,
     .run = run_body<ResizeState>},
    {.op = "BatchNormalization",
     .name = "batch_normalization_codes_reference",
     .accepts = accepts_norm,
     .prepare = prepare_norm,
     .run = run_body<NormState>},
};

}  // namespace

std::span<const Kernel> spatial_quantized_kernels() { return kSpatialQuantizedKernels; }

}  // namespace openrknn
