// Importers: model file -> Graph, by rows. They translate and check; they never optimise.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/graph/graph.h"

namespace openrknn {

/// What the caller may fix about a model while it is read. Names are the source model's.
struct ImportOptions {
  std::vector<std::string> inputs;   ///< crop: new graph inputs (any tensor); empty = the model's own
  std::vector<std::string> outputs;  ///< crop: new graph outputs (any tensor); empty = the model's own
  /// Aligned with `inputs` (or with the model's inputs); empty = as in the file. Three numbers for a 4-D input:
  /// batch 1.
  std::vector<Shape> input_shapes;
  std::map<std::string, int64_t> dimensions;          ///< symbolic dimensions by name: {"batch", 1}
  std::vector<std::optional<Tensor>> initial_values;  ///< aligned likewise: a value freezes that input to a constant
};

/// One framework. Rows of importers(); no importer includes another.
struct Importer {
  std::string_view framework;  ///< "ONNX"
  bool (*recognises)(const std::filesystem::path&);
  /// Throws Error with every problem found (unsupported nodes with type, location and count).
  Graph (*import)(const std::filesystem::path&, const ImportOptions&);
};
std::span<const Importer> importers();
/// By extension and content. Throws Error (ImportBadFile).
const Importer& importer_for(const std::filesystem::path&);

/// The ONNX importer: opset 7 to 28, external data, files over 2 GiB; reads from the mapped file.
Graph import_onnx(const std::filesystem::path&, const ImportOptions&);

}  // namespace openrknn
