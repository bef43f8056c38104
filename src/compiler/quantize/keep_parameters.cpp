// One walk in data-flow order. `reals_` says for a value of codes which value holds the real numbers they stand for: a
// DequantizeLinear with the parameters of those codes gives that value and goes. Operators that only move codes get a
// twin that moves the numbers.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "compiler/quantize/given_parameters.h"
#include "core/executor/plan.h"

namespace openrknn {
namespace {

/// Inputs scale and zero point of a QuantizeLinear or DequantizeLinear, as they stand in the model.
struct Linear {
  DType codes = DType::UInt8;
  QuantParams quant;
  bool blocked = false;
  bool operator==(const Linear&) const = default;
};

int32_t shift_of(DType codes) { return codes == DType::UInt8 ? 128 : codes == DType::UInt16 ? 32768 : 0; }
DType signed_type(DType codes) {
  if (bit_width(codes) <= 8) return DType::Int8;
  return bit_width(codes) == 16 ? DType::Int16 : DType::Int32;
}
GivenCodes signed_form(const Linear& linear) {
  GivenCodes given{.dtype = signed_type(linear.codes), .quant = linear.quant};
  for (int32_t& zero_point : given.quant.zero_point) zero_point -= shift_of(linear.codes);
  return given;
}

template <class T>
Tensor narrowed(const Tensor& codes, const std::vector<int64_t>& values, int64_t shift, DType dtype) {
  Tensor result(dtype, codes.shape());
  std::transform(values.begin(), values.end(), result.mutable_values<T>().begin(),
                 [=](int64_t code) { return static_cast<T>(code - shift); });
  return result;
}
Tensor signed_codes(const Tensor& codes) {
  const DType dtype = signed_type(codes.dtype());
  if (codes.dtype() == dtype) return codes;
  const std::vector<int64_t> values = to_ints(codes);
  const int64_t shift = shift_of(codes.dtype());
  return dtype == DType::Int8 ? narrowed<int8_t>(codes, values, shift, dtype)
                              : narrowed<int16_t>(codes, values, shift, dtype);
}

/// Operators that do to codes what they do to the numbers these stand for.
constexpr std::array<std::string_view, 17> kMoves = {
    "Concat",        "DepthToSpace", "Expand",       "Gather",    "GatherElements", "GatherND",
    "GlobalMaxPool", "MaxPool",      "Pad",          "ReduceMax", "ReduceMin",      "Reshape",
    "Resize",        "Slice",        "SpaceToDepth", "Split",     "Transpose"};

class Keeper {
 public:
  explicit Keeper(Graph& graph) : graph_(graph) {}
  KeptParameters run();

 private:
  struct Real {
    ValueId value = ValueId::None;
    Linear linear;
  };

  std::optional<Linear> linear_of(NodeId);
  void visit_quantize(NodeId);
  void visit_dequantize(NodeId);
  void visit_move(NodeId);
  void inherit_through_clamps();
  void keep_constant(NodeId, const Linear&);
  void place_constant(ValueId, GivenCodes);
  bool move_constant(NodeId user, ValueId, const GivenCodes&);
  ValueId with_parameters(ValueId, const GivenCodes&, NodeId origin);
  void replace(NodeId dequantize, ValueId real, const GivenCodes&);
  bool feeds_only_constants(ValueId) const;

  bool is_constant(ValueId id) const { return id == ValueId::None || graph_[id].constant.has_value(); }

