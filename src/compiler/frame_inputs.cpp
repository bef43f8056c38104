#include "compiler/frame_inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "core/base/error.h"
#include "core/graph/schema.h"

namespace openrknn {
namespace {

/// x' = x * factor + offset, one a channel in the order of the model's input.
struct Normalisation {
  std::array<double, 3> factor = {1, 1, 1}, offset = {0, 0, 0};
  bool is_uniform() const {
    return factor[0] == factor[1] && factor[0] == factor[2] && offset[0] == offset[1] && offset[0] == offset[2];
  }
};
Normalisation normalisation_of(const std::vector<std::vector<float>>& mean, const std::vector<std::vector<float>>& std,
                               size_t input) {
  Normalisation result;
  const auto channel = [&](const std::vector<std::vector<float>>& all, size_t c, double fallback) {
    return input < all.size() && all[input].size() == 3 ? static_cast<double>(all[input][c]) : fallback;
  };
  for (size_t c = 0; c < 3; ++c) {
    const double deviation = channel(std, c, 1);
    result.factor[c] = 1 / (deviation == 0 ? 1 : deviation);  // 0 is refused by input_ports()
    result.offset[c] = -channel(mean, c, 0) * result.factor[c];
  }
  return result;
}

/// Appends nodes to a graph, each after what it reads.
class Chain {
 public:
  Chain(Graph& graph, std::string name) : graph_(graph), name_(std::move(name)) {}

  ValueId add(std::string op, std::string_view what, std::vector<ValueId> inputs, Attributes attributes) {
    Value value;
    value.name = fmt::format("{}_{}", name_, what);
    Node node;
    node.op = std::move(op);
    node.inputs = std::move(inputs);
    node.attributes = std::move(attributes);
    node.outputs = {graph_.add(std::move(value))};
    const ValueId result = node.outputs[0];
    infer(graph_, graph_.add(std::move(node)));
    return result;
  }
  ValueId constant(std::string_view what, const Shape& shape, const std::vector<double>& values) {
    return graph_.add_constant(fmt::format("{}_{}", name_, what),
                               Tensor::from<float>(shape, std::vector<float>(values.begin(), values.end())));
  }

