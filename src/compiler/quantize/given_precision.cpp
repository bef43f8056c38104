// do_quantization=False on a model that comes quantized: a node computes on codes if the model says what its tensors
// are. Operators that move numbers, and functions of a known range, take what their neighbours have.
#include "compiler/quantize/given_precision.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/quantize/precision_rules.h"
#include "compiler/quantize/range_classes.h"
#include "core/graph/schema.h"
#include "core/targets/operator_placement.h"

namespace openrknn {
namespace {

class Inheritance {
 public:
  Inheritance(const Graph& golden, GivenParameters& given) : golden_(golden), given_(given), order_(golden.order()) {}

  void run() {
    for (bool changed = true; changed;) {
      changed = false;
      for (const NodeId id : order_) changed = pass_on(id) || changed;
    }
    for (const NodeId id : order_) take_natural(id);
  }

 private:
  bool known(ValueId id) const { return given_.contains(id); }
  bool give(ValueId id, const GivenCodes& from) {
    GivenCodes same{.dtype = from.dtype, .quant = from.quant};
    return given_.emplace(id, std::move(same)).second;
  }
  bool computed(ValueId id) const { return golden_[id].producer != NodeId::None || golden_.is_input(id); }
  bool read_elsewhere(ValueId id) const { return golden_.users(id).size() > 1 || golden_.is_output(id); }

  bool pass_on(NodeId);
  bool pass_forward(NodeId, const std::vector<ValueId>& operands);
  void take_natural(NodeId);
  bool user_has_codes(NodeId) const;

  const Graph& golden_;
  GivenParameters& given_;
  std::vector<NodeId> order_;
};

bool Inheritance::pass_on(NodeId id) {
  const Node& node = golden_[id];
  if (!is_flexible(node) || !gives_reals(golden_, id)) return false;
  std::vector<ValueId> operands;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (role_of(golden_, id, i) == InputRole::Data && computed(node.inputs[i])) operands.push_back(node.inputs[i]);
  }
  if (operands.empty()) return false;
  bool changed = pass_forward(id, operands);
  const auto output = std::find_if(node.outputs.begin(), node.outputs.end(), [&](ValueId v) { return known(v); });
  if (output == node.outputs.end() || integer_refusal(golden_, id, given_.at(*output).dtype)) return changed;
  for (const ValueId operand : operands) {
    if (!known(operand) && !read_elsewhere(operand)) changed = give(operand, given_.at(*output)) || changed;
  }
  return changed;
}

bool Inheritance::pass_forward(NodeId id, const std::vector<ValueId>& operands) {
  if (!std::all_of(operands.begin(), operands.end(), [&](ValueId v) { return known(v); })) return false;
  GivenCodes result = given_.at(operands[0]);
  if (integer_refusal(golden_, id, result.dtype)) return false;
  double lowest = 0, highest = 0;
  bool equal = true;
  for (const ValueId operand : operands) {
    const GivenCodes& one = given_.at(operand);
    if (one.dtype != result.dtype) return false;
    equal = equal && one.same_parameters(result);
    const double scale = one.quant.scale[0], zero = one.quant.zero_point[0];
    lowest = std::min(lowest, (static_cast<double>(lowest_code(one.dtype)) - zero) * scale);
    highest = std::max(highest, (static_cast<double>(highest_code(one.dtype)) - zero) * scale);
  }
  if (!equal) result.quant = params_of_range(lowest, highest, result.dtype, false);
  bool changed = false;
  for (const ValueId output : golden_[id].outputs) {
    if (is_real(golden_, output) && !known(output)) changed = give(output, result) || changed;
  }
  return changed;
}

/// All real results of the node have parameters.
bool Inheritance::user_has_codes(NodeId id) const {
  const std::vector<ValueId>& outputs = golden_[id].outputs;
  return gives_reals(golden_, id) &&
         std::all_of(outputs.begin(), outputs.end(), [&](ValueId v) { return !is_real(golden_, v) || known(v); });
}

/// Sigmoid and its like between nodes on codes: all numbers they can give.
void Inheritance::take_natural(NodeId id) {
  const Node& node = golden_[id];
  const std::optional<std::pair<double, double>> range = natural_range(node);
  if (!range || node.outputs.size() != 1 || known(node.outputs[0]) || golden_.is_output(node.outputs[0])) return;
  if (schema_of(node).quant == QuantRule::Float || !known(node.inputs[0])) return;
  const std::span<const NodeId> users = golden_.users(node.outputs[0]);
  if (users.empty() || !std::all_of(users.begin(), users.end(), [&](NodeId u) { return user_has_codes(u); })) return;
  const DType codes = given_.at(node.inputs[0]).dtype;
  give(node.outputs[0], {.dtype = codes, .quant = params_of_range(range->first, range->second, codes, false)});
}

}  // namespace

std::map<DType, ValueId> given_types(const GivenParameters& given) {
  std::map<DType, ValueId> types;
  for (const auto& [id, codes] : given) {
    if (!codes.codes) types.emplace(codes.dtype, id);
  }
  return types;
}

DType given_type(const Graph& golden, const GivenParameters& given, NodeId id) {
  for (const ValueId output : golden[id].outputs) {
    if (const auto known = given.find(output); known != given.end()) return known->second.dtype;
  }
  return DType::Int8;
}

std::optional<std::string> given_refusal(const Graph& golden, const Target& target, const GivenParameters& given,
                                         NodeId id) {
  const Node& node = golden[id];
  const DType codes = given_type(golden, given, id);
  const QuantRule rule = schema_of(node).quant;
  if (rule == QuantRule::Index) return "its numbers come from integers";
  if (rule == QuantRule::Float) {
    const Place place = place_of(node.op, family_of(target), codes);
    const bool fits = node.op == "Softmax" && (place == Place::Npu || place == Place::NpuIf);
    if (!fits || codes != DType::Int8) return fmt::format("{} is never quantized", node.op);
  } else if (std::optional<std::string> reason = integer_refusal(golden, id, codes)) {
    return reason;
  }
  const auto unknown = [&](ValueId v) { return !given.contains(v); };
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const ValueId input = node.inputs[i];
    const InputRole role = role_of(golden, id, i);
    const bool constant = input != ValueId::None && golden[input].constant && golden[input].producer == NodeId::None;
    if (role == InputRole::Data && !constant && unknown(input)) {
      return fmt::format("the model gives no parameters for '{}'", golden[input].name);
    }
    if (role == InputRole::Data && !constant && given.at(input).dtype != codes && !reads_as_stored(golden, id)) {
      return fmt::format("the model gives {} codes for '{}' and {} codes for what comes of it",
                         numpy_name(given.at(input).dtype), golden[input].name, numpy_name(codes));
    }
    if (role != InputRole::Weights) continue;
    const auto weights = given.find(input);
    if (weights == given.end()) return fmt::format("the model leaves its weights '{}' in float", golden[input].name);
    if (weights->second.dtype != codes && weights->second.dtype != DType::Int8) {
      return fmt::format("its weights are {} codes", numpy_name(weights->second.dtype));
    }
    const int axis = weights->second.quant.axis;
    if (axis >= 0 && axis != weight_axis(golden, id)) {
      return fmt::format("its weights have scales along axis {}, not along its output channels", axis);
    }
  }
  for (const ValueId output : node.outputs) {
    if (is_real(golden, output) && unknown(output)) {
      return fmt::format("the model gives no parameters for '{}'", golden[output].name);
    }
  }
  return std::nullopt;
}

void inherit_parameters(const Graph& golden, GivenParameters& given) { Inheritance(golden, given).run(); }

}  // namespace openrknn
