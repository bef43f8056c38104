// Changes to an ONNX file that leave everything else in it as it is, byte for byte, known fields or not.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/exporters/onnx/messages.h"
#include "core/base/file.h"

namespace openrknn::onnx_export {

struct DeclaredDimension {
  int64_t extent = -1;  ///< -1: `symbol`, or nothing is said
  std::string symbol;
};
using DeclaredShapes = std::map<std::string, std::vector<DeclaredDimension>, std::less<>>;

struct GraphEdit {
  /// New names of the main graph's values where nodes, bodies of nodes and notes on types speak of them. Its inputs and
  /// outputs keep theirs.
  std::map<std::string, std::string, std::less<>> renamed;
  DeclaredShapes inputs, outputs;        ///< new shapes of the main graph's
  std::vector<NodeMessage> first, last;  ///< nodes before and behind those that are there
};

/// Throws Error (ImportBadFile) for a model too large to be taken apart; to be asked before it is read.
void require_editable(const MappedFile& model);

/// `model` is one that onnx::parse_model has read. Throws Error (ImportBadFile).
void write_edited(const MappedFile& model, const GraphEdit&, Sink&);

/// The files besides `model` that its tensors lie in, as their locations name them. Throws Error (ImportBadFile).
std::set<std::string> external_files(const MappedFile& model);

}  // namespace openrknn::onnx_export
