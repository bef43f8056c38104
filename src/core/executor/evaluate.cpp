#include <algorithm>
#include <exception>

#include "core/executor/bound_call.h"
#include "core/executor/data_dependent_node.h"
#include "core/executor/layout_choice.h"
#include "core/executor/plan.h"

namespace openrknn {
namespace {

int64_t result_bytes(const Graph& graph, const Node& node) {
  int64_t bytes = 0;
  for (const ValueId output : node.outputs) {
    if (output == ValueId::None || !is_static(graph[output].shape)) return kLargestResult + 1;
    bytes += std::min(kLargestResult + 1, byte_size(graph[output].dtype, element_count(graph[output].shape)));
  }
  return bytes;
}

/// Integers with scales follow the law of a target, which is not known here; codes that are only moved need none.
bool needs_law(const Graph& graph, const Node& node, const OpSchema& schema) {
  const auto quantized = [&](ValueId id) { return id != ValueId::None && graph[id].quant.has_value(); };
  return schema.quant != QuantRule::Same && (std::any_of(node.inputs.begin(), node.inputs.end(), quantized) ||
                                             std::any_of(node.outputs.begin(), node.outputs.end(), quantized));
}

std::optional<std::vector<Tensor>> compute(const Graph& graph, NodeId id) {
  const Node& node = graph[id];
  const OpSchema* schema = find_schema(node.op);
  if (schema == nullptr || node.outputs.empty()) return std::nullopt;
  const auto known = [&](ValueId input) { return input == ValueId::None || graph[input].constant.has_value(); };
  if (!std::all_of(node.inputs.begin(), node.inputs.end(), known)) return std::nullopt;
  if (const DataDependentOperator* row = find_data_dependent(node.op);
      row != nullptr && (row->compute != nullptr || row->resolve != nullptr)) {
    std::vector<const Tensor*> inputs;
    for (const ValueId input : node.inputs)
      inputs.push_back(input == ValueId::None ? nullptr : &*graph[input].constant);
    return compute_data_dependent(graph, id, inputs);
  }
  if (needs_law(graph, node, *schema) || result_bytes(graph, node) > kLargestResult) return std::nullopt;
  if (node.op == "Reshape" && !node.inputs.empty() && node.inputs[0] != ValueId::None) {
    return std::vector<Tensor>{graph[node.inputs[0]].constant->reshaped(graph[node.outputs[0]].shape)};
  }
  const bool permuted = schema->layout == LayoutRule::ChannelsLast;
  const std::vector<Layout> logical(static_cast<size_t>(graph.value_count()), Layout::Logical);
  const NodeForms forms = forms_of(graph, node, permuted ? Layout::ChannelsLast : Layout::Logical, logical);
  Weights weights;
  BoundCall bound;
  bind(bound, graph, id, forms, weights);
  const Kernel* kernel = choose_kernel(reference_kernels(), bound.call(), CpuFeatures{0});
  if (kernel == nullptr) return std::nullopt;
  std::vector<Tensor> inputs;
  for (const Operand& operand : bound.inputs)
    inputs.push_back(operand.constant != nullptr ? *operand.constant : Tensor());
  std::vector<Tensor> outputs = run_kernel(*kernel, bound.call(), inputs, weights);
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!permuted || forms.outputs[i].rank < 3) continue;
    std::vector<int> to_logical(static_cast<size_t>(forms.outputs[i].rank));
    const std::vector<int> order = physical_order(forms.outputs[i].layout, forms.outputs[i].rank);
    for (size_t d = 0; d < order.size(); ++d) to_logical[static_cast<size_t>(order[d])] = static_cast<int>(d);
    outputs[i] = transpose(outputs[i], to_logical);
  }
  return outputs;
}

}  // namespace

std::optional<std::vector<Tensor>> evaluate(const Graph& graph, NodeId id) {
  try {
    return compute(graph, id);
  } catch (const std::exception&) {
    return std::nullopt;  // not computable now; whoever runs the node gets the message
  }
}

}  // namespace openrknn
