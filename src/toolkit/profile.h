// Where the time goes: one run of a model, step by step, on one set of inputs.
#pragma once

#include <string>
#include <vector>

#include "core/executor/run.h"
#include "core/model/model.h"

namespace openrknn {

struct OperationTime {
  std::string node, op, dtype;
  Shape shape;  ///< of the first output, logical
  double microseconds = 0;
};

/// Runs `rounds` times after one warm-up and gives the smallest time of every node, in execution order. Inputs are
/// filled with a fixed pattern: times do not depend on values. threads 0 = all.
std::vector<OperationTime> profile(const Model&, int threads, int rounds = 5);

}  // namespace openrknn
