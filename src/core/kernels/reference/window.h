// The geometry convolution and pooling share: which input position a tap of a kernel reads.
#pragma once

#include <array>

#include "core/kernels/reference/element.h"

namespace openrknn::reference {

/// One spatial dimension. Taps that fall into padding read nothing.
struct WindowAxis {
  int64_t in = 1, out = 1, kernel = 1, stride = 1, dilation = 1, pad = 0, pad_end = 0;
  bool transposed = false;

  /// Input position that tap `k` of output position `o` reads; -1: padding.
  int64_t source(int64_t o, int64_t k) const {
    if (!transposed) {
      const int64_t i = o * stride - pad + k * dilation;
      return i >= 0 && i < in ? i : -1;
    }
    // ConvTranspose: input i adds its tap k to output i * stride - pad + k * dilation; read backwards.
    const int64_t scaled = o + pad - k * dilation;
    return scaled >= 0 && scaled % stride == 0 && scaled / stride < in ? scaled / stride : -1;
  }
};

/// Up to three spatial dimensions; missing ones stand in front with extent 1.
struct Window {
  std::array<WindowAxis, 3> axes;
  int64_t batch = 1, in_channels = 1, out_channels = 1;

  int64_t out_rows() const { return batch * axes[0].out * axes[1].out; }
  int64_t taps() const { return axes[0].kernel * axes[1].kernel * axes[2].kernel; }
};

/// Reads kernel_shape (or `kernel`), strides, pads, dilations. Operands are channels-last, rank 3 to 5.
Window make_window(const Node&, const Operand& x, const Operand& y, std::span<const int64_t> kernel, bool transposed);
/// Of a convolution.
inline bool is_transposed(const Call& call) { return call.node.op == "ConvTranspose"; }
/// True for operands make_window can take.
bool window_fits(const Operand& x, const Operand& y);

/// Calls visit(tap, input_pixel) for the taps of output pixel (row, column) that lie inside the input, ascending: the
/// order k = (kd, kh, kw). `row` counts (n, od, oh); input_pixel counts (n, d, h, w).
template <class Visit>
void for_taps(const Window& window, int64_t row, int64_t column, Visit&& visit) {
  const auto& [depth, height, width] = window.axes;
  const int64_t oh = row % height.out, od = row / height.out % depth.out, n = row / height.out / depth.out;
  for (int64_t kd = 0; kd < depth.kernel; ++kd) {
    const int64_t d = depth.source(od, kd);
    if (d < 0) continue;
    for (int64_t kh = 0; kh < height.kernel; ++kh) {
      const int64_t h = height.source(oh, kh);
      if (h < 0) continue;
      const int64_t line = ((n * depth.in + d) * height.in + h) * width.in;
      for (int64_t kw = 0; kw < width.kernel; ++kw) {
        const int64_t w = width.source(column, kw);
        if (w >= 0) visit((kd * height.kernel + kh) * width.kernel + kw, line + w);
      }
    }
  }
}

}  // namespace openrknn::reference