  Graph& graph_;
  KeptParameters kept_;
  Diagnostics problems_;
  std::map<ValueId, Real> reals_;  // by value of codes
  std::map<ValueId, GivenCodes> tensors_;
  std::vector<NodeId> quantizers_;
};

std::optional<Linear> Keeper::linear_of(NodeId id) {
  const Node& node = graph_[id];
  const bool has_zero_point = node.inputs.size() > 2 && node.inputs[2] != ValueId::None;
  const Value& scale = graph_[node.inputs[1]];
  if (!scale.constant || (has_zero_point && !graph_[node.inputs[2]].constant)) return std::nullopt;
  Linear linear;
  linear.codes = node.op == "QuantizeLinear" ? static_cast<DType>(int_attribute(node.attributes, "to", 0))
                                             : graph_[node.inputs[0]].dtype;
  linear.quant.scale = to_doubles(*scale.constant);
  linear.quant.zero_point.assign(linear.quant.scale.size(), 0);
  if (has_zero_point) {
    const std::vector<int64_t> zero_points = to_ints(*graph_[node.inputs[2]].constant);
    for (size_t i = 0; i < linear.quant.zero_point.size(); ++i) {
      linear.quant.zero_point[i] = static_cast<int32_t>(zero_points[i]);
    }
  }
  if (!scale.shape.empty()) linear.quant.axis = static_cast<int>(int_attribute(node.attributes, "axis", 0));
  linear.blocked = int_attribute(node.attributes, "block_size", 0) != 0;
  for (size_t i = 0; i < linear.quant.scale.size(); ++i) {
    const double s = linear.quant.scale[i];
    if (s > 0 && s < 1e38) continue;
    Location where = graph_.where(id);
    where.tensor = scale.name;
    problems_.add(Code::QuantizeBadParameters, where,
                  fmt::format("scale{} is {}, expected a positive number",
                              linear.quant.scale.size() > 1 ? fmt::format(" [{}]", i) : "", s),
                  "quantize the model again");
    return std::nullopt;
  }
  return linear;
}

/// The value itself if it has these parameters or none yet; else a copy that has them.
ValueId Keeper::with_parameters(ValueId x, const GivenCodes& given, NodeId origin) {
  const auto [known, is_new] = tensors_.emplace(x, given);
  if (is_new || known->second.same_parameters(given)) return x;
  for (const NodeId user : graph_.users(x)) {
    if (graph_[user].op != "Convert") continue;
    const auto copy = tensors_.find(graph_[user].outputs[0]);
    if (copy != tensors_.end() && copy->second.same_parameters(given)) return copy->first;
  }
  const ValueId copy =
      graph_.add(Value{.name = graph_[x].name + "_requantized", .dtype = graph_[x].dtype, .shape = graph_[x].shape});
  graph_.add(Node{
      .name = graph_[copy].name, .op = "Convert", .inputs = {x}, .outputs = {copy}, .origins = graph_[origin].origins});
  tensors_.emplace(copy, given);
  return copy;
}

void Keeper::visit_quantize(NodeId id) {
  const ValueId x = graph_[id].inputs[0], q = graph_[id].outputs[0];
  const std::optional<Linear> linear = linear_of(id);
  if (!linear) return;
  if (is_constant(x)) {  // quantized where it is used: its codes are as good as stored ones
    if (graph_[q].constant) return;
    std::optional<std::vector<Tensor>> codes = evaluate(graph_, id);
    if (codes) graph_[q].constant = std::move((*codes)[0]);
    return;
  }
  if (!is_floating(graph_[x].dtype)) return;
  if (linear->quant.axis >= 0 || bit_width(linear->codes) < 8) {
    kept_.notes.push_back(fmt::format(
        "'{}' quantizes the tensor '{}' {}, which the NPU does not: it stays an operator between float16 numbers",
        graph_[id].name, graph_[x].name, linear->quant.axis >= 0 ? "per channel" : "to 4 bits"));
    return;
  }
  reals_[q] = {with_parameters(x, signed_form(*linear), id), *linear};
  quantizers_.push_back(id);
}

void Keeper::visit_dequantize(NodeId id) {
  const ValueId q = graph_[id].inputs[0], y = graph_[id].outputs[0];
  const std::optional<Linear> linear = linear_of(id);
  if (!linear) return;
  if (is_constant(q)) return keep_constant(id, *linear);
  const auto known = reals_.find(q);
  if (known == reals_.end()) {  // fed by the caller, or computed by an operator on integers
    const int64_t bits = bit_width(linear->codes);
    if (linear->quant.axis >= 0 || (bits != 8 && bits != 16)) return;
    tensors_.emplace(y, signed_form(*linear));
    reals_[q] = {y, *linear};
    return;
  }
  const bool same = known->second.linear == *linear && graph_[known->second.value].dtype == graph_[y].dtype;
  if (same) replace(id, known->second.value, signed_form(*linear));
}

/// What reads the node's result reads `real` from now on.
void Keeper::replace(NodeId id, ValueId real, const GivenCodes& given) {
  const ValueId result = graph_[id].outputs[0];
  const NodeId heir = graph_[real].producer;
  const bool has_own_name = graph_.is_input(real) || graph_.is_output(real) || heir == NodeId::None;
  if (graph_.is_output(result) && has_own_name) {  // both are known outside
    graph_[id].op = "Convert";
    graph_[id].attributes.clear();
    graph_.set_inputs(id, {real});
    tensors_.emplace(result, given);
    return;
  }
  graph_.redirect(result, real);
  graph_.absorb(id, heir == NodeId::None ? std::span<const NodeId>() : std::span(&heir, 1));
}

void Keeper::visit_move(NodeId id) {
  if (std::find(kMoves.begin(), kMoves.end(), graph_[id].op) == kMoves.end()) return;
  const size_t operands = graph_[id].op == "Concat" ? graph_[id].inputs.size() : 1;
  const auto first = reals_.find(graph_[id].inputs[0]);
  if (first == reals_.end()) return;
  const Linear linear = first->second.linear;
  Node twin = graph_[id];
  for (size_t i = 0; i < operands; ++i) {
    const auto real = reals_.find(twin.inputs[i]);
    if (real == reals_.end() || real->second.linear != linear) return;
    twin.inputs[i] = real->second.value;
  }
  if (twin.op == "Pad") {
    const double fill = float_attribute(twin.attributes, "value", 0) - linear.quant.zero_point[0];
    twin.attributes.insert_or_assign("value", fill * linear.quant.scale[0]);
  }
  for (ValueId& output : twin.outputs) {
    if (output == ValueId::None) continue;
    const ValueId real = graph_.add(Value{
        .name = graph_[output].name + "_real", .dtype = graph_[twin.inputs[0]].dtype, .shape = graph_[output].shape});
    reals_[output] = {real, linear};
    tensors_.emplace(real, signed_form(linear));
    output = real;
  }
  graph_.add(std::move(twin));
}

void Keeper::keep_constant(NodeId id, const Linear& linear) {
  const ValueId q = graph_[id].inputs[0], y = graph_[id].outputs[0];
  if (graph_.is_output(y)) return;
  const Tensor codes = *graph_[q].constant;
  if (!graph_[y].constant) {
    std::optional<std::vector<Tensor>> content = evaluate(graph_, id);
    if (!content) return;
    graph_[y].constant = std::move((*content)[0]);
  }
  graph_.make_constant(y, *graph_[y].constant);
  graph_.absorb(id, {});
  const std::vector<int32_t>& zero_points = linear.quant.zero_point;
  const bool centred = std::all_of(zero_points.begin(), zero_points.end(), [](int32_t zero) { return zero == 0; });
  if (linear.blocked || (linear.codes == DType::Int32 && !centred)) return;
  GivenCodes given = signed_form(linear);
  given.codes = signed_codes(codes);
  place_constant(y, std::move(given));
}

/// Stays behind every Transpose and Reshape that the constant goes through.
void Keeper::place_constant(ValueId id, GivenCodes given) {
  const std::span<const NodeId> now = graph_.users(id);
  for (const NodeId user : std::vector<NodeId>(now.begin(), now.end())) move_constant(user, id, given);
  if (graph_.users(id).empty() || feeds_only_constants(id)) return;
  graph_[id].quant = given.quant;
  kept_.constants.insert_or_assign(id, std::move(given));
}

/// Something reads it that will itself become a constant.
bool Keeper::feeds_only_constants(ValueId id) const {
  const std::span<const NodeId> users = graph_.users(id);
  return std::any_of(users.begin(), users.end(), [&](NodeId user) {
    const std::vector<ValueId>& inputs = graph_[user].inputs;
    return std::all_of(inputs.begin(), inputs.end(), [&](ValueId input) { return is_constant(input); });
  });
}

bool Keeper::move_constant(NodeId user, ValueId id, const GivenCodes& given) {
  const std::string op = graph_[user].op;
  if (op != "Transpose" && op != "Reshape") return false;
  const ValueId result = graph_[user].outputs[0];
  if (graph_.is_output(result)) return false;
  GivenCodes moved = given;
  const Tensor content = *graph_[id].constant;
  Tensor there;
  if (op == "Transpose") {
    std::vector<int> order;
    for (const int64_t d : ints_attribute(graph_[user].attributes, "perm")) order.push_back(static_cast<int>(d));
    const auto at = std::find(order.begin(), order.end(), given.quant.axis);
    if (at != order.end()) moved.quant.axis = static_cast<int>(at - order.begin());
    there = transpose(content, order);
    moved.codes = transpose(*given.codes, order);
  } else {
    const Shape from = graph_[id].shape, to = graph_[result].shape;
    if (!is_static(to)) return false;
    if (given.quant.axis >= 0) {  // the same extent with as many elements before it
      const auto before = [](const Shape& shape, int axis) {
        return element_count(Shape(shape.begin(), shape.begin() + axis));
      };
      int axis = 0;
      while (axis < static_cast<int>(to.size()) &&
             (to[static_cast<size_t>(axis)] != from[static_cast<size_t>(given.quant.axis)] ||
              before(to, axis) != before(from, given.quant.axis))) {
        ++axis;
      }
      if (axis == static_cast<int>(to.size())) return false;
      moved.quant.axis = axis;
    }
    there = content.reshaped(to);
    moved.codes = given.codes->reshaped(to);
  }
  graph_.make_constant(result, std::move(there));
  graph_.absorb(user, {});
  place_constant(result, std::move(moved));
  return true;
}

/// A Relu or Clip may disappear into the layer in front of it, and what its input is known to be with it.
void Keeper::inherit_through_clamps() {
  for (const NodeId id : graph_.order()) {
    if (graph_[id].op != "Relu" && graph_[id].op != "Clip") continue;
    const auto known = tensors_.find(graph_[id].inputs[0]);
    if (known != tensors_.end()) tensors_.emplace(graph_[id].outputs[0], known->second);
  }
}

KeptParameters Keeper::run() {
  unfold_code_products(graph_);
  for (const NodeId id : graph_.order()) {
    if (!graph_.alive(id)) continue;
    const std::string& op = graph_[id].op;
    if (op == "QuantizeLinear") {
      visit_quantize(id);
    } else if (op == "DequantizeLinear") {
      visit_dequantize(id);
    } else {
      visit_move(id);
    }
  }
  problems_.throw_if_any();
  for (const NodeId id : quantizers_) {  // its layer is computed by whoever computes the numbers
    const ValueId codes = graph_[id].outputs[0];
    const NodeId heir = graph_[graph_[id].inputs[0]].producer;
    if (!graph_.users(codes).empty() || graph_.is_output(codes) || heir == NodeId::None) continue;
    graph_.absorb(id, std::span(&heir, 1));
  }
  graph_.remove_unused();
  inherit_through_clamps();
  for (auto& [id, given] : tensors_) {
    const bool exists = graph_[id].producer != NodeId::None || graph_.is_input(id);
    if (exists) kept_.tensors.emplace(graph_[id].name, std::move(given));
  }
  return std::move(kept_);
}

bool has_codes(const Graph& graph) {
  for (int64_t i = 0; i < graph.node_count(); ++i) {
    const NodeId id{static_cast<int32_t>(i)};
    if (!graph.alive(id)) continue;
    if (graph[id].op == "QuantizeLinear" || graph[id].op == "DequantizeLinear") return true;
  }
  return false;
}

}  // namespace

KeptParameters keep_parameters(Graph& graph) {
  if (!has_codes(graph)) return {};
  return Keeper(graph).run();
}

bool brings_parameters(const Graph& graph) {
  Graph copy = graph;
  return !keep_parameters(copy).empty();
}

GivenParameters settle(const KeptParameters& kept, Graph& golden) {
  GivenParameters given;
  for (const auto& [name, codes] : kept.tensors) {
    const ValueId id = golden.find(name);
    const bool computed = id != ValueId::None && (golden[id].producer != NodeId::None || golden.is_input(id));
    if (computed && is_floating(golden[id].dtype)) given.emplace(id, codes);
  }
  for (const auto& [id, codes] : kept.constants) {
    if (!golden[id].quant) continue;
    golden[id].quant.reset();
    const bool is_plain = golden[id].constant && golden[id].producer == NodeId::None && !golden.users(id).empty();
    if (is_plain) given.emplace(id, codes);
  }
  return given;
}

}  // namespace openrknn
