// What channels of the float graph held over the samples: one single-threaded Run a worker over one shared Plan, as
// calibrate does, but only the values asked for.
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include <fmt/format.h>

#include "compiler/corrections/float_corrections.h"
#include "core/base/shared_progress.h"
#include "core/executor/run.h"

namespace openrknn {
namespace {

constexpr ChannelRange kNothing = {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()};

struct Worker {
  ThreadPool inline_pool{1};
  Run run;
  std::vector<ChannelRanges> seen;  // by question

  Worker(const std::shared_ptr<const Plan>& plan, const std::vector<ChannelRanges>& empty)
      : run(plan, inline_pool), seen(empty) {}
};

int64_t product(std::span<const int64_t> extents) {
  int64_t result = 1;
  for (const int64_t extent : extents) result *= extent;
  return result;
}

/// False if anything is NaN or infinite.
bool observe(const Tensor& values, int64_t axis, ChannelRanges& seen) {
  const std::span<const int64_t> shape(values.shape());
  const int64_t outer = product(shape.first(static_cast<size_t>(axis))),
                inner = product(shape.subspan(static_cast<size_t>(axis) + 1));
  const float* at = values.values<float>().data();
  bool finite = true;
  for (int64_t o = 0; o < outer; ++o) {
    for (ChannelRange& range : seen) {
      for (int64_t i = 0; i < inner; ++i, ++at) {
        finite = finite && std::isfinite(*at);
        range.lowest = std::min(range.lowest, *at);
        range.highest = std::max(range.highest, *at);
      }
    }
  }
  return finite;
}

std::string key_of(const Graph& graph, std::string_view correction, ValueId value) {
  return fmt::format("{} {}", correction, graph[value].name);
}

[[noreturn]] void fail_unknown(const Graph& graph, ValueId value, std::string_view correction) {
  fail(Code::ConfigUnsupported, Location{.tensor = graph[value].name},
       fmt::format("{} meets a tensor that the largest set of input shapes does not have", correction),
       fmt::format("compile this model without {}, or with one set of input shapes", correction));
}

/// Another set of input shapes: the same tensors by name.
std::vector<ChannelRanges> recall(const Graph& graph, std::span<const ChannelsOf> asked, std::string_view correction,
                                  const Observations& observations) {
  std::vector<ChannelRanges> result;
  for (const ChannelsOf& one : asked) {
    const auto known = observations.remembered.find(key_of(graph, correction, one.value));
    if (known == observations.remembered.end()) fail_unknown(graph, one.value, correction);
    result.push_back(known->second);
  }
  return result;
}

void observe_sample(const Graph& graph, std::span<const ChannelsOf> asked, const Observations& observations,
                    int64_t sample, Worker& worker) {
  const std::vector<Tensor> inputs = observations.samples.get(sample);
  if (inputs.size() != graph.inputs.size()) {
    fail(Code::DatasetBadLine, Location{.file = observations.samples.describe(sample)},
         fmt::format("the sample holds {} arrays, expected {} (one per input of the model)", inputs.size(),
                     graph.inputs.size()));
  }
  const auto take = [&](ValueId id, const Tensor& values) {
    for (size_t i = 0; i < asked.size(); ++i) {
      if (asked[i].value != id || observe(values, asked[i].axis, worker.seen[i])) continue;
      fail(Code::QuantizeNotFinite, Location{.tensor = graph[id].name},
           fmt::format("there are NaN or infinite elements in {}", observations.samples.describe(sample)),
           "the float model itself gives this for the sample: check mean and std, or remove the sample");
    }
  };
  const auto is_asked = [&](ValueId id) {
    return std::any_of(asked.begin(), asked.end(), [&](const ChannelsOf& one) { return one.value == id; });
  };
  for (size_t i = 0; i < inputs.size(); ++i) {
    worker.run.set(graph.inputs[i], inputs[i]);
    if (is_asked(graph.inputs[i])) take(graph.inputs[i], cast(inputs[i], DType::Float32));
  }
  for (NodeId node = worker.run.step(); node != NodeId::None; node = worker.run.step()) {
    for (const ValueId id : graph[node].outputs) {
      if (is_asked(id)) take(id, cast(worker.run.get(id), DType::Float32));
    }
  }
}

}  // namespace

const Statistics& observe_extremes(const Graph& graph, ValueId value, Observations& observations) {
  if (!observations.extremes) {
    observations.extremes =
        calibrate(graph, observations.samples, observations.pool, observations.progress, observations.custom);
  }
  const auto known = observations.extremes->find(graph[value].name);
  if (known == observations.extremes->end()) fail_unknown(graph, value, "rescue_float16");
  return known->second;
}

std::vector<ChannelRanges> observe_channels(const Graph& graph, std::span<const ChannelsOf> asked,
                                            std::string_view correction, Observations& observations) {
  if (asked.empty()) return {};
  if (observations.is_complete) return recall(graph, asked, correction, observations);
  const int64_t count = observations.samples.count();
  if (count == 0) fail(Code::DatasetEmpty, "there are no samples to observe", "give at least one sample");
  Weights weights;
  const std::shared_ptr<const Plan> shared =
      plan(graph, Arithmetic{}, {.fuse = false, .custom_code = observations.custom}, weights);
  std::vector<ChannelRanges> all;
  for (const ChannelsOf& one : asked) {
    all.emplace_back(static_cast<size_t>(graph[one.value].shape[static_cast<size_t>(one.axis)]), kNothing);
  }
  std::vector<std::unique_ptr<Worker>> workers(static_cast<size_t>(observations.pool.threads()));
  SharedProgress told(observations.progress, std::string(correction), count);
  observations.pool.parallel_for(count, [&](int64_t sample, int thread) {
    if (told.is_stopped()) return;
    std::unique_ptr<Worker>& worker = workers[static_cast<size_t>(thread)];
    if (!worker) worker = std::make_unique<Worker>(shared, all);
    observe_sample(graph, asked, observations, sample, *worker);
    told.step();
  });
  for (const std::unique_ptr<Worker>& worker : workers) {
    for (size_t i = 0; worker && i < all.size(); ++i) {
      for (size_t c = 0; c < all[i].size(); ++c) {
        all[i][c].lowest = std::min(all[i][c].lowest, worker->seen[i][c].lowest);
        all[i][c].highest = std::max(all[i][c].highest, worker->seen[i][c].highest);
      }
    }
  }
  for (size_t i = 0; i < asked.size(); ++i) {
    observations.remembered[key_of(graph, correction, asked[i].value)] = all[i];
  }
  return all;
}

}  // namespace openrknn
