// Weights that are no numbers, whatever framework they come from.
#pragma once

#include <string>

#include "core/graph/graph.h"

namespace openrknn {

/// A weight that is not a number would only show as garbage in the outputs. NaN is refused everywhere, infinity where
/// it is multiplied. Throws Error (ImportNotFinite) with every such constant.
void require_finite(const Graph&, const std::string& file);

}  // namespace openrknn
