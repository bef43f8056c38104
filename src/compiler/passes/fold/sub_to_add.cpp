// x - c becomes x + (-c): the same bits, and one form less for the passes that follow.
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

namespace openrknn::passes {

bool sub_to_add(Graph& graph, const PassContext&) {
  return for_each_node(graph, {"Sub"}, [&](NodeId id) {
    const ValueId subtrahend = graph[id].inputs[1];
    const Tensor* content = float_content(graph, subtrahend);
    if (content == nullptr || !is_float(graph, graph[id].outputs[0])) return false;
    Tensor negated(DType::Float32, content->shape());
    const std::span<const float> in = content->values<float>();
    const std::span<float> out = negated.mutable_values<float>();
    for (size_t i = 0; i < out.size(); ++i) out[i] = -in[i];
    const std::string name = graph[subtrahend].name;
    graph.set_input(id, 1, graph.add_constant(name + "_negated", std::move(negated)));
    graph[id].op = "Add";
    return true;
  });
}

}  // namespace openrknn::passes
