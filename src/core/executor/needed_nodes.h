// What has to run for a graph's outputs.
#pragma once

#include <vector>

#include "core/graph/graph.h"

namespace openrknn {

/// Nodes the outputs need, producers first. Content that is known needs no producer.
std::vector<NodeId> needed_nodes(const Graph&);

}  // namespace openrknn
