// Which layout each node and value of a graph gets: once, so that the fewest bytes are converted.
#pragma once

#include <vector>

#include "core/executor/memory_order.h"
#include "core/graph/schema.h"

namespace openrknn {

struct LayoutChoice {
  std::vector<Layout> value;  ///< by ValueId; Logical where nothing was chosen (constants, dead values)
  std::vector<Layout> node;   ///< by NodeId: the layout the node computes in
};

/// Depends on the graph alone: not on the CPU, the kernels or what is kept, because the order in which a reduction
/// along a dimension adds up depends on where that dimension lies (docs/arithmetic.md).
LayoutChoice choose_layouts(const Graph&);

/// True for inputs that follow the node's layout; weights, biases and tables stay logical.
bool follows_layout(const OpSchema&, size_t input);
/// The perm attribute of a Transpose, resolved (absent: reversed).
std::vector<int64_t> permutation_of(const Node&, int64_t rank);

/// True if a Reshape or Transpose node whose input and output lie in these layouts moves no byte.
bool moves_nothing(const Graph&, const Node&, Layout input, Layout output);
/// Reshape and Transpose: their input is taken as it lies, and they are free in the right pair of layouts.
bool is_mover(const Node&);
/// Nodes that run: some output is not known yet.
bool computes_something(const Graph&, NodeId);

}  // namespace openrknn
