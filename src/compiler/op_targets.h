// op_target: which layers a user wants on the CPU or the NPU. Where a layer runs never changes its numbers: the
// simulator computes all of them alike; estimates, tables of times and inspect go by it, and so will a device.
#pragma once

#include <string>
#include <vector>

#include "core/targets/targets.h"

namespace openrknn {

struct OpTarget {
  std::string key;  ///< an output tensor of the source model or of the optimized graph, or an operator type
  Placement place = Placement::Auto;
};

/// Sets Node::placement. Tensor names win over types, later entries over earlier ones. Adds a warning for every key
/// that names nothing (scripts carry names of another optimizer: no error), for layers asked onto an NPU that does not
/// take them, and for those asked onto a CPU that has no kernel of them, which stay where they are.
void place_layers(Graph&, const Target&, const std::vector<OpTarget>&, std::vector<std::string>& warnings);

}  // namespace openrknn
