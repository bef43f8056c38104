// Which dtype each node computes in, and the sentence that says why. Four steps: what an op must use, or a user asks it
// to; islands of cheap arithmetic between nodes of another type than the build's take that type; ops that only move
// numbers follow their producer; unless all their users are otherwise, which moves the conversion to the one place in
// front of them.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/quantize/given_precision.h"
#include "compiler/quantize/hybrid_level.h"
#include "compiler/quantize/match_rules.h"
#include "compiler/quantize/precision_rules.h"
#include "core/graph/custom.h"
#include "core/graph/schema.h"
#include "core/targets/operator_placement.h"

namespace openrknn {
namespace {

bool has_integer_softmax(const Target& target) {
  const Place place = place_of("Softmax", family_of(target), DType::Int8);
  return place == Place::Npu || place == Place::NpuIf;
}

/// Nothing is decided anew but what the user's rules ask for.
bool keeps_given(const PrecisionRules& rules) { return rules.given != nullptr && !rules.quantize; }

class Assignment {
 public:
  Assignment(const Graph& golden, const Target& target, const PrecisionRules& rules)
      : golden_(golden),
        target_(target),
        rules_(rules),
        base_(rules.quantize && !is_weight_only(rules.scheme) ? activation_spec(rules.scheme).dtype : DType::Float16),
        order_(golden.order()),
        left_out_(left_out_at_level(golden, base_ == DType::Int8 ? rules.hybrid_level : 0)) {
    for (const NodeId id : order_) assign_own(id);
    ask();
  }

  void keep_islands(DType);
  void follow_producers();
  void follow_users();
  void join_softmax();
  void keep_codes_of_ports_exact();
  PrecisionMap take() { return std::move(map_); }

 private:
  void set(NodeId id, DType dtype, std::string rule) {
    map_[id] = {.dtype = dtype, .rule = std::move(rule), .asked = false};
  }
  void assign_own(NodeId);
  void assign_given(NodeId);
  void ask();
  std::optional<std::string> refusal(NodeId id, DType dtype) const {
    return precision_refusal(golden_, id, dtype, target_, rules_);
  }
  bool free_to_move(NodeId id) const { return flexible_[static_cast<size_t>(id)]; }

  /// What the node wants its real inputs to be: nodes without real results read them as float16.
  DType wants(NodeId id) const {
    const DType dtype = map_.at(id).dtype;
    return is_code_type(dtype) ? dtype : DType::Float16;
  }

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

