#include "toolkit/profile.h"

#include <algorithm>
#include <chrono>

namespace openrknn {

std::vector<StepTime> profile(const Model& model, int threads, int rounds) {
  const Graph& graph = model.variants.front();
  ThreadPool pool(threads);
  Weights weights;
  Run run(plan(graph, model.arithmetic, {}, weights), pool);
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
  std::vector<StepTime> times;
  for (int round = 0; round <= rounds; ++round) {  // round 0 warms up
    size_t at = 0;
    for (;;) {
      const auto start = std::chrono::steady_clock::now();
      const NodeId id = run.step();
      if (id == NodeId::None) break;
      const double elapsed =
          std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
      if (round == 0) {
        const Value& output = graph[graph[id].outputs[0]];
        times.push_back({graph[id].name, graph[id].op, std::string(name(output.dtype)), output.shape, 1e30});
      } else {
        times[at].microseconds = std::min(times[at].microseconds, elapsed);
      }
      ++at;
    }
  }
  return times;
}

}  // namespace openrknn
