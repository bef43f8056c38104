// A Concat whose parts are taken out again by Slice or Split: its operands would share one scale for nothing. The parts
// are read where they come from instead, also through Reshapes, Transposes and Concats along other dimensions in
// between (detection heads join boxes and scores of each scale, then all scales, then take boxes and scores apart).
#include <algorithm>
#include <optional>
#include <vector>

#include "compiler/corrections/float_corrections.h"
#include "compiler/passes/rewrite.h"

namespace openrknn::corrections {
namespace {

using passes::for_each_node;

/// Indices begin to end of dimension `axis` of a value.
struct Part {
  ValueId value = ValueId::None;
  size_t axis = 0;
  int64_t begin = 0, end = 0;
  int64_t extent() const { return end - begin; }
};

/// The operand of a Concat along the part's dimension that holds all of it.
std::optional<Part> operand_of(const Graph& graph, const Node& concat, const Part& part) {
  int64_t at = 0;
  for (const ValueId operand : concat.inputs) {
    const int64_t next = at + graph[operand].shape[part.axis];
    if (at <= part.begin && part.end <= next) return Part{operand, part.axis, part.begin - at, part.end - at};
    at = next;
  }
  return std::nullopt;
}

/// The dimension of a Reshape's input that is this one of its output, with the same dimensions before it.
bool keeps_axis(const Graph& graph, const Node& reshape, size_t axis) {
  const Shape &in = graph[reshape.inputs[0]].shape, &out = graph[reshape.outputs[0]].shape;
  if (in.size() <= axis || out.size() <= axis || std::find(in.begin(), in.end(), -1) != in.end()) return false;
  return std::equal(in.begin(), in.begin() + static_cast<int64_t>(axis) + 1, out.begin());
}

/// The same part of what the node reads, where the node only moves numbers past it.
std::optional<std::vector<Part>> before(const Graph& graph, const Node& node, const Part& part) {
  if (node.op == "Concat") {
    std::vector<Part> parts;
    for (const ValueId operand : node.inputs) parts.push_back({operand, part.axis, part.begin, part.end});
    return parts;
  }
  if (node.op == "Reshape" && keeps_axis(graph, node, part.axis)) {
    return std::vector{Part{node.inputs[0], part.axis, part.begin, part.end}};
  }
  if (node.op == "Transpose") {
    const auto axis = static_cast<size_t>(ints_attribute(node.attributes, "perm")[part.axis]);
    return std::vector{Part{node.inputs[0], axis, part.begin, part.end}};
  }
  return std::nullopt;
}

bool is_joined(const Node& node, const Part& part) {
  return node.op == "Concat" && int_attribute(node.attributes, "axis", 0) == static_cast<int64_t>(part.axis);
}

/// Every way back ends at a whole operand of a Concat.
bool can_find(const Graph& graph, const Part& part, bool met_concat = false) {
  if (met_concat && part.begin == 0 && part.end == graph[part.value].shape[part.axis]) return true;
  const NodeId id = graph[part.value].producer;
  if (id == NodeId::None) return false;
  if (is_joined(graph[id], part)) {
    const std::optional<Part> operand = operand_of(graph, graph[id], part);
    return operand && can_find(graph, *operand, true);
  }
  const std::optional<std::vector<Part>> parts = before(graph, graph[id], part);
  return parts &&
         std::all_of(parts->begin(), parts->end(), [&](const Part& one) { return can_find(graph, one, met_concat); });
}

/// The part as a value of its own; can_find() has said yes.
ValueId find(Graph& graph, const Part& part) {
  if (part.begin == 0 && part.end == graph[part.value].shape[part.axis]) return part.value;
  const NodeId id = graph[part.value].producer;
  if (is_joined(graph[id], part)) return find(graph, *operand_of(graph, graph[id], part));
  Node node{.name = graph[id].name + "_part", .op = graph[id].op, .attributes = graph[id].attributes};
  const std::optional<std::vector<Part>> parts = before(graph, graph[id], part);
  for (const Part& one : *parts) node.inputs.push_back(find(graph, one));
  Value value{
      .name = graph[part.value].name + "_part", .dtype = graph[part.value].dtype, .shape = graph[part.value].shape};
  value.shape[part.axis] = part.extent();
  if (node.op == "Reshape") node.attributes["shape"] = value.shape;
  node.outputs = {graph.add(std::move(value))};
  const ValueId result = node.outputs[0];
  graph.add(std::move(node));
  return result;
}

/// What the node takes out, one part an output; empty if it is no such node.
std::vector<Part> parts_of(const Graph& graph, const Node& node) {
  std::vector<Part> parts;
  const Shape& shape = graph[node.inputs[0]].shape;
  if (node.op == "Split") {
    const auto axis = static_cast<size_t>(int_attribute(node.attributes, "axis", 0));
    int64_t at = 0;
    for (const int64_t extent : ints_attribute(node.attributes, "split")) {
      parts.push_back({node.inputs[0], axis, at, at + extent});
      at += extent;
    }
  } else if (node.op == "Slice") {
    const std::vector<int64_t> starts = ints_attribute(node.attributes, "starts"),
                               ends = ints_attribute(node.attributes, "ends"),
                               steps = ints_attribute(node.attributes, "steps");
    for (size_t d = 0; d < shape.size(); ++d) {
      if (starts[d] == 0 && ends[d] == shape[d] && (steps.empty() || steps[d] == 1)) continue;
      if (!parts.empty() || (!steps.empty() && steps[d] != 1)) return {};
      parts.push_back({node.inputs[0], d, starts[d], ends[d]});
    }
  }
  return parts;
}

bool split(Graph& graph, const CorrectionContext& context, NodeId id) {
  const std::vector<Part> parts = parts_of(graph, graph[id]);
  const std::vector<ValueId> outputs = graph[id].outputs;
  if (parts.empty() || parts.size() != outputs.size()) return false;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (outputs[i] == ValueId::None || graph.is_output(outputs[i]) || parts[i].extent() <= 0) return false;
    if (!can_find(graph, parts[i])) return false;
  }
  note(context, "split_concat", graph, std::vector{id});
  std::vector<NodeId> heirs;
  for (size_t i = 0; i < parts.size(); ++i) {
    const ValueId part = find(graph, parts[i]);
    graph.redirect(outputs[i], part);
    const NodeId heir = graph[part].producer;
    if (heir != NodeId::None && std::find(heirs.begin(), heirs.end(), heir) == heirs.end()) heirs.push_back(heir);
  }
  graph.absorb(id, heirs);
  return true;
}

}  // namespace

bool split_concat(Graph& graph, const CorrectionContext& context) {
  return for_each_node(graph, {"Slice", "Split"}, [&](NodeId id) { return split(graph, context, id); });
}

}  // namespace openrknn::corrections
