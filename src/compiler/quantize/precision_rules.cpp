#include "compiler/quantize/precision_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/graph/schema.h"

namespace openrknn {
namespace {

bool has_input(const Node& node, size_t index) {
  return index < node.inputs.size() && node.inputs[index] != ValueId::None;
}

/// Roles that differ from "real numbers are Data, everything else is Other".
struct RoleRow {
  std::string_view op;
  size_t index;
  InputRole role;
};
constexpr std::array<RoleRow, 24> kRoles = {{
    {"Conv", 1, InputRole::Weights},
    {"Conv", 2, InputRole::Bias},
    {"Conv", 3, InputRole::Other},
    {"ConvTranspose", 1, InputRole::Weights},
    {"ConvTranspose", 2, InputRole::Bias},
    {"ConvTranspose", 3, InputRole::Other},
    {"MatMul", 1, InputRole::Weights},
    {"MatMul", 2, InputRole::Bias},
    {"MatMul", 3, InputRole::Other},
    {"BatchNormalization", 1, InputRole::Parameter},
    {"BatchNormalization", 2, InputRole::Parameter},
    {"BatchNormalization", 3, InputRole::Parameter},
    {"BatchNormalization", 4, InputRole::Parameter},
    {"InstanceNormalization", 1, InputRole::Parameter},
    {"InstanceNormalization", 2, InputRole::Parameter},
    {"LayerNormalization", 1, InputRole::Parameter},
    {"LayerNormalization", 2, InputRole::Parameter},
    {"PRelu", 1, InputRole::Parameter},
    {"QuantizeLinear", 1, InputRole::Parameter},
    {"DequantizeLinear", 1, InputRole::Parameter},
    {"Where", 0, InputRole::Other},
    {"Gather", 1, InputRole::Other},
    {"GatherElements", 1, InputRole::Other},
    {"GatherND", 1, InputRole::Other},
}};

using Refusal = std::optional<std::string>;

Refusal refuse_layer(const Graph& graph, const Node& node) {
  const bool matmul = node.op == "MatMul";
  if (!matmul && !is_plain_constant(graph, node.inputs[1])) return "its weights are computed, not constant";
  if (has_input(node, 2) && !is_plain_constant(graph, node.inputs[2])) return "its bias is computed, not constant";
  if (matmul && has_input(node, 2) && !is_plain_constant(graph, node.inputs[1])) {
    return "it adds a bias to a product of two computed tensors";
  }
  return std::nullopt;
}
Refusal refuse_normalization(const Graph& graph, const Node& node) {
  for (size_t i = 1; i < node.inputs.size(); ++i) {
    if (!is_plain_constant(graph, node.inputs[i])) return "its parameters are computed, not constant";
  }
  return std::nullopt;
}
Refusal refuse_division(const Graph& graph, const Node& node) {
  if (!is_plain_constant(graph, node.inputs[1])) return "integers have no division by a tensor";
  const std::vector<double> divisor = to_doubles(*graph[node.inputs[1]].constant);
  const bool usable = std::all_of(divisor.begin(), divisor.end(), [](double v) { return v != 0 && std::isfinite(v); });
  if (!usable) return "it divides by zero or by an infinity";
  return std::nullopt;
}
Refusal refuse_prelu(const Graph& graph, const Node& node) {
  if (!is_plain_constant(graph, node.inputs[1])) return "its slope is computed, not constant";
  const Shape &x = graph[node.inputs[0]].shape, &slope = graph[node.inputs[1]].shape;
  const int64_t count = element_count(slope);
  if (count == 1) return std::nullopt;
  // The one dimension that is not 1 must meet the channels.
  const bool per_channel =
      x.size() >= 2 && count == x[1] && slope.size() + 1 >= x.size() && slope[slope.size() + 1 - x.size()] == count;
  if (!per_channel) return "its slope is neither one number nor one per channel";
  return std::nullopt;
}
Refusal refuse_resize(const Graph&, const Node& node) {
  const std::string mode = string_attribute(node.attributes, "mode", "nearest");
  if (mode == "cubic") return "cubic interpolation has no integer form";
  if (int_attribute(node.attributes, "antialias", 0) != 0) return "antialias has no integer form";
  const std::string coordinates = string_attribute(node.attributes, "coordinate_transformation_mode", "half_pixel");
  if (coordinates == "tf_crop_and_resize") return "tf_crop_and_resize fills with a value outside the tensor";
  return std::nullopt;
}
Refusal refuse_scatter(const Graph&, const Node& node) {
  if (string_attribute(node.attributes, "reduction", "none") == "none") return std::nullopt;
  return "it computes while it scatters";
}
Refusal refuse_trilu(const Graph&, const Node&) { return "it writes zeros, which are codes with another meaning"; }

struct RefusalRow {
  std::string_view op;
  Refusal (*refuse)(const Graph&, const Node&);
};
constexpr std::array<RefusalRow, 10> kRefusals = {{
    {"Conv", refuse_layer},
    {"ConvTranspose", refuse_layer},
    {"MatMul", refuse_layer},
    {"BatchNormalization", refuse_normalization},
    {"Div", refuse_division},
    {"PRelu", refuse_prelu},
    {"Resize", refuse_resize},
    {"ScatterND", refuse_scatter},
    {"ScatterElements", refuse_scatter},
    {"Trilu", refuse_trilu},
}};

/// Constants of this size in a Where or Max are masks ("minus infinity"), not numbers to share a scale with.
constexpr double kMaskMagnitude = 1e4;

Refusal refuse_mask(const Graph& graph, NodeId id) {
  const Node& node = graph[id];
  const bool additive = node.op == "Add" || node.op == "Sub" || node.op == "Where" || node.op == "Concat";
  for (size_t i = 0; additive && i < node.inputs.size(); ++i) {
    if (role_of(graph, id, i) != InputRole::Data || !is_plain_constant(graph, node.inputs[i])) continue;
    for (const double v : to_doubles(*graph[node.inputs[i]].constant)) {
      if (!(std::abs(v) < kMaskMagnitude)) {
        return fmt::format("its constant '{}' holds {}, a mask rather than a number to share a scale with",
                           graph[node.inputs[i]].name, v);
      }
    }
  }
  return std::nullopt;
}

constexpr std::array<std::string_view, 10> kLight = {"Add", "Sub", "Mul", "Div",        "Max",
                                                     "Min", "Neg", "Abs", "ReduceMean", "ReduceSum"};

struct NaturalRow {
  std::string_view op;
  double low, high;
};
constexpr std::array<NaturalRow, 7> kNatural = {{{"Sigmoid", 0, 1},
                                                 {"HardSigmoid", 0, 1},
                                                 {"Softmax", 0, 1},
                                                 {"Tanh", -1, 1},
                                                 {"Sin", -1, 1},
                                                 {"Cos", -1, 1},
                                                 {"LpNormalization", -1, 1}}};

}  // namespace

bool is_plain_constant(const Graph& golden, ValueId id) {
  return id != ValueId::None && golden[id].constant.has_value() && golden[id].producer == NodeId::None;
}

bool is_real(const Graph& golden, ValueId id) { return id != ValueId::None && is_floating(golden[id].dtype); }

bool gives_reals(const Graph& golden, NodeId id) {
  const std::vector<ValueId>& outputs = golden[id].outputs;
  return std::any_of(outputs.begin(), outputs.end(), [&](ValueId v) { return is_real(golden, v); });
}

DType type_of_integers(const Graph& golden, NodeId id) {
  const std::vector<ValueId>& outputs = golden[id].outputs;
  if (outputs.empty() || outputs[0] == ValueId::None) return DType::Int64;
  const DType dtype = golden[outputs[0]].dtype;
  return dtype == DType::Int8 || dtype == DType::Int16 ? DType::Int32 : dtype;
}

InputRole role_of(const Graph& golden, NodeId id, size_t index) {
  const Node& node = golden[id];
  if (!has_input(node, index) || !is_real(golden, node.inputs[index])) return InputRole::Other;
  for (const RoleRow& row : kRoles) {
    if (row.op != node.op || row.index != index) continue;
    // A MatMul of two computed tensors has no weights.
    const bool weights = row.role != InputRole::Weights || is_plain_constant(golden, node.inputs[index]);
    return weights ? row.role : InputRole::Data;
  }
  return InputRole::Data;
}

int weight_axis(const Graph& golden, NodeId id) {
  const Node& node = golden[id];
  if (node.op == "ConvTranspose") return 1;
  if (node.op == "MatMul") return static_cast<int>(golden[node.inputs[1]].shape.size()) - 1;
  return 0;
}

std::optional<std::string> integer_refusal(const Graph& golden, NodeId id, DType codes) {
  const Node& node = golden[id];
  if (codes == DType::Int16 && node.op == "ThresholdedRelu") {
    return "its jump would be smeared by the interpolated table of int16";
  }
  for (const RefusalRow& row : kRefusals) {
    if (row.op != node.op) continue;
    if (Refusal refusal = row.refuse(golden, node)) return refusal;
  }
  for (const ValueId output : node.outputs) {
    if (output != ValueId::None && !is_real(golden, output)) return "one of its results is not a real number";
  }
  return refuse_mask(golden, id);
}

bool is_light(const Node& node) { return std::find(kLight.begin(), kLight.end(), node.op) != kLight.end(); }

bool is_flexible(const Node& node) {
  const QuantRule rule = schema_of(node).quant;
  return rule == QuantRule::Same || rule == QuantRule::Unify;
}

std::optional<std::pair<double, double>> natural_range(const Node& node) {
  const std::string activation = string_attribute(node.attributes, "activation", node.op);
  for (const NaturalRow& row : kNatural) {
    if (row.op == activation) return std::pair(row.low, row.high);
  }
  return std::nullopt;
}

}  // namespace openrknn
