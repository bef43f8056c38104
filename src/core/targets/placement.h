// Where a SoC computes a node of a graph, and why not on the NPU: the limits of the operator checked on this very node.
#pragma once

#include <string>
#include <vector>

#include "core/targets/operator_placement.h"

namespace openrknn {

struct NodePlacement {
  Place place = Place::Npu;  ///< Npu, Cpu or None
  /// What keeps it from the NPU, each with numbers and a cure. Of a node that is on the CPU because it was asked for
  /// (Node::placement) there is none.
  std::vector<ExceededLimit> exceeded = {};
  std::string form = {};  ///< computed as something else, on the NPU: "as a chain of MaxPools"
  bool asked = false;     ///< Node::placement decided
};

/// `dtype` is what the node computes in: codes (Int8, Int16) or Float16; integers and bools of the model are the CPU's.
NodePlacement place_node(const Graph&, NodeId, const Target&, DType dtype);

/// "on the CPU of RK3588: kernel height is 33, expected 1 to 31"; a sentence without its end.
std::string to_string(const NodePlacement&, const Target&);

/// The type a node of a compiled graph computes in: that of its first result (codes, Float16, or what it is), or of its
/// first input where results are integers.
DType computing_type(const Graph&, const Node&);

}  // namespace openrknn