  const Graph& golden_;
  const Target& target_;
  const PrecisionRules& rules_;
  DType base_;  // what nodes compute in that can and that nobody asks otherwise
  std::vector<NodeId> order_;
  std::map<NodeId, std::string> left_out_;  // by quantized_hybrid_level
  PrecisionMap map_;
  std::vector<bool> flexible_ = std::vector<bool>(static_cast<size_t>(golden_.node_count()), false);
};

void Assignment::assign_own(NodeId id) {
  const Node& node = golden_[id];
  const QuantRule rule = schema_of(node).quant;
  const bool float_build = base_ == DType::Float16;
  if (node.op == kCustomOp) return set(id, DType::Float32, "float32: the user's code computes in float32");
  if (!gives_reals(golden_, id)) {
    const DType dtype = type_of_integers(golden_, id);
    return set(id, dtype, fmt::format("keeps {}: its results are indices, shapes or bools", name(dtype)));
  }
  if (keeps_given(rules_)) return assign_given(id);
  flexible_[static_cast<size_t>(id)] = is_flexible(node) && !integer_refusal(golden_, id, DType::Int8);
  if (float_build) {
    return set(id, DType::Float16,
               rules_.quantize ? fmt::format("float16: {} codes weights alone", name(rules_.scheme)) : "float16 build");
  }
  if (rule == QuantRule::Index) return set(id, DType::Float16, "float16: its numbers come from integers");
  if (rule == QuantRule::Float) return set(id, DType::Float16, fmt::format("float16: {} is never quantized", node.op));
  if (std::optional<std::string> reason = integer_refusal(golden_, id, base_)) {
    return set(id, DType::Float16, "float16: " + *reason);
  }
  if (const auto left_out = left_out_.find(id); left_out != left_out_.end()) {
    const DType lifted = target_.float16 ? DType::Float16 : DType::Int16;
    return set(
        id, lifted,
        fmt::format("{}: {} (quantized_hybrid_level {})", numpy_name(lifted), left_out->second, rules_.hybrid_level));
  }
  const std::string_view type = numpy_name(base_);
  if (free_to_move(id)) return set(id, base_, fmt::format("{}: moves numbers and follows its producer", type));
  set(id, base_,
      fmt::format("{}: computes with an output range of its own{}", type,
                  rule == QuantRule::Natural ? ", inside the range of the function" : ""));
}

/// A model that comes quantized: on codes where it says what the node's tensors are, else in float16.
void Assignment::assign_given(NodeId id) {
  if (const std::optional<std::string> reason = given_refusal(golden_, target_, *rules_.given, id)) {
    return set(id, DType::Float16, "float16: " + *reason);
  }
  const DType codes = given_type(golden_, *rules_.given, id);
  set(id, codes, fmt::format("{}: with the model's own parameters", numpy_name(codes)));
}

/// Numbers that stand for codes of the given parameters: float32 holds all of them exactly, float16 does not.
void Assignment::keep_codes_of_ports_exact() {
  if (rules_.given == nullptr) return;
  for (const NodeId id : order_) {
    const Node& node = golden_[id];
    if (node.op != "DequantizeLinear" || map_.at(id).asked || !rules_.given->contains(node.outputs[0])) continue;
    set(id, DType::Float32, "float32: holds every code exactly");
  }
}

/// The user's rules: of several for a node the last one counts, and only that one must be possible.
void Assignment::ask() {
  Diagnostics problems;
  const std::vector<RuleMatch> matches = match_rules(golden_, rules_.rules, problems);
  std::map<NodeId, const PrecisionRule*> asked;
  for (size_t i = 0; i < matches.size(); ++i) {
    for (const NodeId id : matches[i].nodes) asked[id] = &rules_.rules[i];
  }
  for (const auto& [id, rule] : asked) {
    if (const std::optional<std::string> reason = refusal(id, rule->dtype)) {
      problems.add(Code::QuantizePrecisionRefused, golden_.where(id),
                   fmt::format("precision rule '{}': the layer cannot compute in {}: {}", to_string(*rule),
                               numpy_name(rule->dtype), *reason),
                   "leave it out, or add a later rule that asks for something else");
      continue;
    }
    map_[id] = {.dtype = rule->dtype,
                .rule = fmt::format("{}: asked for by '{}'", numpy_name(rule->dtype), to_string(*rule)),
                .asked = true};
    flexible_[static_cast<size_t>(id)] = false;
  }
  problems.throw_if_any();
}

/// Cheap arithmetic and moves that touch nodes of type `other` and none of the build's type become `other`.
void Assignment::keep_islands(DType other) {
  if (other == base_) return;
  std::vector<bool> member(static_cast<size_t>(golden_.node_count()), false);
  for (const NodeId id : order_) {
    const bool ordinary = map_.at(id).dtype == base_ && !map_.at(id).asked;
    const bool cheap = is_light(golden_[id]) || free_to_move(id);
    member[static_cast<size_t>(id)] = ordinary && cheap && !refusal(id, other);
  }
  const auto is_member = [&](NodeId id) { return member[static_cast<size_t>(id)]; };
  const auto is_other = [&](NodeId id) { return wants(id) == other; };
  const auto agrees = [&](NodeId id) { return id == NodeId::None || is_member(id) || is_other(id); };

  // Largest set whose members have no neighbour of another type outside of it.
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
  // Of its connected pieces, those that touch a node of that type at all. Spread from there.
  const std::string_view type = numpy_name(other);
  for (bool changed = true; changed;) {
    changed = false;
    for (const NodeId id : order_) {
      if (!is_member(id) || is_other(id)) continue;
      const std::vector<NodeId> before = producers(id), after = users(id);
      const auto touches = [&](NodeId neighbour) { return neighbour != NodeId::None && is_other(neighbour); };
      if (std::none_of(before.begin(), before.end(), touches) && std::none_of(after.begin(), after.end(), touches)) {
        continue;
      }
      set(id, other,
          fmt::format("{0}: stands between {0} nodes, {1} would only add two conversions", type,
                      other == DType::Float16 ? "quantizing it" : "another type"));
      flexible_[static_cast<size_t>(id)] = false;
      changed = true;
    }
  }
}

void Assignment::follow_producers() {
  for (const NodeId id : order_) {
    if (!free_to_move(id)) continue;
    const std::vector<NodeId> before = producers(id);
    if (before.empty() || before[0] == NodeId::None) continue;
    const DType wanted = wants(before[0]);
    const auto same = [&](NodeId p) { return p != NodeId::None && wants(p) == wanted; };
    if (wanted == map_.at(id).dtype || !std::all_of(before.begin(), before.end(), same)) continue;
    set(id, wanted, fmt::format("{}: moves numbers and follows its producer", numpy_name(wanted)));
  }
}

void Assignment::follow_users() {
  for (auto at = order_.rbegin(); at != order_.rend(); ++at) {
    const std::vector<NodeId> after = users(*at);
    if (!free_to_move(*at) || after.empty() || gives_graph_output(*at)) continue;
    const DType wanted = wants(after[0]);
    const auto same = [&](NodeId user) { return wants(user) == wanted; };
    const DType now = map_.at(*at).dtype;
    // Codes become wider behind the move: in front of it they would be twice as many bytes to move.
    const bool widens = now == DType::Int8 && wanted == DType::Int16;
    if (wanted == now || widens || !std::all_of(after.begin(), after.end(), same)) continue;
    set(*at, wanted, fmt::format("{}: moves numbers, and all its users compute so", numpy_name(wanted)));
  }
}

/// Between two integer nodes both ends of a Softmax are codes anyway: computing from codes to codes spares two
/// conversions and a rounding. Results for the outside stay in float16, and so does what follows a float16 mask.
void Assignment::join_softmax() {
  if (!has_integer_softmax(target_)) return;
  for (const NodeId id : order_) {
    if (golden_[id].op != "Softmax" || gives_graph_output(id) || map_.at(id).asked) continue;
    const std::vector<NodeId> before = producers(id), after = users(id);
    if (before.empty() || before[0] == NodeId::None || after.empty()) continue;
    const DType codes = wants(before[0]);
    const auto in_codes = [&](NodeId node) { return node != NodeId::None && wants(node) == codes; };
    if (codes == DType::Float16 || !std::all_of(before.begin(), before.end(), in_codes) ||
        !std::all_of(after.begin(), after.end(), in_codes)) {
      continue;
    }
    set(id, codes, fmt::format("{0}: stands between {0} nodes", numpy_name(codes)));
  }
}

}  // namespace

std::optional<std::string> precision_refusal(const Graph& golden, NodeId id, DType dtype, const Target& target,
                                             const PrecisionRules& rules) {
  const Node& node = golden[id];
  if (node.op == kCustomOp) return "the user's code computes in float32";
  if (!gives_reals(golden, id)) return "its results are indices, shapes or bools";
  if (dtype == DType::Float16) return std::nullopt;
  if (!is_code_type(dtype)) return "layers compute in int8, int16 or float16";
  if (rules.quantize && is_weight_only(rules.scheme)) {
    return fmt::format("{} codes weights alone, its activations are float16", name(rules.scheme));
  }
  if (rules.quantize && rules.scheme == Scheme::W16A16I_DFP && dtype != DType::Int16) {
    return "the dynamic fixed point of w16a16i_dfp mixes with float16 alone";
  }
  const QuantRule rule = schema_of(node).quant;
  if (rule == QuantRule::Index) return "its numbers come from integers";
  if (rule == QuantRule::Float && node.op != "Softmax") return fmt::format("{} is never quantized", node.op);
  if (rule == QuantRule::Float && !has_integer_softmax(target)) {
    return fmt::format("{} has no Softmax on integers", target.display_name);
  }
  return integer_refusal(golden, id, dtype);
}

PrecisionMap assign_precision(const Graph& golden, const Target& target, const PrecisionRules& rules) {
  Assignment assignment(golden, target, rules);
  if (!keeps_given(rules)) {
    for (const DType other : {DType::Float16, DType::Int16, DType::Int8}) assignment.keep_islands(other);
    assignment.follow_producers();
    assignment.follow_users();
    assignment.join_softmax();
  }
  assignment.keep_codes_of_ports_exact();
  return assignment.take();
}

}  // namespace openrknn
