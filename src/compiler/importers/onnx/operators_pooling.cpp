#include <fmt/format.h>

#include "compiler/importers/onnx/operators.h"
#include "compiler/importers/onnx/window.h"

namespace openrknn::onnx {
namespace {

Attributes pool_attributes(const Translation& t) {
  Window window = read_window(t, {});
  for (const int64_t pad : window.pads) {
    if (pad < 0) t.unsupported(fmt::format("pads are {}, expected 0 or more", to_string(window.pads)));
  }
  // With SAME padding the output is ceil(in / stride), which the padding alone achieves.
  const bool same = window.auto_pad.starts_with("SAME");
  return {{"kernel_shape", window.kernel},
          {"strides", window.strides},
          {"pads", window.pads},
          {"dilations", window.dilations},
          {"ceil_mode", same ? int64_t{0} : t.integer("ceil_mode", 0)}};
}

void max_pool(Translation& t) {
  const Attributes attributes = pool_attributes(t);
  t.produce("MaxPool", {t.input(0)}, attributes);
  if (!t.output_used(1)) return;
  Attributes with_order = attributes;
  with_order.emplace("storage_order", t.integer("storage_order", 0));
  t.forward(t.emit("ArgMaxPool", {t.input(0)}, std::move(with_order)), 1);
}

/// Indices count in the tensor that was pooled, so in the output, whose shape output_shape may say.
void max_unpool(Translation& t) {
  const Shape& x = t.shape(0);
  Shape shape = x;
  if (t.has(2)) {
    shape = t.known_ints(2, "output_shape");
    if (shape.size() != x.size() || shape[0] != x[0] || shape[1] != x[1]) {
      t.fail(Code::ImportShapeMismatch,
             fmt::format("output_shape is {}, expected batch and channels of {}", to_string(shape), to_string(x)));
    }
  } else {
    const Window window = read_window(t, {});
    for (size_t d = 0; d < window.dimensions(); ++d) {
      shape[d + 2] =
          (x[d + 2] - 1) * window.strides[d] + window.kernel[d] - window.pads[d] - window.pads[d + window.dimensions()];
    }
  }
  for (const int64_t extent : shape) {
    if (extent < 0) t.fail(Code::ImportShapeMismatch, fmt::format("the output would have shape {}", to_string(shape)));
  }
  t.produce("MaxUnpool", {t.input(0), t.input(1)}, {{"shape", shape}});
}

/// Window and norm are those of LpPool; padding counts as zeros.
void lp_pool(Translation& t) {
  Attributes attributes = pool_attributes(t);
  attributes.emplace("p", t.integer("p", 2));
  t.produce("LpPool", {t.input(0)}, std::move(attributes));
}

void average_pool(Translation& t) {
  Attributes attributes = pool_attributes(t);
  attributes.emplace("count_include_pad", t.integer("count_include_pad", 0));
  t.produce("AveragePool", {t.input(0)}, std::move(attributes));
}

void global_pool(Translation& t) { t.produce(t.op(), {t.input(0)}); }

/// (Σ |x|^p)^(1/p) over all spatial dimensions.
void global_lp_pool(Translation& t) {
  const int64_t p = t.integer("p", 2);
  std::vector<int64_t> axes;
  for (int64_t d = 2; d < t.rank(0); ++d) axes.push_back(d);
  if (axes.empty()) t.fail(Code::ImportShapeMismatch, "the input has no spatial dimensions");
  if (p != 1 && p != 2) {
    const std::vector<int64_t> kernel(t.shape(0).begin() + 2, t.shape(0).end());
    return t.produce("LpPool", {t.input(0)}, {{"kernel_shape", kernel}, {"p", p}});
  }
  t.produce(p == 1 ? "ReduceL1" : "ReduceL2", {t.input(0)}, {{"axes", axes}, {"keepdims", int64_t{1}}});
}

constexpr OperatorRow kPoolingRows[] = {
    {"MaxPool", 1, 28, max_pool},
    {"AveragePool", 1, 28, average_pool},
    {"LpPool", 2, 28, lp_pool},
    {"MaxUnpool", 9, 28, max_unpool},
    {"GlobalAveragePool", 1, 28, global_pool},
    {"GlobalMaxPool", 1, 28, global_pool},
    {"GlobalLpPool", 2, 28, global_lp_pool},
};

}  // namespace

std::span<const OperatorRow> pooling_operators() { return kPoolingRows; }

}  // namespace openrknn::onnx
