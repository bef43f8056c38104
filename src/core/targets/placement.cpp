#include "core/targets/placement.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/graph/custom.h"

namespace openrknn {
namespace {

/// Moves numbers in any shape: what counts is how many dimensions move apart, which its own check sees.
bool is_of_any_rank(const Node& node) { return node.op == "Transpose" || node.op == "Reshape"; }

void check_ranks(LimitQuery& query) {
  const auto check = [&](const Value& value) {
    if (value.constant || four_dimensions(value.shape).size() <= 4) return;
    query.exceed("dimensions", fmt::format("{} of {}", value.shape.size(), to_string(value.shape)),
                 "up to 4 beside extents of 1", "put a Reshape in front that joins dimensions");
  };
  for (size_t i = 0; i < query.node.inputs.size() && query.exceeded.empty(); ++i) {
    if (query.has_input(i)) check(query.input(i));
  }
  if (query.exceeded.empty()) check(query.output());
}

bool has_fixed_shapes(const LimitQuery& query) {
  const auto is_fixed = [&](ValueId id) { return id == ValueId::None || is_static(query.graph[id].shape); };
  return std::ranges::all_of(query.node.inputs, is_fixed) && std::ranges::all_of(query.node.outputs, is_fixed);
}

void check_node(LimitQuery& query) {
  const bool half = query.dtype == DType::Float16;
  if (!half && query.dtype != DType::Int8 && query.dtype != DType::Int16) {
    return query.exceed("type", std::string(numpy_name(query.dtype)), "int8 or float16", "");
  }
  const OperatorPlacement* row = find_npu_operator(query.node.op);
  const std::string_view letters = row == nullptr ? "" : half ? row->float16 : row->int8;
  const char letter = row == nullptr ? '-' : letters[static_cast<size_t>(query.family)];
  if (letter == '-') {
    const bool other = row != nullptr && (half ? row->int8 : row->float16)[static_cast<size_t>(query.family)] != '-';
    return query.exceed("operator", fmt::format("{} in {}", query.node.op, half ? "float16" : "int8"),
                        other ? (half ? "int8" : "float16")
                        : row ? "a SoC whose NPU has it"
                              : "one an NPU has",
                        other ? (half ? "ask for int8 (docs/hybrid.md), or quantize the model"
                                      : "lift the layer to float16 (docs/hybrid.md)")
                              : "");
  }
  if (!has_fixed_shapes(query)) return query.exceed("shape", "known to a run only", "fixed extents", "");
  if (!is_of_any_rank(query.node)) check_ranks(query);
  if (letter == 'c' && query.exceeded.empty()) row->check(query);
}

}  // namespace

NodePlacement place_node(const Graph& graph, NodeId id, const Target& target, DType dtype) {
  const Node& node = graph[id];
  const Family family = family_of(target);
  if (node.placement == Placement::Cpu || node.placement == Placement::Gpu) {
    return {.place = Place::Cpu, .asked = true};
  }
  if (node.op == kCustomOp) return {.place = Place::Cpu, .form = "by the user's code", .asked = true};
  LimitQuery query{graph, node, family, dtype};
  check_node(query);
  NodePlacement result{.exceeded = std::move(query.exceeded), .form = std::move(query.form)};
  if (!result.exceeded.empty()) {
    result.form.clear();
    result.place = has_cpu_kernel(node.op, family) ? Place::Cpu : Place::None;
  }
  return result;
}

std::string to_string(const NodePlacement& placement, const Target& target) {
  if (placement.place == Place::Npu) {
    return placement.form.empty() ? fmt::format("on the NPU of {}", target.display_name)
                                  : fmt::format("on the NPU of {} {}", target.display_name, placement.form);
  }
  if (placement.asked) return "on the CPU, as asked for";
  std::string text = placement.place == Place::Cpu ? fmt::format("on the CPU of {}", target.display_name)
                                                   : fmt::format("not on {}", target.display_name);
  for (const ExceededLimit& exceeded : placement.exceeded) {
    text += (&exceeded == &placement.exceeded.front() ? ": " : "; ") + to_string(exceeded);
  }
  return text;
}

DType computing_type(const Graph& graph, const Node& node) {
  const auto is_computed = [](DType dtype) {
    return dtype == DType::Int8 || dtype == DType::Int16 || dtype == DType::Float16;
  };
  for (const ValueId output : node.outputs) {
    if (output != ValueId::None && (is_computed(graph[output].dtype) || graph[output].dtype == DType::Float32)) {
      return graph[output].dtype;
    }
  }
  for (const ValueId input : node.inputs) {
    if (input != ValueId::None && is_computed(graph[input].dtype)) return graph[input].dtype;
  }
  return node.outputs.empty() || node.outputs[0] == ValueId::None ? DType::Float32 : graph[node.outputs[0]].dtype;
}

}  // namespace openrknn
