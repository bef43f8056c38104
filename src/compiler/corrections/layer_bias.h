// The bias of a layer, whatever form its node reads it in.
#pragma once

#include "core/graph/graph.h"

namespace openrknn::corrections {

bool has_bias(const Node&);
/// Becomes the node's bias; in place of the old one unless something else reads that too.
void put_bias(Graph&, NodeId, Tensor, std::optional<QuantParams>);

/// Golden may not have the node's bias as a computed value.
inline bool has_constant_bias(const Graph& golden, NodeId id) {
  return !has_bias(golden[id]) || golden[golden[id].inputs[2]].constant.has_value();
}

}  // namespace openrknn::corrections
