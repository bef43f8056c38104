#include "core/graph/products.h"

namespace openrknn {

int64_t products_of(const Graph& graph, const Node& node) {
  if (node.op == "Attention") {
    const Shape &q = graph[node.inputs[0]].shape, &keys = graph[node.inputs[1]].shape;
    return (element_count(q) + element_count(graph[node.outputs[0]].shape)) * keys.back();
  }
  if (node.op != "Conv" && node.op != "ConvTranspose" && node.op != "MatMul") return 0;
  const Shape &x = graph[node.inputs[0]].shape, &w = graph[node.inputs[1]].shape, &y = graph[node.outputs[0]].shape;
  if (node.op == "MatMul") return x.empty() ? 0 : element_count(y) * x.back();
  if (w.empty() || w[0] == 0) return 0;
  return element_count(node.op == "Conv" ? y : x) * (element_count(w) / w[0]);
}

}  // namespace openrknn
