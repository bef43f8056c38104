#include "core/rknn_file/validate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/model/pixel_format.h"

namespace openrknn {
namespace {

class Validator {
 public:
  explicit Validator(const std::string& file) { where_.file = file; }

  void model(const Model&);

 private:
  void problem(std::string text) {
    problems_.add(Code::RknnInvalid, where_, std::move(text), "convert the model again");
  }
  void graph(const Graph&);
  void fixed(const Graph&, const Node&, const FixedPoint&);
  void ports(const std::vector<Port>&, const Graph&, const std::vector<ValueId>&, const char* side);

  Diagnostics problems_;
  Location where_;
};

/// Channels of a node's first output, as FixedPoint counts them; 0 if it has none.
int64_t channels(const Graph& graph, const Node& node) {
  if (node.outputs.empty() || node.outputs[0] == ValueId::None) return 0;
  const Shape& shape = graph[node.outputs[0]].shape;
  if (shape.empty()) return 1;
  return node.op == "MatMul" || shape.size() < 2 ? shape.back() : shape[1];
}

/// Linear Resize keeps {neighbour, share} for each output position of each spatial dimension: kernels use the neighbour
/// as an index.
bool are_resize_taps(const Graph& graph, const Node& node, const std::vector<int32_t>& taps) {
  const Shape &in = graph[node.inputs[0]].shape, &out = graph[node.outputs[0]].shape;
  size_t at = 0;
  for (size_t d = 2; d < in.size() && d < out.size(); ++d) {
    for (int64_t o = 0; o < out[d]; ++o, at += 2) {
      if (at + 2 > taps.size() || taps[at] < 0 || taps[at] >= in[d]) return false;
    }
  }
  return at == taps.size();
}

bool are_slopes(const Graph& graph, const Node& node, const std::vector<int32_t>& slopes) {
  if (slopes.size() <= 1) return true;
  if (node.op == "Resize") return are_resize_taps(graph, node, slopes);
  const auto count = static_cast<int64_t>(slopes.size());
  if (node.op == "PRelu" && node.inputs.size() > 1) return count == element_count(graph[node.inputs[1]].shape);
  return count == channels(graph, node);
}

void Validator::fixed(const Graph& graph, const Node& node, const FixedPoint& fixed) {
  const auto wrong = [&](const char* what) { problem(fmt::format("node '{}': {}", node.name, what)); };
  // Bounds of the law (docs/arithmetic.md): shifts of the hardware are five bits, multipliers fifteen.
  if (fixed.channel_shift < 0 || fixed.channel_shift > 31) wrong("the channel shift is out of range");
  const bool wide =
      !node.outputs.empty() && node.outputs[0] != ValueId::None && graph[node.outputs[0]].dtype == DType::Int16;
  // Int16 (ours): longer accumulators, so longer shifts; operands of a sum in units of 2^-24.
  const bool sum = node.op == "Add" || node.op == "Sub";
  for (size_t i = 0; i < fixed.scale.size(); ++i) {
    const auto& [multiplier, shift] = fixed.scale[i];
    const int32_t most = wide && sum && i + 1 < fixed.scale.size() ? (1 << 24) + 1 : 1 << 15;
    if (shift < 0 || shift > (wide ? 47 : 31) || multiplier <= -most || multiplier >= most) {
      wrong("a stored multiplier or shift is out of range");
    }
  }
  for (const uint16_t multiplier : fixed.channel) {
    if (multiplier > 32767) return wrong("a channel multiplier is out of range");
  }
  if (!fixed.channel.empty() && static_cast<int64_t>(fixed.channel.size()) != channels(graph, node)) {
    wrong("it has another number of channel multipliers than channels");
  }
  if (!are_slopes(graph, node, fixed.slope)) wrong("its slopes do not fit its channels or positions");
  if (fixed.low > fixed.high) wrong("the output range is empty");
}

void Validator::graph(const Graph& graph) {
  for (const NodeId id : graph.order()) {
    const Node& node = graph[id];
    if (node.fixed) fixed(graph, node, *node.fixed);
  }
}

void Validator::ports(const std::vector<Port>& ports, const Graph& graph, const std::vector<ValueId>& values,
                      const char* side) {
  if (ports.size() != values.size()) {
    problem(fmt::format("the model has {} {} ports for {} of the graph", ports.size(), side, values.size()));
    return;
  }
  for (size_t i = 0; i < ports.size(); ++i) {
    const Port& port = ports[i];
    const Shape& shape = graph[values[i]].shape;
    std::vector<int> order = port.source_order;
    std::sort(order.begin(), order.end());
    bool permutation = order.empty() || order.size() == shape.size();
    for (size_t d = 0; d < order.size(); ++d) permutation = permutation && order[d] == static_cast<int>(d);
    if (!permutation) problem(fmt::format("{} '{}': the source order is not a permutation", side, port.name));
    if (!port.mean.empty() && !port.std.empty() && port.mean.size() != port.std.size()) {
      problem(fmt::format("{} '{}': mean and std have different lengths", side, port.name));
    }
    const bool is_frame = shape.size() == 4 && shape[1] == 1 && shape[2] > 0 && shape[2] % 3 == 0 && shape[3] % 2 == 0;
    if (!port.pixel_format.empty() && (find_pixel_format(port.pixel_format) == nullptr || !is_frame)) {
      problem(fmt::format("{} '{}': '{}' and shape {} are no frames", side, port.name, port.pixel_format,
                          to_string(shape)));
    }
    for (const float value : port.mean) {
      if (!std::isfinite(value)) problem(fmt::format("{} '{}': a mean is not finite", side, port.name));
    }
    for (const float value : port.std) {
      if (!std::isfinite(value) || value == 0)
        problem(fmt::format("{} '{}': a std is 0 or not finite", side, port.name));
    }
  }
}

void Validator::model(const Model& model) {
  if (model.variants.empty()) problem("the model has no graph");
  if (model.batch < 1) problem("the batch is less than 1");
  for (const Graph& variant : model.variants) {
    verify(variant);
    graph(variant);
    ports(model.inputs, variant, variant.inputs, "input");
    ports(model.outputs, variant, variant.outputs, "output");
  }
  if (model.golden) {
    verify(*model.golden);
    graph(*model.golden);
  }
  problems_.throw_if_any();
}

}  // namespace

void validate(const Model& model, const std::string& file) { Validator(file).model(model); }

}  // namespace openrknn
