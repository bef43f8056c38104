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
  if (t.output_used(1)) t.unsupported("the second output (Indices) is not built yet");
  t.produce("MaxPool", {t.input(0)}, pool_attributes(t));
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
  if (p != 1 && p != 2) t.unsupported(fmt::format("p is {}, expected 1 or 2", p));
  std::vector<int64_t> axes;
  for (int64_t d = 2; d < t.rank(0); ++d) axes.push_back(d);
  if (axes.empty()) t.fail(Code::ImportShapeMismatch, "the input has no spatial dimensions");
  t.produce(p == 1 ? "ReduceL1" : "ReduceL2", {t.input(0)}, {{"axes", axes}, {"keepdims", int64_t{1}}});
}

constexpr OperatorRow kRows[] = {
    {"MaxPool", 1, 28, max_pool},
    {"AveragePool", 1, 28, average_pool},
    {"GlobalAveragePool", 1, 28, global_pool},
    {"GlobalMaxPool", 1, 28, global_pool},
    {"GlobalLpPool", 2, 28, global_lp_pool},
};

}  // namespace

std::span<const OperatorRow> pooling_operators() { return kRows; }

}  // namespace openrknn::onnx
