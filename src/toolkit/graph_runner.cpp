#include "toolkit/graph_runner.h"

#include <fmt/format.h>

namespace openrknn {

GraphRunner::GraphRunner(Graph graph, int threads, PlanOptions options, const Arithmetic& arithmetic)
    : graph_(std::move(graph)),
      pool_(threads),
      plan_(openrknn::plan(graph_, arithmetic, options, weights_)),
      run_(plan_, pool_) {}

GraphRunner::~GraphRunner() = default;

std::vector<Tensor> GraphRunner::run(const std::vector<Tensor>& inputs) {
  Diagnostics problems;
  if (inputs.size() != graph_.inputs.size()) {
    fail(Code::RuntimeBadInput, fmt::format("got {} inputs, the model has {}", inputs.size(), graph_.inputs.size()));
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Value& value = graph_[graph_.inputs[i]];
    if (inputs[i].shape() != value.shape) {
      problems.add(
          Code::RuntimeBadInput, Location{.tensor = value.name},
          fmt::format("input {} has shape {}, expected {}", i, to_string(inputs[i].shape()), to_string(value.shape)));
    }
  }
  problems.throw_if_any();
  for (size_t i = 0; i < inputs.size(); ++i)
    run_.set(graph_.inputs[i], cast(inputs[i], graph_[graph_.inputs[i]].dtype));
  run_.run();
  std::vector<Tensor> outputs;
  for (const ValueId id : graph_.outputs) outputs.push_back(run_.get(id));
  return outputs;
}

}  // namespace openrknn
