// Which dtype each node computes in, and the sentence that says why. Four steps: what an op must use; islands of cheap
// arithmetic between float16 nodes stay float16; ops that only move numbers follow their producer; unless all their
// users are otherwise, which moves the conversion to the one place in front of them.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/quantize/precision_rules.h"
#include "compiler/quantize/quantize.h"
#include "core/graph/custom.h"
#include "core/graph/schema.h"
#include "core/targets/operator_placement.h"

namespace openrknn {
namespace {

class Assignment {
 public:
  Assignment(const Graph& golden, const Target& target, DType codes)
      : golden_(golden), target_(target), codes_(codes), order_(golden.order()) {
    for (const NodeId id : order_) assign_own(id);
  }

  void keep_islands_in_float();
  void follow_producers();
  void follow_users();
  void join_softmax();
  PrecisionMap take() { return std::move(map_); }

 private:
  void set(NodeId id, DType dtype, std::string rule) { map_[id] = {dtype, std::move(rule)}; }
  void assign_own(NodeId);
  bool free_to_move(NodeId id) const { return flexible_[static_cast<size_t>(id)]; }

  /// What the node wants its real inputs to be: nodes without real results read them as float16.
  DType wants(NodeId id) const { return map_.at(id).dtype == codes_ ? codes_ : DType::Float16; }

  /// Producers of the node's computed data inputs; None stands for a graph input.
  std::vector<NodeId> producers(NodeId id) const {
    std::vector<NodeId> found;
    const Node& node = golden_[id];
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const bool data = role_of(golden_, id, i) == InputRole::Data;
      if (data && !(golden_[node.inputs[i]].constant && golden_[node.inputs[i]].producer == NodeId::None)) {
        found.push_back(golden_[node.inputs[i]].producer);
      }
    }
    return found;
  }
  /// Users of the node's real outputs.
  std::vector<NodeId> users(NodeId id) const {
    std::vector<NodeId> found;
    for (const ValueId output : golden_[id].outputs) {
      if (!is_real(golden_, output)) continue;
      for (const NodeId user : golden_.users(output)) found.push_back(user);
    }
    return found;
  }
  bool gives_graph_output(NodeId id) const {
    const std::vector<ValueId>& outputs = golden_[id].outputs;
    return std::any_of(outputs.begin(), outputs.end(), [&](ValueId v) { return golden_.is_output(v); });
  }

  std::string codes_name() const { return std::string(numpy_name(codes_)); }

