// Operators whose output extents depend on data. They make their outputs themselves, so they are functions on whole
// tensors, not rows of the kernel table; sizes are bounded by those of the inputs.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "core/graph/graph.h"

namespace openrknn {

/// Inputs in order, null where one is left out; those the schema asks for are there, with types and ranks it allows.
using HostInputs = std::span<const Tensor* const>;

struct DataDependentOperator {
  std::string_view op;
  /// One tensor per output of the node. Throws Error (RuntimeBadInput) naming the node.
  std::vector<Tensor> (*compute)(const Node&, HostInputs) = nullptr;
  /// Instead of compute: the node with its parameters as attributes, reading input 0 alone. Neither: an operator of the
  /// kernel table, whose extents are known as soon as its inputs are.
  Node (*resolve)(const Node&, HostInputs) = nullptr;
};

/// Null for every other operator.
const DataDependentOperator* find_data_dependent(std::string_view op);

namespace reference {
std::vector<Tensor> non_zero(const Node&, HostInputs);
std::vector<Tensor> compress(const Node&, HostInputs);
std::vector<Tensor> unique(const Node&, HostInputs);
std::vector<Tensor> non_max_suppression(const Node&, HostInputs);
Node resolve_reshape(const Node&, HostInputs);
Node resolve_slice(const Node&, HostInputs);
Node resolve_expand(const Node&, HostInputs);
Node resolve_tile(const Node&, HostInputs);
Node resolve_top_k(const Node&, HostInputs);
}  // namespace reference

}  // namespace openrknn
