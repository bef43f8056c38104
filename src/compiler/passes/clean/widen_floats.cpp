// Golden is one float32 graph, whatever float types the model was stored in: every Float16, BFloat16 and Float64 value
// becomes Float32, so that casts between them turn into nothing.
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

namespace openrknn::passes {
namespace {

bool is_other_float(DType dtype) { return is_floating(dtype) && dtype != DType::Float32; }

bool widen_attributes(Node& node) {
  bool changed = false;
  for (auto& [name, attribute] : node.attributes) {
    Tensor* tensor = std::get_if<Tensor>(&attribute);
    if (tensor == nullptr || !is_other_float(tensor->dtype())) continue;
    *tensor = cast(*tensor, DType::Float32);
    changed = true;
  }
  if (node.op == "Cast" && is_other_float(static_cast<DType>(int_attribute(node.attributes, "to", 0)))) {
    node.attributes["to"] = static_cast<int64_t>(DType::Float32);
    changed = true;
  }
  return changed;
}

}  // namespace

bool widen_floats(Graph& graph, const PassContext&) {
  bool changed = false;
  for (int64_t i = 0; i < graph.value_count(); ++i) {
    Value& value = graph[ValueId{static_cast<int32_t>(i)}];
    if (!is_other_float(value.dtype)) continue;
    value.dtype = DType::Float32;
    if (value.constant) value.constant = cast(*value.constant, DType::Float32);
    changed = true;
  }
  for_each_node(graph, [&](NodeId id) {
    changed = widen_attributes(graph[id]) || changed;
    return false;
  });
  return changed;
}

}  // namespace openrknn::passes
