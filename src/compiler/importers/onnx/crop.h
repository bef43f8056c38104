// Which nodes an import needs: from the wanted tensors back to the given ones.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "compiler/importers/onnx/wire.h"
#include "core/base/error.h"

namespace openrknn::onnx {

using NameSet = std::unordered_set<Bytes>;

/// What a node reads: its inputs and whatever the graphs in its attributes take from outside.
std::vector<Bytes> names_read(const NodeProto&);

struct Selection {
  std::vector<const NodeProto*> nodes;  ///< producers first, otherwise in the order of the file
  NameSet reached;                      ///< every tensor read or wanted, given ones included
};

/// The nodes that `wanted` need, stopping at tensors for which is_given() holds. Tensors that nothing provides and
/// cycles are added to `problems` (ImportMissingTensor, ImportCycle).
Selection select_nodes(std::span<const NodeProto>, std::span<const Bytes> wanted,
                       const std::function<bool(Bytes)>& is_given, const std::string& file, Diagnostics& problems);

/// Single assignment: a tensor has one source, be it a node, an initializer or an input. Looks into nested graphs too.
void check_single_assignment(const GraphProto&, const std::string& file, Diagnostics& problems);

/// Every tensor name of the graph, nested graphs excluded.
std::vector<Bytes> tensor_names(const GraphProto&);

/// Up to three of `names` that `wanted` may have meant, as "; did you mean 'a', 'b'?"; "" if none is near.
std::string near_matches(std::string_view wanted, std::span<const Bytes> names);

/// "'a', 'b'", at most `limit` names and then how many more there are.
std::string quoted_list(std::span<const Bytes> names, size_t limit = 8);

/// The node's own name, or its op type and first output.
std::string label(const NodeProto&);

}  // namespace openrknn::onnx
