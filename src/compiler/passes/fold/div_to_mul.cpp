// x / c becomes x * (1 / c). Division has no place in the NPU's output path; multiplication does.
#include <algorithm>
#include <cmath>

#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

namespace openrknn::passes {

bool div_to_mul(Graph& graph, const PassContext&) {
  return for_each_node(graph, {"Div"}, [&](NodeId id) {
    const ValueId divisor = graph[id].inputs[1];
    const Tensor* content = float_content(graph, divisor);
    if (content == nullptr || !is_float(graph, graph[id].outputs[0])) return false;
    // One number costs nothing to divide, and may be a scale that others computed the same way.
    if (graph[graph[id].outputs[0]].shape.empty()) return false;
    const std::span<const float> in = content->values<float>();
    const auto usable = [](float value) { return std::isnormal(value) && std::isnormal(1 / value); };
    if (!std::all_of(in.begin(), in.end(), usable)) return false;
    Tensor inverse(DType::Float32, content->shape());
    const std::span<float> out = inverse.mutable_values<float>();
    for (size_t i = 0; i < out.size(); ++i) out[i] = 1 / in[i];
    const std::string name = graph[divisor].name;
    graph.set_input(id, 1, graph.add_constant(name + "_inverse", std::move(inverse)));
    graph[id].op = "Mul";
    return true;
  });
}

}  // namespace openrknn::passes
