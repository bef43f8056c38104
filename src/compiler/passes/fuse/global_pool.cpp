// ReduceMean over the spatial dimensions of an image is GlobalAveragePool, which the NPU has.
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

namespace openrknn::passes {

bool mean_to_global_pool(Graph& graph, const PassContext& context) {
  return for_each_node(graph, {"ReduceMean"}, [&](NodeId id) {
    const ValueId x = graph[id].inputs[0], result = graph[id].outputs[0];
    const Shape shape = graph[x].shape;
    const bool spatial = ints_attribute(graph[id].attributes, "axes") == std::vector<int64_t>{2, 3};
    if (shape.size() != 4 || !spatial || !is_float(graph, x) || !is_static(shape)) return false;
    note(context, "mean_to_global_pool", graph, std::span(&id, 1));
    if (int_attribute(graph[id].attributes, "keepdims", 1) == 1) {
      graph[id].op = "GlobalAveragePool";
      graph[id].attributes.clear();
      return true;
    }
    Value pooled;
    pooled.name = graph[result].name + "_pooled";
    pooled.dtype = graph[x].dtype;
    pooled.shape = {shape[0], shape[1], 1, 1};
    Node pool;
    pool.op = "GlobalAveragePool";
    pool.inputs = {x};
    pool.outputs = {graph.add(std::move(pooled))};
    pool.origins = graph[id].origins;  // both nodes compute the layer now
    graph.set_input(id, 0, pool.outputs[0]);
    graph.add(std::move(pool));
    graph[id].op = "Reshape";
    graph[id].attributes = {{"shape", graph[result].shape}};
    return true;
  });
}

}  // namespace openrknn::passes
