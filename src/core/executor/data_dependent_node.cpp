#include "core/executor/data_dependent_node.h"

#include <fmt/format.h>

#include "core/executor/plan.h"
#include "core/graph/schema.h"

namespace openrknn {
namespace {

/// The node alone in a graph, its inputs constants.
std::vector<Tensor> compute_alone(const Graph& graph, NodeId id, Node node, HostInputs inputs) {
  Graph alone;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (node.inputs[i] == ValueId::None) continue;
    Tensor content = *inputs[i];
    if (node.op == "Expand") {  // the operator keeps the rank
      Shape raised(ints_attribute(node.attributes, "shape").size() - content.shape().size(), 1);
      raised.insert(raised.end(), content.shape().begin(), content.shape().end());
      content = content.reshaped(raised);
    }
    node.inputs[i] = alone.add_constant("", std::move(content));
  }
  for (ValueId& output : node.outputs) {
    if (output == ValueId::None) continue;
    const ValueId copy = alone.add(Value{.name = graph[output].name, .dtype = graph[output].dtype});
    output = copy;
    alone.outputs.push_back(copy);
  }
  const NodeId added = alone.add(std::move(node));
  infer(alone, added);
  for (const ValueId output : alone.outputs) {
    const int64_t bytes = byte_size(alone[output].dtype, element_count(alone[output].shape));
    if (bytes > kLargestResult) {
      fail(Code::OutOfMemory, graph.where(id),
           fmt::format("the result would have shape {}, {} bytes, expected at most {}", to_string(alone[output].shape),
                       bytes, kLargestResult),
           "check what gives the extents");
    }
  }
  if (alone[alone.outputs[0]].constant) return {*alone[alone.outputs[0]].constant};
  std::optional<std::vector<Tensor>> computed = evaluate(alone, added);
  if (!computed) {
    fail(Code::KernelMissing, graph.where(id),
         fmt::format("no kernel computes {} of type {}", alone[added].op, name(alone[alone.outputs[0]].dtype)));
  }
  return std::move(*computed);
}

}  // namespace

std::vector<Tensor> compute_data_dependent(const Graph& graph, NodeId id, HostInputs inputs) {
  const Node& node = graph[id];
  const DataDependentOperator* row = find_data_dependent(node.op);
  if (row == nullptr) fail(Code::Internal, graph.where(id), "is computed by kernels");
  if (row->compute != nullptr) {
    for (const Tensor* input : inputs) {
      if (input == nullptr || bit_width(input->dtype()) >= 8) continue;
      fail(Code::KernelMissing, graph.where(id), fmt::format("no kernel computes it on {}", name(input->dtype())),
           "put a Cast to an 8-bit type before it");
    }
    return row->compute(node, inputs);
  }
  return compute_alone(graph, id, row->resolve != nullptr ? row->resolve(node, inputs) : node, inputs);
}

}  // namespace openrknn
