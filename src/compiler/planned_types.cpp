#include "compiler/planned_types.h"

#include <memory>

#include "compiler/quantize/precision_rules.h"

namespace openrknn {
namespace {

/// Of the weights of a layer that computes in `computes`.
DType weight_type(DType computes, const PrecisionRules& rules) {
  if (computes != DType::Float16 || !rules.quantize || !is_weight_only(rules.scheme)) return computes;
  return rules.scheme == Scheme::W4A16 ? DType::Int4 : DType::Int8;
}

/// A constant is stored as what reads it wants it.
DType constant_type(const Graph& golden, ValueId id, const PrecisionMap& map, const PrecisionRules& rules) {
  if (!is_real(golden, id)) return golden[id].dtype;
  for (const NodeId user : golden.users(id)) {
    const Node& node = golden[user];
    const DType computes = map.at(user).dtype;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] != id) continue;
      const InputRole role = role_of(golden, user, i);
      if (role == InputRole::Weights) return weight_type(computes, rules);
      if (role == InputRole::Bias) return is_code_type(computes) ? DType::Int32 : DType::Float16;
      return role == InputRole::Data ? computes : DType::Float16;
    }
  }
  return golden[id].dtype;
}

/// An input of the model arrives as its first layer wants it.
DType input_type(const Graph& golden, ValueId id, const PrecisionMap& map) {
  if (!is_real(golden, id)) return golden[id].dtype;
  for (const NodeId user : golden.users(id)) return map.at(user).dtype;
  return DType::Float16;
}

}  // namespace

ElementTypes planned_types(const Graph& golden, const Target& target, const PrecisionRules& rules) {
  const auto map = std::make_shared<const PrecisionMap>(assign_precision(golden, target, rules));
  const auto values = std::make_shared<std::vector<DType>>(static_cast<size_t>(golden.value_count()), DType::Float16);
  const auto set = [&](ValueId id, DType dtype) { (*values)[static_cast<size_t>(id)] = dtype; };
  for (const ValueId input : golden.inputs) set(input, input_type(golden, input, *map));
  for (const NodeId id : golden.order()) {
    const Node& node = golden[id];
    for (const ValueId input : node.inputs) {
      if (input != ValueId::None && golden[input].constant && golden[input].producer == NodeId::None) {
        set(input, constant_type(golden, input, *map, rules));
      }
    }
    for (const ValueId output : node.outputs) {
      if (output != ValueId::None) set(output, is_real(golden, output) ? map->at(id).dtype : golden[output].dtype);
    }
  }
  return {.value = [values](ValueId id) { return (*values)[static_cast<size_t>(id)]; },
          .node = [map](NodeId id) { return map->at(id).dtype; }};
}

}  // namespace openrknn
