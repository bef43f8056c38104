#include "compiler/importers/onnx/window.h"

#include <fmt/format.h>

#include <algorithm>

namespace openrknn::onnx {
namespace {

/// Far beyond any layer, small enough that products of three stay inside int64.
constexpr int64_t kLargestParameter = 1 << 20;

std::vector<int64_t> list(const Translation& t, std::string_view name, size_t count, int64_t fallback, int64_t least) {
  std::vector<int64_t> values = t.integers(name);
  if (values.empty()) values.assign(count, fallback);
  const bool in_range =
      std::all_of(values.begin(), values.end(), [&](int64_t v) { return v >= least && v <= kLargestParameter; });
  if (values.size() != count || !in_range) {
    t.unsupported(fmt::format("{} is {}, expected {} numbers of at least {}", name, to_string(values), count, least),
                  "export the model again");
  }
  return values;
}

}  // namespace

std::pair<int64_t, int64_t> split_padding(int64_t total, const std::string& auto_pad) {
  const int64_t small = total / 2;
  return auto_pad == "SAME_UPPER" ? std::pair(small, total - small) : std::pair(total - small, small);
}

Window read_window(const Translation& t, std::vector<int64_t> kernel, bool transposed) {
  const Shape& x = t.shape(0);
  if (x.size() < 3) {
    t.fail(Code::ImportShapeMismatch,
           fmt::format("the input has shape {}, expected batch, channels and one or more spatial dimensions",
                       to_string(x)));
  }
  const size_t spatial = x.size() - 2;
  Window window;
  if (t.has_attribute("kernel_shape") || kernel.empty()) {
    if (!t.has_attribute("kernel_shape"))
      t.unsupported("attribute 'kernel_shape' is missing", "export the model again");
    const std::vector<int64_t> given = list(t, "kernel_shape", spatial, 1, 1);
    if (!kernel.empty() && given != kernel) {
      t.fail(Code::ImportShapeMismatch,
             fmt::format("kernel_shape is {}, but the weights have {}", to_string(given), to_string(kernel)));
    }
    kernel = given;
  }
  if (kernel.size() != spatial) {
    t.fail(Code::ImportShapeMismatch,
           fmt::format("the kernel has {} dimensions, the input {} spatial ones", kernel.size(), spatial));
  }
  window.kernel = std::move(kernel);
  window.strides = list(t, "strides", spatial, 1, 1);
  window.dilations = list(t, "dilations", spatial, 1, 1);
  window.auto_pad = t.text("auto_pad", "NOTSET");
  if (window.auto_pad.empty()) window.auto_pad = "NOTSET";
  if (window.auto_pad == "NOTSET") {
    window.pads = list(t, "pads", 2 * spatial, 0, -kLargestParameter);
  } else if (window.auto_pad == "VALID") {
    window.pads.assign(2 * spatial, 0);
  } else if (window.auto_pad == "SAME_UPPER" || window.auto_pad == "SAME_LOWER") {
    window.pads.assign(2 * spatial, 0);
    for (size_t d = 0; d < spatial && !transposed; ++d) {
      const int64_t out = (x[d + 2] + window.strides[d] - 1) / window.strides[d];
      const int64_t total = std::max<int64_t>(0, (out - 1) * window.strides[d] + window.reach(d) - x[d + 2]);
      std::tie(window.pads[d], window.pads[d + spatial]) = split_padding(total, window.auto_pad);
    }
  } else {
    t.unsupported(fmt::format("auto_pad is '{}', expected NOTSET, VALID, SAME_UPPER or SAME_LOWER", window.auto_pad));
  }
  return window;
}

}  // namespace openrknn::onnx
