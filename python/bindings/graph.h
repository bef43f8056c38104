#pragma once

#include <nanobind/nanobind.h>

#include <memory>
#include <string>
#include <vector>

#include "compiler/compile.h"
#include "compiler/importers/importer.h"
#include "toolkit/graph_runner.h"

namespace openrknn::python {

namespace nb = nanobind;

/// A graph and, once it was run, its plans.
struct PyGraph {
  PyGraph(Graph given, std::string source_framework)
      : graph(std::move(given)), framework(std::move(source_framework)) {}
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
  std::unique_ptr<GraphRunner> golden_, imported_;
};

/// dict by input name, list or tuple by position, or one array. Call with the GIL held.
std::vector<Tensor> tensors_from_feeds(nb::handle feeds, const std::vector<std::string>& names);

}  // namespace openrknn::python
