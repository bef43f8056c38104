#include "toolkit/onnx_edit_plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace openrknn {
namespace {

/// The first opset whose Reshape takes the shape as an input.
constexpr int64_t kOldestOpset = 5;

using DeclaredShape = std::vector<DeclaredExtent>;

std::optional<DeclaredShape> shape_of(const onnx::ValueInfo& value) {
  if (!value.shape) return std::nullopt;
  DeclaredShape shape;
  for (const onnx::Dimension& each : *value.shape) {
    // A negative number is how some writers say that they do not know.
    shape.push_back({std::max<int64_t>(each.value.value_or(-1), -1), std::string(each.symbol)});
  }
  return shape;
}

bool has_initializer(const onnx::GraphProto& graph, const std::string& name) {
  return std::ranges::any_of(graph.initializers, [&](const onnx::TensorProto& each) { return each.name == name; }) ||
         std::ranges::any_of(graph.sparse_initializers, [&](onnx::Bytes each) { return each == name; });
}

bool has(const std::vector<onnx::ValueInfo>& values, const std::string& name) {
  return std::ranges::any_of(values, [&](const onnx::ValueInfo& each) { return each.name == name; });
}

std::string step_text(const DimensionStep& step, const DeclaredShape& before, const BoundEquation& bound) {
  const std::string after = to_string(bound.shape_of(step.result));
  return step.order.empty() ? fmt::format("\n  - Insert reshape op. {} reshape to {}.", to_string(before), after)
                            : fmt::format("\n  - Insert transpose op. {} transpose({}) to {}.", to_string(before),
                                          fmt::join(step.order, ", "), after);
}

std::vector<onnx_export::DeclaredDimension> declared(const DeclaredShape& shape) {
  std::vector<onnx_export::DeclaredDimension> dimensions;
  for (const DeclaredExtent& each : shape) dimensions.push_back({each.extent, each.symbol});
  return dimensions;
}

enum class Side : uint8_t { Input, Output };

/// Goes through the equations of one call.
class Planner {
 public:
  Planner(const onnx::ModelProto& model, const OnnxEdit& edit, Diagnostics& problems)
      : model_(model), edit_(edit), problems_(problems), names_(model.graph) {}

  OnnxEditPlan plan() {
    check_opset();
    for (const onnx::ValueInfo& each : model_.graph.inputs) {
      const std::string name(each.name);
      if (!has_initializer(model_.graph, name))
        plan_.inputs.push_back({.name = name, .shape = shape_of(each), .equation = {}});
    }
    for (const auto& [name, equation] : edit_.inputs) add(Side::Input, name, equation);
    for (const auto& [name, equation] : edit_.outputs) add(Side::Output, name, equation);
    return std::move(plan_);
  }

 private:
  Location at(const std::string& name) const { return {.file = edit_.model.string(), .node = {}, .tensor = name}; }

  void refuse(Code code, const std::string& name, std::string problem, std::string fix) {
    problems_.add(code, at(name), std::move(problem), std::move(fix));
  }

  void check_opset() {
    const auto standard =
        std::ranges::find_if(model_.opsets, [](const onnx::OpsetId& each) { return each.domain.empty(); });
    const int64_t version = standard == model_.opsets.end() ? 0 : standard->version;
    if (version < kOldestOpset) {
      refuse(Code::ImportUnsupportedVersion, {},
             fmt::format("the model is of opset {}, expected {} or newer", version, kOldestOpset),
             "convert it with onnx.version_converter first");
    }
  }

  const onnx::ValueInfo* find(Side side, const std::string& name) {
    const std::vector<onnx::ValueInfo>& values = side == Side::Input ? model_.graph.inputs : model_.graph.outputs;
    const auto found = std::ranges::find_if(values, [&](const onnx::ValueInfo& each) { return each.name == name; });
    if (found != values.end()) return &*found;
    std::string known;
    for (const onnx::ValueInfo& each : values) known += fmt::format("{}'{}'", known.empty() ? "" : ", ", each.name);
    refuse(Code::ConfigBadValue, name,
           fmt::format("the model has no {} of this name", side == Side::Input ? "input" : "output"),
           "its " + std::string(side == Side::Input ? "inputs" : "outputs") + " are " + known);
    return nullptr;
  }

