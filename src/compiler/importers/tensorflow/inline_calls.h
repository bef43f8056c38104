// Bodies of functions in place of the nodes that call them.
#pragma once

#include "compiler/importers/tensorflow/graph_def.h"

namespace openrknn::tensorflow {

/// Nodes of a body are called "call/node", as TensorFlow calls them where it inlines. Calls of functions that are not
/// there, or that call themselves, stay. Throws Error (ImportBadFile) if the result is beyond any network.
void inline_calls(SourceGraph&);

}  // namespace openrknn::tensorflow
