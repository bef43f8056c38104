// A node as its kernel meets it: physical shapes, permuted attributes, constants in the physical shape.
#pragma once

#include <deque>
#include <vector>

#include "core/executor/memory_order.h"
#include "core/graph/schema.h"
#include "core/kernels/kernel.h"

namespace openrknn {

/// Owns what a Call points at; neither copied nor moved once call() was handed out.
struct BoundCall {
  Node node;
  std::vector<Operand> inputs, outputs;
  std::deque<Tensor> constants;
  std::deque<QuantParams> quants;
  const Law* law = nullptr;
  bool ideal = false;

  Call call() const { return {.node = node, .inputs = inputs, .outputs = outputs, .law = law, .ideal = ideal}; }
};

/// The forms in which a node that computes in `layout` takes its inputs and gives its outputs.
struct NodeForms {
  std::vector<Form> inputs, outputs;  ///< absent operands: {Logical, 0}
};
/// `value_layouts` (by ValueId) matters to Transpose alone, which takes its input as it lies.
NodeForms forms_of(const Graph&, const Node&, Layout layout, std::span<const Layout> value_layouts);

/// `weights` keeps constants that had to be rearranged, once for all plans. `where` is used in messages.
void bind(BoundCall&, const Graph&, NodeId, const NodeForms&, Weights& weights);

/// Rewrites what the schema's dimension_attributes name from logical dimensions to places in memory.
/// `input` and `output` are physical orders (place -> logical dimension); only a permutation looks at both.
void permute_attributes(Attributes&, std::string_view dimension_attributes, const std::vector<int>& input,
                        const std::vector<int>& output);

/// The constant in `form`: the tensor's own bytes where they lie right already, else a copy kept by Weights.
Tensor constant_in_form(const Tensor&, Form, Weights&);
/// The same content where kernels may read it: 64-byte aligned, with 64 readable bytes after it.
Tensor readable_constant(const Tensor&, Weights&);

}  // namespace openrknn
