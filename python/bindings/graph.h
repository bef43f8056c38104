#pragma once

#include <nanobind/nanobind.h>

#include <memory>
#include <string>
#include <vector>

#include "compiler/compile.h"
#include "compiler/importers/importer.h"
#include "compiler/shape_sets.h"
#include "toolkit/graph_runner.h"

namespace openrknn::python {

namespace nb = nanobind;

/// A graph and, once it was run, its plans.
struct PyGraph {
  PyGraph(const std::string& path, const ImportOptions& options) : PyGraph(path, options, importer_for(path)) {}
  /// The model imported once for each set of input shapes, largest first; without sets, as it is.
  std::vector<Graph> in_shapes(const std::vector<ShapeSet>& sets) const {
    if (sets.empty()) return {graph};
    return import_shape_sets(importer_for(path_), path_, options_, sets);
  }
  /// Golden (the passes of a compile have fused what they can), or every node as it was imported.
  GraphRunner& runner(bool optimized) {
    std::unique_ptr<GraphRunner>& kept = optimized ? golden_ : imported_;
    if (!kept) kept = std::make_unique<GraphRunner>(optimized ? optimize(graph) : graph);
    return *kept;
  }
  std::vector<std::string> input_names() const {
    std::vector<std::string> names;
    for (const ValueId id : graph.inputs) names.push_back(graph[id].name);
    return names;
  }
  Graph graph;
  std::string framework;

 private:
  PyGraph(const std::string& path, const ImportOptions& options, const Importer& importer)
      : graph(importer.import(path, options)), framework(importer.framework), path_(path), options_(options) {}

  std::string path_;
  ImportOptions options_;
  std::unique_ptr<GraphRunner> golden_, imported_;
};

/// dict by input name, list or tuple by position, or one array. Call with the GIL held.
std::vector<Tensor> tensors_from_feeds(nb::handle feeds, const std::vector<std::string>& names);

}  // namespace openrknn::python
