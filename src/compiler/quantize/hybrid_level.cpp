#include "compiler/quantize/hybrid_level.h"

#include <set>
#include <vector>

#include "compiler/quantize/precision_rules.h"

namespace openrknn {
namespace {

/// Conv, ConvTranspose or MatMul by constant weights.
bool is_layer(const Graph& golden, NodeId id) {
  const Node& node = golden[id];
  return node.inputs.size() > 1 && role_of(golden, id, 1) == InputRole::Weights;
}

/// The first layers on every way from an input, or the last ones on every way to an output.
std::set<NodeId> outermost_layers(const Graph& golden, bool from_inputs) {
  std::set<NodeId> found, seen;
  std::vector<ValueId> left = from_inputs ? golden.inputs : golden.outputs;
  while (!left.empty()) {
    const ValueId value = left.back();
    left.pop_back();
    const NodeId producer = golden[value].producer;
    std::vector<NodeId> next;
    if (from_inputs) {
      next.assign(golden.users(value).begin(), golden.users(value).end());
    } else if (producer != NodeId::None) {
      next.push_back(producer);
    }
    for (const NodeId id : next) {
      if (!seen.insert(id).second) continue;
      if (is_layer(golden, id)) {
        found.insert(id);
        continue;
      }
      for (const ValueId further : from_inputs ? golden[id].outputs : golden[id].inputs) {
        if (further != ValueId::None && is_real(golden, further)) left.push_back(further);
      }
    }
  }
  return found;
}

bool is_depthwise(const Graph& golden, NodeId id) {
  const Node& node = golden[id];
  const int64_t group = int_attribute(node.attributes, "group", 1);
  return node.op != "MatMul" && group > 1 && group == golden[node.inputs[0]].shape[1];
}

}  // namespace

std::map<NodeId, std::string> left_out_at_level(const Graph& golden, int level) {
  std::map<NodeId, std::string> found;
  if (level <= 0) return found;
  const std::set<NodeId> first = outermost_layers(golden, true), last = outermost_layers(golden, false);
  for (const NodeId id : golden.order()) {
    if (!gives_reals(golden, id) || is_flexible(golden[id])) continue;
    const bool layer = is_layer(golden, id);
    if (first.contains(id)) {
      found[id] = "it is the first layer behind an input";
    } else if (last.contains(id)) {
      found[id] = "it is the last layer before an output";
    } else if (level >= 2 && layer && is_depthwise(golden, id)) {
      found[id] = "it is depthwise: few products, each channel with a range of its own";
    } else if (level >= 3 && !layer) {
      found[id] = "it has no weights";
    }
  }
  return found;
}

}  // namespace openrknn
