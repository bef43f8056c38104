// Conv, ConvTranspose, pools, Resize. Numbers: the vendor's public operator lists for its compiler 2.3.2.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/targets/operator_limits.h"

namespace openrknn {
namespace {

/// The attribute lists of an operator with a window, for height and width; one spatial dimension stands as a width.
struct Window {
  std::array<int64_t, 2> kernel = {1, 1}, stride = {1, 1}, dilation = {1, 1};
  std::array<int64_t, 4> pads = {};  ///< top, left, bottom, right
  int64_t dilated(size_t i) const { return (kernel[i] - 1) * dilation[i] + 1; }
};

constexpr std::array<std::string_view, 2> kSides = {"height", "width"};
constexpr std::array<std::string_view, 4> kEdges = {"top", "left", "bottom", "right"};

/// Exceeds a limit and gives nothing for more than two spatial dimensions.
std::optional<Window> window_of(LimitQuery& query) {
  const size_t rank = query.input(0).shape.size();
  if (rank < 3 || rank > 4) {
    query.exceed("spatial dimensions", fmt::format("{}", static_cast<int64_t>(rank) - 2), "1 or 2",
                 "run the layer on the CPU of the host, or take the model apart there");
    return std::nullopt;
  }
  Window window;
  const size_t spatial = rank - 2, first = 2 - spatial;
  const auto read = [&](std::string_view name, auto& target) {
    const std::vector<int64_t> list = ints_attribute(query.node.attributes, name);
    for (size_t i = 0; i < std::min(list.size(), spatial); ++i) target[first + i] = list[i];
  };
  read("kernel_shape", window.kernel);
  if (!has_attribute(query.node.attributes, "kernel_shape") && query.has_input(1)) {
    const Shape& weights = query.input(1).shape;  // the layer's own, where the attribute is left out
    for (size_t i = 0; i < spatial && weights.size() == rank; ++i) window.kernel[first + i] = weights[2 + i];
  }
  read("strides", window.stride);
  read("dilations", window.dilation);
  const std::vector<int64_t> pads = ints_attribute(query.node.attributes, "pads");
  for (size_t i = 0; i < spatial && pads.size() == 2 * spatial; ++i) {
    window.pads[first + i] = pads[i];
    window.pads[2 + first + i] = pads[spatial + i];
  }
  return window;
}

struct WindowRange {
  int64_t kernel, stride, pad, dilation;
};

void check_window(LimitQuery& query, const Window& window, const WindowRange& range) {
  for (size_t i = 0; i < 2; ++i) {
    query.require_range(fmt::format("kernel {}", kSides[i]), window.kernel[i], 1, range.kernel,
                        "split the layer into several of smaller kernels");
    query.require_range(fmt::format("stride in {}", kSides[i]), window.stride[i], 1, range.stride,
                        "use two layers whose strides multiply to it");
    query.require_range(fmt::format("dilation in {}", kSides[i]), window.dilation[i], 1, range.dilation,
                        "write the kernel out with zeros between its taps");
  }
  for (size_t i = 0; i < 4; ++i) {
    query.require_range(fmt::format("pad at the {}", kEdges[i]), window.pads[i], 0, range.pad,
                        "put a Pad in front of the layer");
  }
}

bool is_depthwise(const LimitQuery& query, int64_t channels) {
  return channels > 1 && int_attribute(query.node.attributes, "group", 1) == channels;
}

/// How many lines of `line` bytes of input the buffer holds beside a kernel of the first layer: N of the rule
/// width * dilated height <= line * N. Families in the order of Family; the depthwise rule differs.
struct FirstLayerRule {
  int64_t line, banks, taps, least_banks, depthwise_taps, depthwise_least_banks, width;
};
constexpr std::array<FirstLayerRule, kFamilyCount> kFirstLayer = {{
    {1024, 8, 128, 0, 4096, 0, 4096},
    {2048, 12, 128, 3, 2048, 3, 8192},
    {2048, 8, 128, 2, 4096, 0, 4096},
    {2048, 8, 128, 2, 2048, 0, 4096},
    {2048, 8, 128, 2, 4096, 0, 4096},
    {2048, 8, 128, 2, 4096, 0, 4096},
    {2048, 8, 128, 2, 4096, 0, 4096},
}};

/// Layers that read the model's input in its own pixels: 1, 3 or 4 channels.
void check_first_layer(LimitQuery& query, const Window& window) {
  const Shape& shape = query.input(0).shape;
  const int64_t channels = shape[1], width = shape.back();
  if (!query.graph.is_input(query.node.inputs[0]) || (channels != 1 && channels != 3 && channels != 4)) return;
  const FirstLayerRule& rule = kFirstLayer[static_cast<size_t>(query.family)];
  const bool depthwise = is_depthwise(query, channels);
  const int64_t taps = window.dilated(0) * window.dilated(1), of = depthwise ? rule.depthwise_taps : rule.taps;
  const int64_t lines =
      rule.banks - std::max((taps + of - 1) / of, depthwise ? rule.depthwise_least_banks : rule.least_banks);
  query.require_range("width of the model's input", width, 1, rule.width, "make the input smaller");
  // RK3588 computes float16 in pixels of two bytes.
  const int64_t line = query.family == Family::Rk3588 && query.dtype == DType::Float16 ? 1024 : rule.line;
  if (lines < 1) {
    query.exceed("kernel of the first layer", fmt::format("{} taps", taps), fmt::format("up to {}", of * rule.banks),
                 "use a smaller kernel in the first layer");
  } else if (width * window.dilated(0) > line * lines) {
    query.exceed("width times kernel height of the first layer", fmt::format("{}", width * window.dilated(0)),
                 fmt::format("up to {}", line * lines), "make the input narrower, or the first kernel lower");
  }
}

void require_constant_weights(LimitQuery& query) {
  if (!query.input(1).constant) {
    query.exceed("weights", "a computed tensor", "constants", "freeze the tensor, or compute the layer as a MatMul");
  }
}

}  // namespace

void LimitQuery::require_range(std::string_view limit, int64_t value, int64_t low, int64_t high,
                               std::string_view cure) {
  if (value >= low && value <= high) return;
  exceed(std::string(limit), fmt::format("{}", value), fmt::format("{} to {}", low, high), std::string(cure));
}

std::string to_string(const ExceededLimit& exceeded) {
  return fmt::format("{} is {}, expected {}", exceeded.limit, exceeded.got, exceeded.expected);
}

void check_conv(LimitQuery& query) {
  require_constant_weights(query);
  const std::optional<Window> window = window_of(query);
  if (!window) return;
  const int64_t channels = query.input(0).shape[1], group = int_attribute(query.node.attributes, "group", 1);
  const bool depthwise = is_depthwise(query, channels);
  check_window(query, *window, {.kernel = depthwise ? 8 : 31, .stride = 7, .pad = 15, .dilation = depthwise ? 32 : 31});
  // The vendor's compiler takes large kernels, strides and pads apart: several layers whose results are added, or a
  // Pad in front.
  if (!query.exceeded.empty() && std::ranges::none_of(query.exceeded, [](const ExceededLimit& exceeded) {
        return exceeded.limit.starts_with("dilation") || exceeded.limit == "weights";
      })) {
    query.form = fmt::format("in pieces ({})", to_string(query.exceeded.front()));
    query.exceeded.clear();
  }
  if (window->dilated(0) > 1) {
    query.require_range("width", query.input(0).shape.back(), 1, 16382, "cut the tensor into narrower ones");
  }
  if (group > 1 && !depthwise && query.form.empty())
    query.form = "as a Conv of one group, its weights filled up with zeros";
  check_first_layer(query, *window);
}

void check_conv_transpose(LimitQuery& query) {
  require_constant_weights(query);
  const std::optional<Window> window = window_of(query);
  if (!window) return;
  const Shape &in = query.input(0).shape, &out = query.output().shape;
  const int64_t group = int_attribute(query.node.attributes, "group", 1);
  check_window(query, *window, {.kernel = 31, .stride = 8, .pad = 15, .dilation = 31});
  const bool powers_only = query.family == Family::Rk356x || query.family == Family::Rk3588;
  const bool is_line = in.size() == 3;
  for (size_t i = 0; i < 2; ++i) {
    const int64_t stride = window->stride[i], kernel = window->kernel[i], dilation = window->dilation[i];
    if (powers_only && stride <= 8 && (stride & (stride - 1)) != 0) {
      query.exceed(fmt::format("stride in {}", kSides[i]), fmt::format("{}", stride), "1, 2, 4 or 8",
                   "use Resize and Conv instead");
    }
    if (dilation != 1 && kernel != 1) {
      query.exceed(fmt::format("dilation in {}", kSides[i]), fmt::format("{}", dilation), "1",
                   "write the kernel out with zeros between its taps");
    }
    if (is_line && i == 0) continue;
    const int64_t pad = window->pads[i], extent = in[in.size() - 2 + i], result = out[out.size() - 2 + i];
    if (kernel * dilation - dilation - pad < 0) {
      query.exceed(fmt::format("pad at the {}", kEdges[i]), fmt::format("{}", pad),
                   fmt::format("up to {}", kernel * dilation - dilation), "pad less and slice the result");
    }
    if (stride * (extent - 1) - pad + 1 < result - window->dilated(i) + 1) {
      query.exceed(fmt::format("output {}", kSides[i]), fmt::format("{}", result),
                   fmt::format("up to {}", stride * (extent - 1) - pad + window->dilated(i)),
                   "leave output_padding out and pad behind the layer");
    }
  }
  if (group != 1 && !(group == in[1] && group == out[1])) {
    query.exceed("group", fmt::format("{}", group), "1, or the channels of input and output",
                 "split the layer by Split, ConvTranspose and Concat");
  }
}

namespace {

void check_pool(LimitQuery& query, const Window& window) {
  check_window(query, window, {.kernel = 7, .stride = 8, .pad = 7, .dilation = 1});
  const Shape& shape = query.input(0).shape;
  for (size_t i = 1; i < shape.size(); ++i) {
    query.require_range(fmt::format("extent of dimension {}", i), shape[i], 1, kLargestExtent, "cut the tensor");
  }
  if (int_attribute(query.node.attributes, "ceil_mode", 0) != 0) {
    query.exceed("ceil_mode", "1", "0", "pad explicitly: export the model with ceil_mode=False");
  }
}

/// What is exceeded is the kernel alone.
bool only_kernel(const LimitQuery& query) {
  return !query.exceeded.empty() && std::ranges::all_of(query.exceeded, [](const ExceededLimit& exceeded) {
    return exceeded.limit.starts_with("kernel ");
  });
}

}  // namespace

void check_max_pool(LimitQuery& query) {
  const std::optional<Window> window = window_of(query);
  if (!window) return;
  check_pool(query, *window);
  // A window of k at stride 1 is a window of k - 6 over one of 7.
  if (only_kernel(query) && window->stride == std::array<int64_t, 2>{1, 1}) {
    query.exceeded.clear();
    query.form = "as a chain of smaller MaxPools";
  }
  if (query.family == Family::Rk2118 && window->kernel == std::array<int64_t, 2>{1, 1}) {
    query.exceed("kernel", "1x1", "larger", "use a Slice with steps");
  }
}

void check_average_pool(LimitQuery& query) {
  const std::optional<Window> window = window_of(query);
  if (!window) return;
  check_pool(query, *window);
  const bool has_pads = std::ranges::any_of(window->pads, [](int64_t pad) { return pad != 0; });
  if (has_pads && int_attribute(query.node.attributes, "count_include_pad", 0) == 0) {
    query.exceed("count_include_pad", "0 with pads", "1", "export with count_include_pad=True, or pad explicitly");
  }
  const bool has_unit = query.family != Family::Rv1106b && query.family != Family::Rk2118;
  const bool fits_conv = window->kernel[0] <= 8 && window->kernel[1] <= 8;
  if (only_kernel(query) && fits_conv) query.exceeded.clear();
  if (query.exceeded.empty() && (!has_unit || fits_conv) &&
      (window->kernel[0] > 7 || window->kernel[1] > 7 || !has_unit))
    query.form = "as a depthwise Conv by one over the window";
}

void check_global_pool(LimitQuery& query) {
  const Shape& shape = query.input(0).shape;
  if (shape.size() > 4) {
    query.exceed("spatial dimensions", fmt::format("{}", shape.size() - 2), "1 or 2", "");
    return;
  }
  const int64_t most = query.family == Family::Rk3576 && query.node.op == "GlobalMaxPool" ? kLargestExtent : 7;
  if (std::ranges::any_of(shape.begin() + std::min<ptrdiff_t>(2, std::ssize(shape)), shape.end(),
                          [&](int64_t extent) { return extent > most; })) {
    query.form = query.node.op == "GlobalMaxPool" ? "as a chain of MaxPools" : "as a Conv, or a chain of pools";
  }
}

void check_resize(LimitQuery& query) {
  const Attributes& attributes = query.node.attributes;
  const std::string mode = string_attribute(attributes, "mode", "nearest");
  const std::string coordinates = string_attribute(attributes, "coordinate_transformation_mode", "half_pixel");
  if (mode != "nearest" && mode != "linear") {
    query.exceed("mode", mode, "nearest or linear", "export the model with linear interpolation");
  }
  constexpr std::string_view kModes[] = {"half_pixel", "pytorch_half_pixel", "align_corners"};
  // Whole scales of nearest neighbours are the same numbers by asymmetric coordinates rounded down.
  const bool same_numbers = mode == "nearest" && coordinates == "asymmetric";
  if (std::ranges::find(kModes, coordinates) == std::end(kModes) && !same_numbers) {
    query.exceed("coordinate_transformation_mode", coordinates, "half_pixel, pytorch_half_pixel or align_corners",
                 "export with align_corners, or without");
  }
  if (int_attribute(attributes, "antialias", 0) != 0) query.exceed("antialias", "1", "0", "leave it out");
  const Shape &in = query.input(0).shape, &out = query.output().shape;
  if (in.size() < 3 || in.size() > 4) {
    query.exceed("spatial dimensions", fmt::format("{}", static_cast<int64_t>(in.size()) - 2), "1 or 2", "");
    return;
  }
  const size_t first = 2 - (in.size() - 2);
  const bool from_one = std::all_of(in.begin() + 2, in.end(), [](int64_t extent) { return extent == 1; });
  for (size_t i = 2; i < in.size() && !from_one; ++i) {
    const bool whole = in[i] > 0 && out[i] % in[i] == 0;
    const int64_t scale = whole ? out[i] / in[i] : 0;
    if (!whole || scale > 8) {
      query.exceed(fmt::format("scale in {}", kSides[first + i - 2]),
                   whole ? fmt::format("{}", scale) : fmt::format("{} to {}", in[i], out[i]), "a whole number up to 8",
                   "choose input sizes at which the scale is whole");
    }
  }
}

}  // namespace openrknn
