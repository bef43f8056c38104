// What an NPU has to do for each node of a graph, counted from shapes and types: steps of the multiplier array with its
// lanes filled up, bytes over the memory bus with the buffer's limits, elements through the output stage. No times:
// those are cost_model.h's. docs/estimates.md has the formulas and where they come from.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/targets/placement.h"

namespace openrknn {

/// What a value is stored in and a node computes in, by id. Of a compiled graph, its own types; of a float graph, those
/// of the build it would become.
struct ElementTypes {
  std::function<DType(ValueId)> value;
  std::function<DType(NodeId)> node;
  bool sparse = false;  ///< 4:2 sparse weights are skipped over (sparsity.h)
};
ElementTypes types_of_graph(const Graph&, bool sparse = false);

struct LayerWork {
  NodeId node = NodeId::None;
  NodePlacement placement;
  NodeId fused_into = NodeId::None;  ///< an Add in the output stage of the layer before it: only its operand is read
  DType dtype = DType::Int8;
  bool sparse = false;        ///< half of the products are skipped over
  int64_t products = 0;       ///< multiplications as written
  double array_steps = 0;     ///< clock cycles of one core's multipliers, all lanes busy or not
  int64_t results = 0;        ///< elements through the output stage
  int64_t curve_results = 0;  ///< of those, through a table (SiLU, Sigmoid, …)
  int64_t pooled = 0;         ///< elements read by windows of pools
  int64_t moved = 0;          ///< bytes that are only copied (Concat, Split, Transpose, Resize, …)
  int64_t weight_bytes = 0, feature_bytes = 0, result_bytes = 0;  ///< over the bus, re-reads included
  int64_t tiles = 1;                                              ///< pieces the layer is cut into to fit the buffer
  /// All bytes over the bus.
  int64_t bytes() const { return weight_bytes + feature_bytes + result_bytes; }
};

/// In execution order, one per live node.
std::vector<LayerWork> work_of(const Graph&, const Target&, const ElementTypes&);

/// Products of one step of one core's multipliers with every lane busy, of dense weights.
int64_t products_per_step(const Target&, DType);

/// Bytes of a tensor as the NPU keeps it: channels filled up to the cube's (docs/targets.md).
int64_t cube_bytes(const Shape&, DType, const Target&);

/// Most bytes of intermediate tensors alive at once, in execution order; inputs and outputs of the graph included.
int64_t peak_feature_bytes(const Graph&, const Target&, const ElementTypes&);
/// Of all constants, as the build stores them.
int64_t constant_bytes(const Graph&, const ElementTypes&);

}  // namespace openrknn
