// If, Loop and Scan: which body runs on which values, how often, and what becomes of the results.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "core/kernels/data_dependent.h"

namespace openrknn {

bool is_control_flow(std::string_view op);

/// Computes the graph in that attribute of the node.
using RunBody = std::function<std::vector<Tensor>(std::string_view attribute, std::vector<Tensor> inputs)>;

/// Throws Error (RuntimeBadInput, OutOfMemory) naming the node, and whatever the bodies throw.
std::vector<Tensor> run_control_flow(const Graph&, NodeId, HostInputs inputs, const RunBody&);

}  // namespace openrknn
