#include "compiler/search/lift_trials.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "compiler/quantize/precision_rules.h"
#include "core/executor/run.h"
#include "core/graph/products.h"
#include "core/model/ports.h"

namespace openrknn {
namespace {

/// As the graph's input or output holds it.
Tensor represented(const Tensor& real, const Value& value) {
  return value.quant ? quantize_tensor(real, *value.quant, value.dtype) : cast(real, value.dtype);
}
Tensor real_of(const Tensor& tensor, const Value& value) {
  if (value.quant) return dequantize_tensor(tensor, *value.quant);
  return is_floating(value.dtype) ? cast(tensor, DType::Float32) : tensor;
}

}  // namespace

LiftTrials::LiftTrials(const PreparedBuild& prepared, const CompileOptions& options, const SearchOptions& search,
                       const Samples& samples, ThreadPool& pool, const Progress& progress)
    : prepared_(prepared),
      options_(options),
      search_(search),
      pool_(pool),
      samples_(hold(first_samples(samples, search.samples))) {
  const Graph& golden = prepared.goldens.front();
  const Target& target = *find_target(options.target);
  const PrecisionRules rules = rules_of(prepared, options);
  const PrecisionMap precision = assign_precision(golden, target, rules);
  for (const NodeId id : golden.order()) {
    const Node& node = golden[id];
    products_ += products_of(golden, node);
    const Precision& own = precision.at(id);
    const bool liftable = is_code_type(own.dtype) && own.dtype != search.lift && !own.asked && !is_flexible(node);
    if (!liftable || !gives_reals(golden, id) || precision_refusal(golden, id, search.lift, target, rules)) continue;
    layers_.push_back({golden[node.outputs[0]].name, products_of(golden, node)});
  }
  golden_ = run(golden);
  if (options.bias_correction && !prepared.brings_parameters) {
    means_ = golden_means({golden, prepared.calibration, samples, pool, progress, options.custom_code});
  }
}

/// Golden and built graphs alike.
std::vector<std::vector<Tensor>> LiftTrials::run(const Graph& graph) const {
  const Arithmetic arithmetic = arithmetic_of(*find_target(options_.target));
  if (search_.runner) return search_.runner(graph, arithmetic, samples_);
  return run_trial(graph, arithmetic, samples_, pool_, options_.custom_code);
}

std::vector<std::vector<Tensor>> run_trial(const Graph& graph, const Arithmetic& arithmetic, const Samples& samples,
                                           ThreadPool& pool, const CustomCode& custom) {
  Weights weights;
  PlanOptions plan_options;
  plan_options.custom_code = custom;
  const std::shared_ptr<const Plan> planned = plan(graph, arithmetic, plan_options, weights);
  std::vector<std::vector<Tensor>> outputs(static_cast<size_t>(samples.count()));
  pool.parallel_for(samples.count(), [&](int64_t sample, int) {
    Run one(planned, pool);
    const std::vector<Tensor> inputs = samples.get(sample);
    for (size_t i = 0; i < inputs.size(); ++i) one.set(graph.inputs[i], represented(inputs[i], graph[graph.inputs[i]]));
    one.run();
    for (const ValueId id : graph.outputs) {
      outputs[static_cast<size_t>(sample)].push_back(real_of(one.get(id), graph[id]));
    }
  });
  return outputs;
}

double LiftTrials::sqnr(const std::vector<std::vector<Tensor>>& outputs) const {
  double worst = std::numeric_limits<double>::infinity();
  for (size_t o = 0; o < golden_.front().size(); ++o) {
    double signal = 0, noise = 0;
    for (size_t s = 0; s < golden_.size(); ++s) {
      const std::vector<double> wanted = to_doubles(golden_[s][o]), got = to_doubles(outputs[s][o]);
      for (size_t i = 0; i < wanted.size(); ++i) {
        if (!std::isfinite(wanted[i])) continue;
        const double error = wanted[i] - got[i];
        signal += wanted[i] * wanted[i];
        noise += error * error;
      }
    }
    // Nothing to be wrong about, or nothing wrong: no bound from this output.
    if (noise == 0) continue;
    const double ratio = signal / noise;
    worst = std::min(worst, std::isnan(ratio) ? -std::numeric_limits<double>::infinity() : 10 * std::log10(ratio));
  }
  return worst;
}

double LiftTrials::metric(const Lifted& lifted) {
  if (const auto known = known_.find(lifted); known != known_.end()) return known->second;
  CompileOptions options = options_;
  const std::vector<PrecisionRule> more = rules(lifted);
  options.precision.insert(options.precision.begin(), more.begin(), more.end());
  const Graph graph = build_graph(prepared_, options, pool_, means_ ? &*means_ : nullptr);
  const std::vector<std::vector<Tensor>> outputs = run(graph);
  const double found = search_.metric ? search_.metric(outputs) : sqnr(outputs);
  return known_[lifted] = std::isnan(found) ? -std::numeric_limits<double>::infinity() : found;
}

double LiftTrials::macs_share(const Lifted& lifted) const {
  int64_t sum = 0;
  for (const size_t i : lifted) sum += layers_[i].products;
  return products_ == 0 ? 0 : static_cast<double>(sum) / static_cast<double>(products_);
}

SearchPoint LiftTrials::point(const Lifted& lifted) {
  SearchPoint point{.layers = {}, .macs_share = macs_share(lifted), .metric = metric(lifted)};
  for (const size_t i : lifted) point.layers.push_back(layers_[i].tensor);
  return point;
}

std::vector<PrecisionRule> LiftTrials::rules(const Lifted& lifted) const {
  std::vector<PrecisionRule> rules;
  for (const size_t i : lifted) {
    rules.push_back({.kind = PrecisionRule::Kind::Tensor,
                     .pattern = layers_[i].tensor,
                     .dtype = search_.lift,
                     .source = fmt::format("search: {}={}", layers_[i].tensor, numpy_name(search_.lift))});
  }
  return rules;
}

}  // namespace openrknn
