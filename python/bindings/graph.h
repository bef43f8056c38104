#pragma once

#include <nanobind/nanobind.h>

#include <memory>
#include <string>
#include <vector>

#include "compiler/importers/importer.h"
#include "toolkit/graph_runner.h"

namespace openrknn::python {

namespace nb = nanobind;

/// A graph and, once it was run, its plan.
struct PyGraph {
  PyGraph(Graph given, std::string source_framework)
      : graph(std::move(given)), framework(std::move(source_framework)) {}
  GraphRunner& runner() {
    if (!runner_) runner_ = std::make_unique<GraphRunner>(graph);
    return *runner_;
  }
  std::vector<std::string> input_names() const {
    std::vector<std::string> names;
    for (const ValueId id : graph.inputs) names.push_back(graph[id].name);
    return names;
  }
  Graph graph;
  std::string framework;

 private:
  std::unique_ptr<GraphRunner> runner_;
};

/// dict by input name, list or tuple by position, or one array. Call with the GIL held.
std::vector<Tensor> tensors_from_feeds(nb::handle feeds, const std::vector<std::string>& names);

}  // namespace openrknn::python
