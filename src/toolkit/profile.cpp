#include "toolkit/profile.h"

#include <algorithm>

#include "core/executor/profile.h"

namespace openrknn {

std::vector<OperationTime> profile(const Model& model, int threads, int rounds) {
  const Graph& graph = model.variants.front();
  ThreadPool pool(threads);
  Weights weights;
  const std::shared_ptr<const Plan> planned = plan(graph, model.arithmetic, {}, weights);
  Run run(planned, pool);
  for (const ValueId id : graph.inputs) {
    Tensor pattern = Tensor::zeros(graph[id].dtype, graph[id].shape);
    if (bit_width(pattern.dtype()) == 8) {
      int code = 0;
      for (int8_t& element :
           std::span(reinterpret_cast<int8_t*>(pattern.mutable_bytes().data()), static_cast<size_t>(pattern.size()))) {
        element = static_cast<int8_t>(code++ % 100);
      }
    }
    run.set(id, pattern);
  }
  std::vector<OperationTime> times;
  for (const StepTime& step : profile_run(*planned, run)) {  // the warm-up says what runs
    const Value& output = graph[graph[step.node].outputs[0]];
    times.push_back({step.name, step.op, std::string(name(output.dtype)), output.shape, 1e30});
  }
  for (int round = 0; round < rounds; ++round) {
    const std::vector<StepTime> steps = profile_run(*planned, run);
    for (size_t i = 0; i < steps.size(); ++i) {
      times[i].microseconds = std::min(times[i].microseconds, steps[i].microseconds);
    }
  }
  return times;
}

}  // namespace openrknn
