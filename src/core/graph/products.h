// How much arithmetic a node is.
#pragma once

#include "core/graph/graph.h"

namespace openrknn {

/// Multiplications of Conv, ConvTranspose, MatMul and Attention; 0 for others.
int64_t products_of(const Graph&, const Node&);

}  // namespace openrknn
