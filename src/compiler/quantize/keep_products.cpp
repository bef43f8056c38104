// QLinearMatMul is imported as what it computes: Int32 sums, one factor, QuantizeLinear with scale 1. Here the same
// node is written as the layer it stands for, so that its three pairs of parameters can be kept.
#include <algorithm>

#include "compiler/quantize/given_parameters.h"

namespace openrknn {
namespace {

NodeId producer(const Graph& graph, ValueId value, std::string_view op) {
  if (value == ValueId::None) return NodeId::None;
  const NodeId id = graph[value].producer;
  return id != NodeId::None && graph[id].op == op ? id : NodeId::None;
}
ValueId input(const Graph& graph, NodeId node, size_t index) {
  return node == NodeId::None || index >= graph[node].inputs.size() ? ValueId::None : graph[node].inputs[index];
}
bool is_number(const Graph& graph, ValueId value) {
  return value != ValueId::None && graph[value].constant && graph[value].constant->size() == 1;
}
bool is_vector(const Graph& graph, ValueId value) {
  return value != ValueId::None && graph[value].constant && graph[value].shape.size() == 1;
}

/// Sub(codes as Int32, zero point).
struct CodedOperand {
  ValueId codes = ValueId::None, zero_point = ValueId::None, scale = ValueId::None;
};

/// Constants were widened while importing. Bytes again: codes and zero point tell of which kind.
ValueId narrowed(Graph& graph, ValueId wide, ValueId zero_point) {
  const auto is_large = [](int64_t code) { return code > 127; };
  const std::vector<int64_t> codes = to_ints(*graph[wide].constant), zeros = to_ints(*graph[zero_point].constant);
  const bool large =
      std::any_of(codes.begin(), codes.end(), is_large) || std::any_of(zeros.begin(), zeros.end(), is_large);
  const DType dtype = large ? DType::UInt8 : DType::Int8;
  return graph.add_constant(graph[wide].name + "_codes", cast(*graph[wide].constant, dtype));
}

CodedOperand coded_operand(Graph& graph, ValueId centred, ValueId scale) {
  const NodeId difference = producer(graph, centred, "Sub");
  const ValueId wide = input(graph, difference, 0), zero_point = input(graph, difference, 1);
  if (wide == ValueId::None || zero_point == ValueId::None || !graph[zero_point].constant) return {};
  const NodeId widened = producer(graph, wide, "Cast");
  if (widened != NodeId::None) return {input(graph, widened, 0), zero_point, scale};
  if (!graph[wide].constant) return {};
  return {narrowed(graph, wide, zero_point), zero_point, scale};
}

ValueId number(Graph& graph, std::string name, const Tensor& content) {
  return graph.add_constant(std::move(name), content.reshaped({}));
}

ValueId dequantized(Graph& graph, const CodedOperand& from, const std::string& name,
                    const std::vector<int32_t>& origins) {
  const Value codes = graph[from.codes];
  const Tensor scale = *graph[from.scale].constant, zero_point = cast(*graph[from.zero_point].constant, codes.dtype);
  const bool one = scale.size() == 1;
  Node node{.name = name, .op = "DequantizeLinear", .origins = origins};
  Tensor zeros = zero_point;
  if (!one && zero_point.size() == 1) {
    zeros = cast(Tensor::from<int64_t>(scale.shape(),
                                       std::vector<int64_t>(static_cast<size_t>(scale.size()), to_ints(zero_point)[0])),
                 codes.dtype);
  }
  node.inputs = {from.codes, one ? number(graph, name + "_scale", scale) : graph.add_constant(name + "_scale", scale),
                 one ? number(graph, name + "_zero_point", zeros) : graph.add_constant(name + "_zero_point", zeros)};
  if (!one) node.attributes.emplace("axis", static_cast<int64_t>(codes.shape.size()) - 1);
  const ValueId result = graph.add(Value{.name = name, .dtype = DType::Float32, .shape = codes.shape});
  node.outputs = {result};
  graph.add(std::move(node));
  return result;
}

void unfold(Graph& graph, NodeId id) {
  const NodeId scaled = producer(graph, input(graph, id, 0), "Mul");
  const NodeId widened = producer(graph, input(graph, scaled, 0), "Cast");
  const NodeId product = producer(graph, input(graph, widened, 0), "MatMul");
  const NodeId quotient = producer(graph, input(graph, scaled, 1), "Div");
  const NodeId factors = producer(graph, input(graph, quotient, 0), "Mul");
  if (product == NodeId::None || factors == NodeId::None || !is_number(graph, input(graph, id, 1))) return;
  if (to_doubles(*graph[graph[id].inputs[1]].constant)[0] != 1) return;
  const ValueId result_scale = input(graph, quotient, 1);
  const CodedOperand a = coded_operand(graph, input(graph, product, 0), input(graph, factors, 0));
  const CodedOperand b = coded_operand(graph, input(graph, product, 1), input(graph, factors, 1));
  const bool columns = is_vector(graph, b.scale) && is_vector(graph, b.zero_point);
  const bool one = is_number(graph, b.zero_point) && (is_number(graph, b.scale) || is_vector(graph, b.scale));
  if (!is_number(graph, a.scale) || !is_number(graph, a.zero_point) || !is_number(graph, result_scale)) return;
  if (!columns && !one) return;
  const std::string name = graph[id].name;
  const std::vector<int32_t> origins = graph[id].origins;
  const ValueId left = dequantized(graph, a, name + "_a", origins);
  const ValueId right = dequantized(graph, b, name + "_b", origins);
  const ValueId real =
      graph.add(Value{.name = name + "_product", .dtype = DType::Float32, .shape = graph[graph[id].outputs[0]].shape});
  graph.add(
      Node{.name = name + "_product", .op = "MatMul", .inputs = {left, right}, .outputs = {real}, .origins = origins});
  std::vector<ValueId> inputs = graph[id].inputs;
  inputs[0] = real;
  inputs[1] = number(graph, name + "_scale", *graph[result_scale].constant);
  graph.set_inputs(id, std::move(inputs));
}

}  // namespace

void unfold_code_products(Graph& graph) {
  for (const NodeId id : graph.order()) {
    if (graph[id].op == "QuantizeLinear") unfold(graph, id);
  }
}

}  // namespace openrknn
