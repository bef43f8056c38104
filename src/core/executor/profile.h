// How long each node of a run takes.
#pragma once

#include <string>
#include <vector>

#include "core/executor/run.h"

namespace openrknn {

struct StepTime {
  NodeId node = NodeId::None;
  std::string name, op, kernel;  ///< of the node; kernel is "alias" where nothing moves, op "Conv+Mul" of fused nodes
  int64_t conversions = 0;       ///< layout conversions made for the node; their time is in it
  double microseconds = 0;
};

/// Runs all steps from the start (inputs must be set) and times each node, in running order. `plan` is the one `run`
/// was made of.
std::vector<StepTime> profile_run(const Plan& plan, Run& run);

}  // namespace openrknn
