// Convolutions, whole and transposed.
#include <fmt/format.h>

#include "compiler/importers/torchscript/operators.h"

namespace openrknn::torchscript {
namespace {

/// A convolution's arguments, however the operator at hand orders them.
struct Window {
  Ints stride, begin, end, dilation, output_padding;
  int64_t groups = 1;
  bool is_transposed = false;
};

/// Over 1 to 3 dimensions; an image without a batch is one of one.
ValueId convolve(const Call& call, const Window& window) {
  ValueId x = call.floating(0);
  const ValueId weight = call.floating(1);
  const bool is_unbatched = call.rank(x) == call.rank(weight) - 1;
  if (is_unbatched) x = call.with_batch(x);
  if (call.rank(weight) < 3 || call.rank(weight) > 5 || call.rank(x) != call.rank(weight))
    call.refuse(
        fmt::format("an input of {} and weights of {}", to_string(call.shape(x)), to_string(call.shape(weight))));
  std::vector<ValueId> inputs{x, weight};
  if (call.has(2)) inputs.push_back(call.floating(2));
  Ints pads = window.begin;
  pads.insert(pads.end(), window.end.begin(), window.end.end());
  Attributes attributes{{"kernel_shape", Ints(call.shape(weight).begin() + 2, call.shape(weight).end())},
                        {"strides", window.stride},
                        {"pads", pads},
                        {"dilations", window.dilation},
                        {"group", window.groups}};
  if (window.is_transposed) attributes.emplace("output_padding", window.output_padding);
  const ValueId y = call.add(window.is_transposed ? "ConvTranspose" : "Conv", std::move(inputs), std::move(attributes));
  return is_unbatched ? call.without_batch(y) : y;
}

size_t spatial_of(const Call& call) {
  const int64_t rank = call.rank(call.tensor(1));
  if (rank < 3) call.refuse(fmt::format("weights of {}", to_string(call.shape(call.tensor(1)))));
  return static_cast<size_t>(rank) - 2;
}

/// "same" keeps the extents: what is odd is added at the end.
void pad_by_name(const Call& call, size_t i, Window& window) {
  const std::string mode = call.text(i);
  const size_t count = window.stride.size();
  window.begin.assign(count, 0);
  window.end.assign(count, 0);
  if (mode == "valid") return;
  if (mode != "same") call.refuse(fmt::format("the padding '{}'", mode));
  const Shape& weight = call.shape(call.tensor(1));
  for (size_t d = 0; d < count; ++d) {
    if (window.dilation[d] < 1 || window.dilation[d] > 65536)
      call.refuse(fmt::format("a dilation of {}", window.dilation[d]));
    const int64_t total = window.dilation[d] * (weight[d + 2] - 1);
    window.begin[d] = total / 2;
    window.end[d] = total - total / 2;
  }
}

/// input weight bias stride padding dilation groups
Value convolution(const Call& call) {
  const size_t count = spatial_of(call);
  Window window{.stride = call.spread(3, count, 1),
                .begin = {},
                .end = {},
                .dilation = call.spread(5, count, 1),
                .output_padding = {},
                .groups = call.integer(6, 1)};
  if (call.at(4).is<std::string>()) {
    pad_by_name(call, 4, window);
  } else {
    window.begin = window.end = call.spread(4, count, 0);
  }
  return box(convolve(call, window));
}

/// Where an operator has what a padding of numbers goes with.
struct ArgumentOrder {
  size_t dilation, output_padding, groups;
};
Value with_numbers(const Call& call, const ArgumentOrder& at, bool is_transposed) {
  const size_t count = spatial_of(call);
  const Ints pads = call.spread(4, count, 0);
  return box(convolve(call, {.stride = call.spread(3, count, 1),
                             .begin = pads,
                             .end = pads,
                             .dilation = call.spread(at.dilation, count, 1),
                             .output_padding = call.spread(at.output_padding, count, 0),
                             .groups = call.integer(at.groups, 1),
                             .is_transposed = is_transposed}));
}
/// input weight bias stride padding output_padding groups dilation
Value transposed(const Call& call) {
  return with_numbers(call, {.dilation = 7, .output_padding = 5, .groups = 6}, true);
}
/// input weight bias stride padding dilation transposed output_padding groups
Value either(const Call& call) {
  return with_numbers(call, {.dilation = 5, .output_padding = 7, .groups = 8}, call.flag(6));
}

constexpr std::string_view kForward = "input weight bias stride padding dilation groups",
                           kTransposed = "input weight bias stride padding output_padding groups dilation",
                           kEither =
                               "input weight bias stride padding dilation transposed output_padding groups "
                               "benchmark deterministic cudnn_enabled allow_tf32";

constexpr OperatorRow kConvolutionRows[] = {
    {"aten::_convolution", kEither, either},
    {"aten::_convolution_mode", kForward, convolution},
    {"aten::conv1d", kForward, convolution},
    {"aten::conv2d", kForward, convolution},
    {"aten::conv3d", kForward, convolution},
    {"aten::conv_transpose1d", kTransposed, transposed},
    {"aten::conv_transpose2d", kTransposed, transposed},
    {"aten::conv_transpose3d", kTransposed, transposed},
    {"aten::convolution", kEither, either},
};

}  // namespace

std::span<const OperatorRow> rows_of_convolution() { return kConvolutionRows; }

}  // namespace openrknn::torchscript
