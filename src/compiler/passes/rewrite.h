// What passes share: walking nodes, asking who uses a value, reading constants.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "compiler/passes/pass.h"

namespace openrknn::passes {

/// Calls `change` for every live node in order; true if any call said true. Nodes added meanwhile are not visited.
bool for_each_node(Graph&, const std::function<bool(NodeId)>& change);
bool for_each_node(Graph&, std::initializer_list<std::string_view> ops, const std::function<bool(NodeId)>& change);

/// The node that computes the value, if it is of this op and has no fused activation; else None.
NodeId producer(const Graph&, ValueId, std::string_view op);
NodeId producer(const Graph&, ValueId, std::initializer_list<std::string_view> ops);
/// Exactly one node reads it and it is not a graph output.
bool used_once(const Graph&, ValueId);
/// Same type and shape.
bool same_type(const Graph&, ValueId, ValueId);
bool is_float(const Graph&, ValueId);  ///< floating and not quantized

/// The content of a constant; null if unknown or quantized.
const Tensor* content(const Graph&, ValueId);
/// As content(), but only of Float32: what weight-changing passes work on.
const Tensor* float_content(const Graph&, ValueId);
/// The number a one-element floating constant holds.
std::optional<double> scalar(const Graph&, ValueId);

/// Moves everything that reads `node`'s only output to `same`, which holds the same numbers, and lets the node go; its
/// layer is then computed by whoever computes `same`. False (and nothing done) where a graph input, output or
/// constant would lose its own name by that.
bool bypass(Graph&, NodeId node, ValueId same);

/// `note`, if there is one: "pass: a + b".
void note(const PassContext&, std::string_view pass, const Graph&, std::span<const NodeId> nodes);

}  // namespace openrknn::passes
