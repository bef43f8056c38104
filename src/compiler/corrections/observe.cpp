#include "compiler/corrections/observe.h"

#include <algorithm>

#include "core/executor/run.h"
#include "core/model/ports.h"

namespace openrknn::corrections {
namespace {

Tensor represented(const Tensor& real, const Value& value) {
  return value.quant ? quantize_tensor(real, *value.quant, value.dtype) : cast(real, value.dtype);
}

void show_value(const Value& value, ValueId id, const Tensor& held, const std::function<void(const Shown&)>& show) {
  Tensor numbers = held.dtype() == DType::Float32 ? held : cast(held, DType::Float32);
  double unit = 1;
  if (value.quant) {
    const auto zero = static_cast<float>(value.quant->zero_point[0]);
    for (float& v : numbers.mutable_values<float>()) v -= zero;
    unit = value.quant->scale[0];
  }
  show({id, numbers.values<float>(), unit});
}

}  // namespace

int64_t Observation::count() const {
  return most_samples > 0 ? std::min(most_samples, samples.count()) : samples.count();
}

void observe(const Graph& graph, const std::set<ValueId>& wanted, const Observation& how, Weights& weights,
             const std::function<void(const Shown&)>& show) {
  Run run(plan(graph, how.arithmetic, {.fuse = false, .custom_code = how.custom}, weights), how.pool);
  for (int64_t i = 0; i < how.count(); ++i) {
    const std::vector<Tensor> inputs = how.samples.get(how.sample(i));
    size_t missing = wanted.size();
    run.restart();
    for (size_t input = 0; input < inputs.size(); ++input) {
      const ValueId id = graph.inputs[input];
      const Tensor given = represented(inputs[input], graph[id]);
      run.set(id, given);
      if (!wanted.contains(id)) continue;
      show_value(graph[id], id, given, show);
      --missing;
    }
    while (missing > 0) {
      const NodeId node = run.step();
      if (node == NodeId::None) fail(Code::Internal, "a value that corrections look at is never computed");
      for (const ValueId id : graph[node].outputs) {
        if (id == ValueId::None || !wanted.contains(id)) continue;
        show_value(graph[id], id, run.get(id), show);
        --missing;
      }
    }
    if (how.progress) how.progress(i + 1);
  }
}

}  // namespace openrknn::corrections
