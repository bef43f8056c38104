// Dynamic… nodes, whose parameters are inputs, as the nodes they are once the parameters are known.
#include <fmt/format.h>

#include <algorithm>

#include "core/kernels/data_dependent.h"

namespace openrknn::reference {
namespace {

[[noreturn]] void refuse(const Node& node, std::string problem) {
  fail(Code::RuntimeBadInput, Location{.node = fmt::format("{} ({})", node.name, node.op)}, std::move(problem));
}

Node with(const Node& node, std::string_view op, Attributes attributes) {
  Node resolved;
  resolved.op = std::string(op);
  resolved.name = node.name;
  resolved.inputs = {node.inputs[0]};
  resolved.outputs = node.outputs;
  resolved.attributes = std::move(attributes);
  return resolved;
}

std::vector<int64_t> list(HostInputs inputs, size_t index) {
  return index < inputs.size() && inputs[index] != nullptr ? to_ints(*inputs[index]) : std::vector<int64_t>{};
}

}  // namespace

Node resolve_reshape(const Node& node, HostInputs inputs) {
  const Shape& x = inputs[0]->shape();
  const Shape asked = to_ints(*inputs[1]);
  Shape shape = asked;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] == 0 && d < x.size() && int_attribute(node.attributes, "allowzero", 0) == 0) shape[d] = x[d];
  }
  const auto mismatch = [&] {
    refuse(node, fmt::format("{} ({} elements) cannot become {}", to_string(x), inputs[0]->size(), to_string(asked)));
  };
  const auto open = std::find(shape.begin(), shape.end(), -1);
  if (open != shape.end()) {
    *open = 1;
    if (!is_static(shape)) mismatch();
    const int64_t known = element_count(shape);
    if (known == 0 ? inputs[0]->size() != 0 : inputs[0]->size() % known != 0) mismatch();
    *open = known == 0 ? 0 : inputs[0]->size() / known;
  }
  if (!is_static(shape) || element_count(shape) != inputs[0]->size()) mismatch();
  return with(node, "Reshape", {{"shape", shape}});
}

/// Clamped as ONNX says: into 0..extent forward, into -1..extent-1 backward.
Node resolve_slice(const Node& node, HostInputs inputs) {
  const Shape& x = inputs[0]->shape();
  const auto rank = static_cast<int64_t>(x.size());
  const std::vector<int64_t> starts = list(inputs, 1), ends = list(inputs, 2);
  std::vector<int64_t> axes = list(inputs, 3), steps = list(inputs, 4);
  if (axes.empty()) {
    for (size_t i = 0; i < starts.size(); ++i) axes.push_back(static_cast<int64_t>(i));
  }
  if (steps.empty()) steps.assign(starts.size(), 1);
  if (ends.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size()) {
    refuse(node, "starts, ends, axes and steps differ in length");
  }
  std::vector<int64_t> first(x.size(), 0), last = x, stride(x.size(), 1);
  std::vector<bool> seen(x.size());
  for (size_t i = 0; i < starts.size(); ++i) {
    if (axes[i] < -rank || axes[i] >= rank) {
      refuse(node, fmt::format("axes name dimension {} of shape {}", axes[i], to_string(x)));
    }
    const auto d = static_cast<size_t>(axes[i] < 0 ? axes[i] + rank : axes[i]);
    if (seen[d] || steps[i] == 0) {
      refuse(node, steps[i] == 0 ? "a step is 0" : fmt::format("axes name dimension {} twice", d));
    }
    seen[d] = true;
    const int64_t extent = x[d];
    const bool forward = steps[i] > 0;
    const auto clamp = [&](int64_t index, int64_t low, int64_t high) {
      return std::clamp(index < 0 && index >= -extent ? index + extent : index < 0 ? low : index, low, high);
    };
    first[d] = forward ? clamp(starts[i], 0, extent) : clamp(starts[i], 0, std::max<int64_t>(0, extent - 1));
    last[d] = forward ? clamp(ends[i], 0, extent) : clamp(ends[i], -1, std::max<int64_t>(0, extent - 1));
    const int64_t longest = std::max<int64_t>(1, extent);
    stride[d] = std::clamp<int64_t>(steps[i], -longest, longest);
    if (forward ? last[d] < first[d] : last[d] > first[d]) last[d] = first[d];
  }
  return with(node, "Slice", {{"starts", first}, {"ends", last}, {"steps", stride}});
}

Node resolve_expand(const Node& node, HostInputs inputs) {
  const Shape asked = to_ints(*inputs[1]);
  const std::optional<Shape> shape = broadcast(inputs[0]->shape(), asked);
  if (!shape || !is_static(asked)) {
    refuse(node, fmt::format("{} does not broadcast to {}", to_string(inputs[0]->shape()), to_string(asked)));
  }
  return with(node, "Expand", {{"shape", *shape}});
}

Node resolve_tile(const Node& node, HostInputs inputs) {
  const std::vector<int64_t> repeats = to_ints(*inputs[1]);
  if (std::ssize(repeats) != inputs[0]->rank() || !is_static(repeats)) {
    refuse(node, fmt::format("repeats {} do not fit shape {}", to_string(repeats), to_string(inputs[0]->shape())));
  }
  return with(node, "Tile", {{"repeats", repeats}});
}

Node resolve_top_k(const Node& node, HostInputs inputs) {
  const std::vector<int64_t> k = to_ints(*inputs[1]);
  const auto axis = static_cast<size_t>(int_attribute(node.attributes, "axis", 0));
  if (k.size() != 1 || k[0] < 0 || k[0] > inputs[0]->shape()[axis]) {
    refuse(node, fmt::format("k is {}, expected one number of 0 to {} (dimension {} of {})", to_string(k),
                             inputs[0]->shape()[axis], axis, to_string(inputs[0]->shape())));
  }
  Attributes attributes = node.attributes;
  attributes["k"] = k[0];
  return with(node, "TopK", std::move(attributes));
}

}  // namespace openrknn::reference
