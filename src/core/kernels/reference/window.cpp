#include "core/kernels/reference/window.h"

namespace openrknn::reference {

bool window_fits(const Operand& x, const Operand& y) {
  return x.shape.size() >= 3 && x.shape.size() <= 5 && y.shape.size() == x.shape.size() &&
         x.layout == Layout::ChannelsLast && y.layout == Layout::ChannelsLast;
}

Window make_window(const Node& node, const Operand& x, const Operand& y, std::span<const int64_t> kernel,
                   bool transposed) {
  const size_t spatial = x.shape.size() - 2;
  const std::vector<int64_t> ones(spatial, 1);
  const std::vector<int64_t> strides = ints_attribute(node.attributes, "strides", ones);
  const std::vector<int64_t> dilations = ints_attribute(node.attributes, "dilations", ones);
  const std::vector<int64_t> pads = ints_attribute(node.attributes, "pads", std::vector<int64_t>(2 * spatial, 0));
  Window window;
  window.batch = x.shape.front();
  window.in_channels = x.shape.back();
  window.out_channels = y.shape.back();
  for (size_t i = 0; i < spatial; ++i) {
    window.axes[3 - spatial + i] = {.in = x.shape[i + 1],
                                    .out = y.shape[i + 1],
                                    .kernel = kernel[i],
                                    .stride = strides[i],
                                    .dilation = dilations[i],
                                    .pad = pads[i],
                                    .pad_end = pads[spatial + i],
                                    .transposed = transposed};
  }
  return window;
}

}  // namespace openrknn::reference