  const Graph& golden_;
  const Target& target_;
  DType codes_;  // what integer nodes compute in
  std::vector<NodeId> order_;
  PrecisionMap map_;
  std::vector<bool> flexible_ = std::vector<bool>(static_cast<size_t>(golden_.node_count()), false);
};

void Assignment::assign_own(NodeId id) {
  const Node& node = golden_[id];
  const QuantRule rule = schema_of(node).quant;
  if (node.op == kCustomOp) return set(id, DType::Float32, "float32: the user's code computes in float32");
  if (!gives_reals(golden_, id)) {
    const DType dtype = type_of_integers(golden_, id);
    return set(id, dtype, fmt::format("keeps {}: its results are indices, shapes or bools", name(dtype)));
  }
  if (rule == QuantRule::Index) return set(id, DType::Float16, "float16: its numbers come from integers");
  if (rule == QuantRule::Float) return set(id, DType::Float16, fmt::format("float16: {} is never quantized", node.op));
  if (std::optional<std::string> refusal = integer_refusal(golden_, id, codes_)) {
    return set(id, DType::Float16, "float16: " + *refusal);
  }
  if (is_flexible(node)) {
    flexible_[static_cast<size_t>(id)] = true;
    return set(id, codes_, codes_name() + ": moves numbers and follows its producer");
  }
  if (rule == QuantRule::Natural) {
    return set(id, codes_,
               codes_name() + ": computes with an output range of its own, inside the range of the function");
  }
  set(id, codes_, codes_name() + ": computes with an output range of its own");
}

void Assignment::keep_islands_in_float() {
  std::vector<bool> member(static_cast<size_t>(golden_.node_count()), false);
  for (const NodeId id : order_) {
    const bool quantized = map_.at(id).dtype == codes_;
    member[static_cast<size_t>(id)] = quantized && (is_light(golden_[id]) || free_to_move(id));
  }
  const auto is_member = [&](NodeId id) { return member[static_cast<size_t>(id)]; };
  const auto in_float = [&](NodeId id) { return wants(id) == DType::Float16; };
  const auto agrees = [&](NodeId id) { return id == NodeId::None || is_member(id) || in_float(id); };

  // Largest set whose members have no int8 neighbour outside of it.
  for (bool changed = true; changed;) {
    changed = false;
    for (const NodeId id : order_) {
      if (!is_member(id)) continue;
      const std::vector<NodeId> before = producers(id), after = users(id);
      if (std::all_of(before.begin(), before.end(), agrees) && std::all_of(after.begin(), after.end(), agrees))
        continue;
      member[static_cast<size_t>(id)] = false;
      changed = true;
    }
  }
  // Of its connected pieces, those that touch a float16 node at all. Spread from there.
  for (bool changed = true; changed;) {
    changed = false;
    for (const NodeId id : order_) {
      if (!is_member(id) || in_float(id)) continue;
      const std::vector<NodeId> before = producers(id), after = users(id);
      const auto touches = [&](NodeId other) { return other != NodeId::None && in_float(other); };
      if (std::none_of(before.begin(), before.end(), touches) && std::none_of(after.begin(), after.end(), touches)) {
        continue;
      }
      set(id, DType::Float16, "float16: stands between float16 nodes, quantizing it would only add two conversions");
      flexible_[static_cast<size_t>(id)] = false;
      changed = true;
    }
  }
}

void Assignment::follow_producers() {
  for (const NodeId id : order_) {
    if (!free_to_move(id)) continue;
    const std::vector<NodeId> before = producers(id);
    const auto in_float = [&](NodeId p) { return p != NodeId::None && wants(p) == DType::Float16; };
    if (!before.empty() && std::all_of(before.begin(), before.end(), in_float)) {
      set(id, DType::Float16, "float16: moves numbers and follows its producer");
    }
  }
}

void Assignment::follow_users() {
  for (auto at = order_.rbegin(); at != order_.rend(); ++at) {
    const std::vector<NodeId> after = users(*at);
    if (!free_to_move(*at) || after.empty() || gives_graph_output(*at)) continue;
    const DType wanted = wants(after[0]);
    const auto same = [&](NodeId user) { return wants(user) == wanted; };
    if (wanted == map_.at(*at).dtype || !std::all_of(after.begin(), after.end(), same)) continue;
    set(*at, wanted, fmt::format("{}: moves numbers, and all its users compute so", numpy_name(wanted)));
  }
}

/// Between two integer nodes both ends of a Softmax are codes anyway: computing from codes to codes spares two
/// conversions and a rounding. Results for the outside stay in float16, and so does what follows a float16 mask.
void Assignment::join_softmax() {
  const Place place = place_of("Softmax", family_of(target_), DType::Int8);
  if (place != Place::Npu && place != Place::NpuIf) return;
  for (const NodeId id : order_) {
    if (golden_[id].op != "Softmax" || gives_graph_output(id)) continue;
    const std::vector<NodeId> before = producers(id), after = users(id);
    const auto in_codes = [&](NodeId node) { return node != NodeId::None && wants(node) == codes_; };
    if (before.empty() || after.empty()) continue;
    if (!std::all_of(before.begin(), before.end(), in_codes) || !std::all_of(after.begin(), after.end(), in_codes)) {
      continue;
    }
    set(id, codes_, codes_name() + ": stands between " + codes_name() + " nodes");
  }
}

}  // namespace

PrecisionMap assign_precision(const Graph& golden, const Target& target, const PrecisionRules& rules) {
  if (!rules.quantize || is_weight_only(rules.scheme)) {
    const std::string rule =
        rules.quantize ? fmt::format("float16: {} codes weights alone", name(rules.scheme)) : "float16 build";
    PrecisionMap map;
    for (const NodeId id : golden.order()) {
      if (golden[id].op == kCustomOp) {
        map[id] = {DType::Float32, "float32: the user's code computes in float32"};
      } else if (gives_reals(golden, id)) {
        map[id] = {DType::Float16, rule};
      } else {
        map[id] = {type_of_integers(golden, id), "keeps its integers or bools"};
      }
    }
    return map;
  }
  Assignment assignment(golden, target, activation_spec(rules.scheme).dtype);
  assignment.keep_islands_in_float();
  assignment.follow_producers();
  assignment.follow_users();
  assignment.join_softmax();
  return assignment.take();
}

}  // namespace openrknn
