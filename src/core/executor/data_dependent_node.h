// Computes nodes whose output extents depend on data: on whole tensors, on the host, by reference kernels.
#pragma once

#include <vector>

#include "core/kernels/data_dependent.h"

namespace openrknn {

/// Larger results are refused: nothing a model says may allocate without bound.
inline constexpr int64_t kLargestResult = int64_t{1} << 30;  // bytes

/// One of find_data_dependent()'s operators. Throws Error (RuntimeBadInput, OutOfMemory, …) naming the node.
std::vector<Tensor> compute_data_dependent(const Graph&, NodeId, HostInputs inputs);

}  // namespace openrknn
