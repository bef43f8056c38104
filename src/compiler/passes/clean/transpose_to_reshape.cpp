// A Transpose that only moves dimensions of extent 1 leaves the elements where they are: it is a Reshape.
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

namespace openrknn::passes {

bool transpose_to_reshape(Graph& graph, const PassContext& context) {
  return for_each_node(graph, {"Transpose"}, [&](NodeId id) {
    Node& node = graph[id];
    const Shape& x = graph[node.inputs[0]].shape;
    if (!is_static(x)) return false;
    int64_t last = -1;
    for (const int64_t d : ints_attribute(node.attributes, "perm")) {
      if (x[static_cast<size_t>(d)] == 1) continue;
      if (d < last) return false;
      last = d;
    }
    note(context, "transpose_to_reshape", graph, std::span(&id, 1));
    node.op = "Reshape";
    node.attributes = {{"shape", graph[node.outputs[0]].shape}};
    return true;
  });
}

}  // namespace openrknn::passes
