// Col2Im: blocks [N, C * taps, L] added up to an image [N, C, …].
// Float rule: one float32 accumulator per output, from +0, taps ascending, plain additions. Integers wrap around.
#include <type_traits>

#include "core/kernels/reference/prepared.h"
#include "core/kernels/reference/window.h"
#include "core/kernels/tables.h"

namespace openrknn {
namespace reference {
namespace {

struct Col2ImState {
  Body<Col2ImState> body = nullptr;
  std::vector<WindowAxis> axes;  // transposed: which block a tap of an image position comes from
  int64_t taps = 1, blocks = 1;
  Tiles tiles;  // image lines (n, c, all dimensions but the last)
};

/// Wrap-around sums need unsigned arithmetic; small integers are promoted to it anyway.
template <class T>
T sum_of(T a, T b) {
  if constexpr (std::is_integral_v<T>)
    return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
  else
    return a + b;
}

template <class T>
void run_col2im(const Col2ImState& s, std::span<const Buffer> buffers, int64_t tile, std::byte* scratch) {
  using W = Wide<T>;
  W* line = reinterpret_cast<W*>(scratch);
  const size_t outer = s.axes.size() - 1;
  const WindowAxis& last = s.axes.back();
  for (int64_t row = s.tiles.begin(tile); row < s.tiles.end(tile); ++row) {
    int64_t plane = row;
    for (size_t d = 0; d < outer; ++d) plane /= s.axes[d].out;
    const T* x = input<T>(buffers, 0) + plane * s.taps * s.blocks;
    std::fill_n(line, last.out, W{});
    for (int64_t tap = 0; tap < s.taps; tap += last.kernel) {
      // Positions and taps of the outer dimensions, from the innermost outwards.
      int64_t block = 0, stride = last.in, position = row, digits = tap / last.kernel;
      for (size_t d = outer; d-- > 0 && block >= 0;) {
        const WindowAxis& axis = s.axes[d];
        const int64_t source = axis.source(position % axis.out, digits % axis.kernel);
        block = source < 0 ? -1 : block + source * stride;
        stride *= axis.in;
        position /= axis.out;
        digits /= axis.kernel;
      }
      if (block < 0) continue;
      for (int64_t k = 0; k < last.kernel; ++k) {
        // Block b adds its element to position b * step + shift.
        const T* from = x + (tap + k) * s.blocks + block;
        const int64_t shift = k * last.dilation - last.pad, step = last.stride;
        const int64_t first = shift < 0 ? (-shift + step - 1) / step : 0;
        const int64_t end = shift < last.out ? std::min(last.in, (last.out - 1 - shift) / step + 1) : 0;
        if (step == 1) {
          for (int64_t b = first; b < end; ++b) line[b + shift] = sum_of(line[b + shift], static_cast<W>(from[b]));
        } else {
          for (int64_t b = first; b < end; ++b) {
            W& sum = line[b * step + shift];
            sum = sum_of(sum, static_cast<W>(from[b]));
          }
        }
      }
    }
    T* y = output<T>(buffers) + row * last.out;
    for (int64_t o = 0; o < last.out; ++o) y[o] = static_cast<T>(line[o]);
  }
}

bool accepts_col2im(const Call& call) {
  const Operand &x = call.inputs[0], &y = call.outputs[0];
  return x.layout == Layout::Logical && y.layout == Layout::Logical && same_dtype(x, y) &&
         one_of(NumberTypes{}, x.dtype) && !x.quant;
}
Prepared prepare_col2im(const Call& call, Weights&) {
  const Attributes& attributes = call.node.attributes;
  const std::vector<int64_t> image = ints_attribute(attributes, "image_shape");
  const std::vector<int64_t> block = ints_attribute(attributes, "block_shape");
  const size_t spatial = image.size();
  const std::vector<int64_t> ones(spatial, 1);
  const std::vector<int64_t> strides = ints_attribute(attributes, "strides", ones);
  const std::vector<int64_t> dilations = ints_attribute(attributes, "dilations", ones);
  const std::vector<int64_t> pads = ints_attribute(attributes, "pads", std::vector<int64_t>(2 * spatial, 0));
  Col2ImState s;
  int64_t lines = call.outputs[0].shape[0] * call.outputs[0].shape[1];
  for (size_t d = 0; d < spatial; ++d) {
    const int64_t reach = dilations[d] * (block[d] - 1) + 1;
    const int64_t blocks = (image[d] + pads[d] + pads[d + spatial] - reach) / strides[d] + 1;
    s.axes.push_back({.in = blocks,
                      .out = image[d],
                      .kernel = block[d],
                      .stride = strides[d],
                      .dilation = dilations[d],
                      .pad = pads[d],
                      .pad_end = pads[d + spatial],
                      .transposed = true});
    s.taps *= block[d];
    s.blocks *= blocks;
    if (d + 1 < spatial) lines *= image[d];
  }
  s.tiles = tile_rows(lines, image.back() * s.taps);
  int64_t scratch = 0;
  visit(NumberTypes{}, call.inputs[0].dtype, [&]<class T>(Tag<T>) {
    s.body = run_col2im<T>;
    scratch = image.back() * static_cast<int64_t>(sizeof(Wide<T>));
  });
  return make_tiled(std::move(s), scratch);
}

constexpr Kernel kCol2imKernels[] = {
    {"Col2Im", "col2im_reference", 0, accepts_col2im, prepare_col2im, run_body<Col2ImState>}};

}  // namespace
}  // namespace reference

std::span<const Kernel> reference_col2im_kernels() { return reference::kCol2imKernels; }

}  // namespace openrknn
