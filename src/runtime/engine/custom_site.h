// Custom code as the engine sees it: operators, the nodes they may compute, and the code bound to one node.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/graph/custom.h"
#include "runtime/engine/memory.h"

namespace openrknn {

/// A tensor as custom code meets it: dense, logical order, real numbers as float32, behind a file descriptor.
struct CustomTensor {
  std::string name;
  DType dtype = DType::Float32;
  Shape shape;
  std::unique_ptr<Memory> memory;  ///< null: an optional input that is left out
};

/// One node that custom code may compute. Constants are ordinary inputs whose content is there from the start.
struct CustomSite {
  std::string type, node;
  Attributes attributes;  ///< the source model's (of a built-in operator: docs/ir.md)
  std::vector<CustomTensor> inputs, outputs;
};

/// Code bound to one site. Called by one thread at a time.
struct CustomInstance {
  virtual ~CustomInstance() = default;
  /// Inputs are in the site's memory, outputs go there. What it throws ends the run.
  virtual void compute() = 0;
};

struct CustomOperator {
  std::string type;
  /// Called once for each node of the type, on the thread that registers; the site outlives the instance. Null: the
  /// code does not want the node, the built-in operator computes it if there is one. What it throws ends the
  /// registration.
  std::function<std::unique_ptr<CustomInstance>(const CustomSite&)> bind;
};

}  // namespace openrknn
