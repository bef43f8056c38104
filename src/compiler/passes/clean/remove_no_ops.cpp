// Nodes that give their input back: the result is redirected to the input.
#include <algorithm>
#include <cmath>
#include <map>

#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

namespace openrknn::passes {
namespace {

bool all_are(const std::vector<int64_t>& list, int64_t value) {
  return std::all_of(list.begin(), list.end(), [=](int64_t entry) { return entry == value; });
}

bool always(const Graph&, const Node&) { return true; }

bool has_identity_order(const Graph&, const Node& node) {
  const std::vector<int64_t> perm = ints_attribute(node.attributes, "perm");
  return std::is_sorted(perm.begin(), perm.end());
}

/// Extents that depend on data look equal and need not be.
bool has_no_copies(const Graph& graph, const Node& node) {
  return is_static(graph[node.inputs[0]].shape) || all_are(ints_attribute(node.attributes, "repeats"), 1);
}

bool has_no_step(const Graph& graph, const Node& node) {
  // With the extents unchanged, a step other than 1 could only be -1 (reversed) or concern an extent of 1.
  const std::vector<int64_t> steps = ints_attribute(node.attributes, "steps");
  const Shape& shape = graph[node.inputs[0]].shape;
  for (size_t d = 0; d < steps.size(); ++d) {
    if (steps[d] != 1 && shape[d] != 1) return false;
  }
  return true;
}

bool has_no_pads(const Graph&, const Node& node) { return all_are(ints_attribute(node.attributes, "pads"), 0); }

bool has_unit_scales(const Graph&, const Node& node) {
  const std::vector<double> scales = floats_attribute(node.attributes, "scales");
  const bool unit = std::all_of(scales.begin(), scales.end(), [](double scale) { return scale == 1; });
  return unit && string_attribute(node.attributes, "coordinate_transformation_mode", "") != "tf_crop_and_resize";
}

bool has_no_bounds(const Graph&, const Node& node) {
  return !has_attribute(node.attributes, "min") && !has_attribute(node.attributes, "max");
}

bool has_unit_window(const Graph&, const Node& node) {
  const Attributes& attributes = node.attributes;
  return all_are(ints_attribute(attributes, "kernel_shape"), 1) && all_are(ints_attribute(attributes, "strides"), 1) &&
         all_are(ints_attribute(attributes, "pads"), 0);
}

/// The second operand changes nothing: x * 1, x / 1, x + 0, x - 0.
bool is_neutral(const Graph& graph, const Node& node) {
  const std::optional<double> operand = scalar(graph, node.inputs[1]);
  const double neutral = node.op == "Mul" || node.op == "Div" ? 1 : 0;
  return operand == neutral && !has_attribute(node.attributes, "activation");
}

struct Rule {
  std::string_view op;
  bool (*changes_nothing)(const Graph&, const Node&);  // given that type and shape of input and output are equal
};
constexpr Rule kRules[] = {
    {"Add", is_neutral},
    {"AveragePool", has_unit_window},
    {"Cast", always},
    {"Clip", has_no_bounds},
    {"Concat", always},  // of one input: the shape is equal
    {"Div", is_neutral},
    {"Expand", always},
    {"MaxPool", has_unit_window},
    {"Mul", is_neutral},
    {"Pad", has_no_pads},
    {"Reshape", always},
    {"Resize", has_unit_scales},
    {"Slice", has_no_step},
    {"Split", always},
    {"Sub", is_neutral},
    {"Tile", has_no_copies},
    {"Transpose", has_identity_order},
};

/// A constant first operand of Add or Mul goes second, where the other passes look for it.
bool put_constant_second(Graph& graph, NodeId id) {
  const Node& node = graph[id];
  if (node.op != "Add" && node.op != "Mul") return false;
  if (content(graph, node.inputs[0]) == nullptr || content(graph, node.inputs[1]) != nullptr) return false;
  graph.set_inputs(id, {node.inputs[1], node.inputs[0]});
  return true;
}

}  // namespace

bool remove_no_ops(Graph& graph, const PassContext& context) {
  return for_each_node(graph, [&](NodeId id) {
    const bool swapped = put_constant_second(graph, id);
    const Node& node = graph[id];
    const auto rule =
        std::find_if(std::begin(kRules), std::end(kRules), [&](const Rule& r) { return r.op == node.op; });
    if (rule == std::end(kRules) || node.outputs.size() != 1) return swapped;
    const ValueId input = node.inputs[0];
    // A Concat of several inputs may keep its shape too, if the others are empty.
    if (node.op == "Concat" && node.inputs.size() > 1) return swapped;
    if (!same_type(graph, input, node.outputs[0]) || !rule->changes_nothing(graph, node)) return swapped;
    if (!bypass(graph, id, input)) return swapped;
    note(context, "remove_no_ops", graph, std::span(&id, 1));
    return true;
  });
}

}  // namespace openrknn::passes
