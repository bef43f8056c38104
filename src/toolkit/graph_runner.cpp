#include "toolkit/graph_runner.h"

#include <fmt/format.h>

namespace openrknn {

GraphRunner::GraphRunner(Graph graph, int threads, PlanOptions options, const Arithmetic& arithmetic)
    : graph_(std::move(graph)), inputs_(source_inputs(graph_)), outputs_(source_outputs(graph_)), pool_(threads) {
  if (needs_segments(graph_)) {
    parts_.emplace(graph_, arithmetic, options, pool_);
  } else {
    run_.emplace(openrknn::plan(graph_, arithmetic, options, weights_), pool_);
  }
}

GraphRunner::~GraphRunner() = default;

std::vector<Tensor> GraphRunner::run(const std::vector<Tensor>& inputs) {
  Diagnostics problems;
  if (inputs.size() != graph_.inputs.size()) {
    fail(Code::RuntimeBadInput, fmt::format("got {} inputs, the model has {}", inputs.size(), graph_.inputs.size()));
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Shape expected = expected_shape(inputs_[i], graph_[graph_.inputs[i]].shape, PortLayout::Source);
    if (inputs[i].shape() != expected) {
      problems.add(
          Code::RuntimeBadInput, Location{.tensor = inputs_[i].name},
          fmt::format("input {} has shape {}, expected {}", i, to_string(inputs[i].shape()), to_string(expected)));
    }
  }
  problems.throw_if_any();
  std::vector<Tensor> given;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Value& value = graph_[graph_.inputs[i]];
    given.push_back(
        to_graph(inputs_[i], value, cast(inputs[i], value.dtype), PortLayout::Source, true, Layout::Logical));
  }
  std::vector<Tensor> outputs = run_logical(given);
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs_[i].source_order.empty())
      outputs[i] = from_graph(outputs_[i], graph_[graph_.outputs[i]], outputs[i], false);
  }
  return outputs;
}

std::vector<Tensor> GraphRunner::run_logical(const std::vector<Tensor>& inputs) {
  if (parts_) return parts_->run(inputs);
  for (size_t i = 0; i < inputs.size(); ++i) run_->set(graph_.inputs[i], inputs[i]);
  run_->run();
  std::vector<Tensor> outputs;
  for (const ValueId id : graph_.outputs) outputs.push_back(run_->get(id));
  return outputs;
}

void GraphRunner::set_checkpoint(std::function<void()> checkpoint) {
  if (parts_) parts_->set_checkpoint(std::move(checkpoint));
}

std::vector<Tensor> run_ideal(const Model& model, const std::vector<Tensor>& inputs, PortLayout layout, int threads) {
  const Graph& graph = model.variants.front();
  if (model.variants.size() > 1 || model.batch > 1) {
    fail(Code::NotBuilt, "a run without the integers of the hardware: got several sets of shapes or a batch",
         "build the model for one set of shapes and rknn_batch_size 1");
  }
  if (inputs.size() != graph.inputs.size()) {
    fail(Code::RuntimeBadInput, fmt::format("got {} inputs, the model has {}", inputs.size(), graph.inputs.size()));
  }
  std::vector<Tensor> given;
  for (size_t i = 0; i < inputs.size(); ++i) {
    given.push_back(to_graph(model.inputs[i], graph[graph.inputs[i]], inputs[i], layout, false, Layout::Logical));
  }
  GraphRunner runner(graph, threads, {.ideal = true}, model.arithmetic);
  std::vector<Tensor> outputs = runner.run(given);
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Value& value = graph[graph.outputs[i]];
    const bool real = value.quant.has_value() || is_floating(value.dtype);
    outputs[i] = from_graph(model.outputs[i], value, outputs[i], real);
  }
  return outputs;
}

}  // namespace openrknn