  /// Whether the value can be told from what nodes read, respectively write.
  bool check_value(Side side, const std::string& name, const onnx::ValueInfo& value) {
    const size_t before = problems_.list().size();
    if (!value.other_kind.empty() || value.type == onnx::ElementType::Undefined) {
      refuse(Code::ImportUnsupportedType, name,
             fmt::format("it is {}, no tensor",
                         value.other_kind.empty() ? "of no declared type" : "a " + std::string(value.other_kind)),
             "leave it out");
    }
    if (has_initializer(model_.graph, name)) {
      refuse(Code::ConfigBadValue, name,
             side == Side::Input ? "the input has a value in the file" : "the output is a constant of the file",
             "leave it out");
    } else if (has(side == Side::Input ? model_.graph.outputs : model_.graph.inputs, name)) {
      refuse(Code::ConfigBadValue, name, "the tensor is an input and an output of the model",
             "put an Identity between the two");
    }
    return problems_.list().size() == before;
  }

  void add(Side side, const std::string& name, const std::string& text) {
    const onnx::ValueInfo* value = find(side, name);
    std::optional<DimensionEquation> equation = parse_dimension_equation(text, at(name), problems_);
    auto& changed = side == Side::Input ? plan_.changes.inputs : plan_.changes.outputs;
    if (changed.contains(name)) refuse(Code::ConfigBadValue, name, "two equations are given", "give one");
    if (value == nullptr || !check_value(side, name, *value) || !equation) return;
    const std::optional<DeclaredShape> origin = shape_of(*value);
    const std::optional<BoundEquation> bound = bind_equation(*equation, origin, at(name), problems_);
    if (!bound) return;
    if (side == Side::Input && !can_be_taken_apart(name, *bound)) return;
    changed[name] = declared(bound->shape_of(bound->to));
    plan_.texts.push_back(fmt::format("For '{}':'{}'", name, text) + insert(side, name, origin, *bound));
    if (side != Side::Input) return;
    std::ranges::find(plan_.inputs, name, &EditedInput::name)->equation = std::move(equation);
  }

  /// Of two extents that a run decides, joined to one, nobody can say what they were.
  bool can_be_taken_apart(const std::string& name, const BoundEquation& bound) {
    const size_t before = problems_.list().size();
    for (const std::string& group : bound.to) {
      if (std::ranges::count_if(group, [&](char letter) { return bound.dynamic.contains(letter); }) < 2) continue;
      refuse(Code::ConfigBadValue, name,
             fmt::format("'{}' joins dimensions of which several are dynamic, and cannot be taken apart again", group),
             fmt::format("freeze all but one of them, as in [{}=1]", group[0]));
    }
    return problems_.list().size() == before;
  }

  /// Adds nodes and new names; returns the lines about them.
  std::string insert(Side side, const std::string& name, const std::optional<DeclaredShape>& origin,
                     const BoundEquation& bound) {
    const bool is_input = side == Side::Input;
    const DimensionGroups &from = is_input ? bound.to : bound.from, &to = is_input ? bound.from : bound.to;
    std::string text =
        fmt::format("\n  {}:'{}' was reset as shape-{}.(Origin shape is {})", is_input ? "Input" : "Output", name,
                    to_string(bound.shape_of(bound.to)), origin ? to_string(*origin) : "unknown");
    const std::vector<DimensionStep> steps = steps_between(from, to);
    if (steps.empty()) return text;
    text += fmt::format("\n  Insert ops to transform {} to {}:", to_string(bound.shape_of(from)),
                        to_string(bound.shape_of(to)));
    DeclaredShape before = bound.shape_of(from);
    for (const DimensionStep& step : steps) {
      text += step_text(step, before, bound);
      before = bound.shape_of(step.result);
    }
    // Nodes that are there speak of the value as it was.
    const std::string inner = names_.make(name + "/original");
    plan_.changes.renamed[name] = inner;
    std::vector<onnx_export::NodeMessage> nodes =
        nodes_of(steps, from, bound, is_input ? name : inner, is_input ? inner : name, names_);
    std::vector<onnx_export::NodeMessage>& all = is_input ? plan_.changes.first : plan_.changes.last;
    std::ranges::move(nodes, std::back_inserter(all));
    return text;
  }

  const onnx::ModelProto& model_;
  const OnnxEdit& edit_;
  Diagnostics& problems_;
  FreshNames names_;
  OnnxEditPlan plan_;
};

}  // namespace

OnnxEditPlan plan_onnx_edit(const onnx::ModelProto& model, const OnnxEdit& edit, Diagnostics& problems) {
  return Planner(model, edit, problems).plan();
}

}  // namespace openrknn
