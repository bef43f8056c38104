// remove_reshape: a Reshape that is the first thing done with an input, or the last that gives an output, leaves the
// model, whose inputs and outputs then have the shapes inside.
#pragma once

#include <string>
#include <vector>

#include "core/graph/graph.h"

namespace openrknn {

/// Of an imported graph. Names of inputs and outputs stay; every change of a shape is told in `warnings`.
void remove_boundary_reshapes(Graph& imported, std::vector<std::string>& warnings);

}  // namespace openrknn
