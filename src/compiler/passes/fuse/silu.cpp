#include "compiler/passes/match.h"
#include "compiler/passes/passes.h"

namespace openrknn::passes {

bool fuse_silu(Graph& graph, const PassContext& context) {
  const Pattern x = any("x");
  const Function silu = {.op = "SiLU", .spellings = {op("Mul", {x, op("Sigmoid", {x})})}};
  return replace_function(graph, context, "fuse_silu", silu);
}

}  // namespace openrknn::passes
