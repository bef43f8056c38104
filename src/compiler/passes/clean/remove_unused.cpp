#include "compiler/passes/passes.h"

namespace openrknn::passes {

bool remove_unused(Graph& graph, const PassContext&) { return graph.remove_unused(); }

}  // namespace openrknn::passes
