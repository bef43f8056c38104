#include "compiler/passes/match.h"
#include "compiler/passes/passes.h"

namespace openrknn::passes {

bool fuse_mish(Graph& graph, const PassContext& context) {
  const Pattern x = any("x");
  const Function mish = {.op = "Mish", .spellings = {op("Mul", {x, op("Tanh", {op("Softplus", {x})})})}};
  return replace_function(graph, context, "fuse_mish", mish);
}

}  // namespace openrknn::passes