 private:
  Graph& graph_;
  std::string name_;
};

/// Y, then the two chromas in the frame's order, each at the picture's size.
ValueId planes(Chain& chain, ValueId frame, const Shape& picture, const PixelFormat& format) {
  const int64_t items = picture[0], height = picture[2], width = picture[3], rows = height * 3 / 2;
  const auto rows_between = [&](int64_t first, int64_t end) {
    return Attributes{{"starts", std::vector<int64_t>{0, 0, first, 0}},
                      {"ends", std::vector<int64_t>{items, 1, end, width}},
                      {"steps", std::vector<int64_t>{1, 1, 1, 1}}};
  };
  const ValueId luma = chain.add("Slice", "luma", {frame}, rows_between(0, height));
  ValueId chroma = chain.add("Slice", "chroma", {frame}, rows_between(height, rows));
  if (format.interleaved) {
    // Every other column each: an exact convolution, where not every NPU has the Transpose.
    chroma = chain.add("Conv", "chromas", {chroma, chain.constant("columns", {2, 1, 1, 2}, {1, 0, 0, 1})},
                       {{"kernel_shape", std::vector<int64_t>{1, 2}}, {"strides", std::vector<int64_t>{1, 2}}});
  } else {
    chroma =
        chain.add("Reshape", "chromas", {chroma}, {{"shape", std::vector<int64_t>{items, 2, height / 2, width / 2}}});
  }
  // half_pixel with round_prefer_floor at scale 2: floor(x / 2).
  chroma = chain.add("Resize", "grown", {chroma}, {{"sizes", std::vector<int64_t>{items, 2, height, width}}});
  return chain.add("Concat", "yuv", {luma, chroma}, {{"axis", int64_t{1}}});
}

/// A 1x1 convolution that saturates. Where mean and std are the same for all channels it applies them as well.
ValueId picture_of(Chain& chain, ValueId yuv, const PixelFormat& format, const Normalisation& normalisation, bool bgr) {
  const ColourMatrix colours = rgb_of_yuv(format.full_range);
  const bool uniform = normalisation.is_uniform();
  const double factor = uniform ? normalisation.factor[0] : 1, offset = uniform ? normalisation.offset[0] : 0;
  std::vector<double> weights, biases;
  for (size_t c = 0; c < 3; ++c) {
    const size_t row = bgr ? 2 - c : c;
    const std::array<double, 3>& own = colours.matrix[row];
    for (const size_t component : {size_t{0}, size_t{format.v_first ? 2u : 1u}, size_t{format.v_first ? 1u : 2u}}) {
      weights.push_back(own[component] * factor);
    }
    biases.push_back(colours.offset[row] * factor + offset);
  }
  const double black = offset, white = 255 * factor + offset;
  ValueId picture = chain.add(
      "Conv", "colours",
      {yuv, chain.constant("colour_weights", {3, 3, 1, 1}, weights), chain.constant("colour_biases", {3}, biases)},
      {{"kernel_shape", std::vector<int64_t>{1, 1}}});
  picture = chain.add("Clip", "picture", {picture}, {{"min", std::min(black, white)}, {"max", std::max(black, white)}});
  if (uniform) return picture;
  const auto list = [](const std::array<double, 3>& values) {
    return std::vector<double>(values.begin(), values.end());
  };
  return chain.add("Conv", "normalised",
                   {picture, chain.constant("factors", {3, 1, 1, 1}, list(normalisation.factor)),
                    chain.constant("offsets", {3}, list(normalisation.offset))},
                   {{"kernel_shape", std::vector<int64_t>{1, 1}}, {"group", int64_t{3}}});
}

std::string why_no_picture(const Graph& graph, ValueId id) {
  const Value& value = graph[id];
  const Shape& shape = value.shape;
  if (!is_floating(value.dtype)) return fmt::format("is {}", numpy_name(value.dtype));
  const bool fits = shape.size() == 4 && is_static(shape) && shape[1] == 3;
  if (!fits || shape[2] % 2 != 0 || shape[3] % 2 != 0 || shape[2] == 0 || shape[3] == 0) {
    return fmt::format("has shape {}", to_string(shape));
  }
  return graph.is_output(id) ? "is an output too" : "";
}

}  // namespace

void take_frames(Graph& graph, const FrameFormats& formats, const std::vector<std::vector<float>>& mean,
                 const std::vector<std::vector<float>>& std, const std::vector<bool>& bgr) {
  Diagnostics problems;
  if (formats.size() > graph.inputs.size()) {
    problems.add(
        Code::ConfigBadValue, {},
        fmt::format("inputs_yuv_fmt has {} entries, the model has {} inputs", formats.size(), graph.inputs.size()),
        "give one format an input, None where it stays as it is");
  }
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const ValueId input = graph.inputs[i];
    const std::string reason = format_of(formats, i) ? why_no_picture(graph, input) : "";
    if (reason.empty()) continue;
    problems.add(Code::ConfigBadValue, Location{.tensor = graph[input].name},
                 fmt::format("inputs_yuv_fmt: input {} {}, expected floats [N, 3, height, width] with even height and "
                             "width",
                             i, reason),
                 "give None for it, or load the model with another input size");
  }
  problems.throw_if_any();
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const PixelFormat* format = format_of(formats, i);
    if (format == nullptr) continue;
    const ValueId input = graph.inputs[i];
    const Shape picture = graph[input].shape;
    const std::vector<NodeId> users(graph.users(input).begin(), graph.users(input).end());
    graph[input].shape = frame_shape(picture);
    Chain chain(graph, graph[input].name);
    const bool blue_first = bgr.size() == 1 ? bgr[0] : i < bgr.size() && bgr[i];
    const ValueId result =
        picture_of(chain, planes(chain, input, picture, *format), *format, normalisation_of(mean, std, i), blue_first);
    for (const NodeId user : users) {
      for (size_t k = 0; k < graph[user].inputs.size(); ++k) {
        if (graph[user].inputs[k] == input) graph.set_input(user, k, result);
      }
    }
  }
}

}  // namespace openrknn
