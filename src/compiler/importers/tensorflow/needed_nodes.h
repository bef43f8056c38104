// Names of tensors, and the order in which a graph is translated.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "compiler/importers/tensorflow/graph_def.h"
#include "core/base/error.h"

namespace openrknn::tensorflow {

/// A tensor as the format names it: node and number of its output.
struct TensorName {
  std::string node;
  int64_t output = 0;
  bool is_control = false;

  std::string text() const { return node + ":" + std::to_string(output); }
};
/// "node", "node:1", "^node".
TensorName parse_name(const std::string& text);
bool names_tensor(std::span<const TensorName>, const std::string& tensor);

/// Nodes the outputs depend on, up to the inputs, each behind what it reads. Reports nodes that are not there and those
/// that depend on themselves.
std::vector<size_t> needed_nodes(const SourceGraph&, const std::map<std::string, size_t>& by_name,
                                 std::span<const TensorName> inputs, std::span<const TensorName> outputs,
                                 Diagnostics& problems);

}  // namespace openrknn::tensorflow
