// Runs the golden graph over the samples and watches every float value. One single-threaded Run a worker over one
// shared Plan: memory depends on the number of workers, never on that of samples.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <mutex>

#include "compiler/quantize/quantize.h"
#include "core/base/shared_progress.h"
#include "core/executor/run.h"

namespace openrknn {
namespace {

/// What a worker keeps between samples.
struct Worker {
  ThreadPool inline_pool{1};
  Run run;
  std::vector<Statistics> seen;  // by value id; without histograms, which all workers share
  std::optional<BucketCounter> counter;

  Worker(const std::shared_ptr<const Plan>& plan, const Graph& golden)
      : run(plan, inline_pool), seen(static_cast<size_t>(golden.value_count())) {}
};

bool is_watched(const Graph& golden, ValueId id) { return id != ValueId::None && is_floating(golden[id].dtype); }

/// The same elements in another order: what was seen going in need not be counted again.
bool only_reorders(const Node& node) {
  return node.op == "Reshape" || node.op == "Transpose" || node.op == "DepthToSpace" || node.op == "SpaceToDepth";
}

bool is_copied_from_source(const Graph& golden, NodeId node) {
  if (!only_reorders(golden[node])) return false;
  const ValueId source = golden[node].inputs[0];
  return is_watched(golden, source) && (golden.is_input(source) || golden[source].producer != NodeId::None);
}

/// The value whose numbers the value has.
ValueId counted_at(const Graph& golden, ValueId id) {
  for (NodeId node = golden[id].producer; node != NodeId::None && is_copied_from_source(golden, node);
       node = golden[id].producer) {
    id = golden[node].inputs[0];
  }
  return id;
}

bool holds_infinity(const Tensor& t) {
  if (!is_floating(t.dtype())) return false;
  const std::vector<double> values = to_doubles(t);
  return std::any_of(values.begin(), values.end(), [](double v) { return std::isinf(v); });
}

/// Values that are infinite by intention: filled or masked with an infinite constant, or computed from such.
std::vector<bool> intentionally_infinite(const Graph& golden) {
  std::vector<bool> infinite(static_cast<size_t>(golden.value_count()), false);
  for (const NodeId id : golden.order()) {
    const Node& node = golden[id];
    bool any = node.op == "Pad" && std::isinf(float_attribute(node.attributes, "value", 0));
    for (const ValueId input : node.inputs) {
      if (input == ValueId::None) continue;
      any = any || infinite[static_cast<size_t>(input)] ||
            (golden[input].constant && holds_infinity(*golden[input].constant));
    }
    for (const ValueId output : node.outputs) {
      if (output != ValueId::None) infinite[static_cast<size_t>(output)] = any;
    }
  }
  return infinite;
}

/// Integers added up: who comes first does not show, so one histogram a tensor serves all workers.
struct SharedHistogram {
  std::mutex mutex;
  Histogram histogram;
};

/// What all workers look at.
struct Job {
  const Graph& golden;
  const Samples& samples;
  std::vector<bool> may_be_infinite;
  std::vector<SharedHistogram>& histograms;  // by value id
  SampleRecord* record = nullptr;
  std::vector<ValueId> recorded = {};  // by place in record->values
};

/// Every sample has a place of its own, so workers need no lock.
SampleRecord empty_record(const Graph& golden, int64_t samples, std::vector<ValueId>& recorded) {
  SampleRecord record;
  for (int32_t i = 0; i < golden.value_count(); ++i) {
    const ValueId id{i};
    if (!is_watched(golden, id) || (golden[id].producer == NodeId::None && !golden.is_input(id))) continue;
    recorded.push_back(id);
    record.values.push_back(golden[id].name);
  }
  const int64_t values = std::max<int64_t>(1, static_cast<int64_t>(recorded.size()));
  record.facts.resize(static_cast<size_t>(samples));
  record.extents.resize(static_cast<size_t>(std::min(samples, SampleRecord::kMostExtents / values)));
  return record;
}

void note(const Job& job, int64_t sample, const std::vector<Tensor>& inputs, const std::vector<Statistics>& seen) {
  const size_t at = static_cast<size_t>(sample);
  job.record->facts[at] = facts_of(inputs);
  if (at >= job.record->extents.size()) return;
  std::vector<SampleExtent>& extents = job.record->extents[at];
  for (const ValueId id : job.recorded) {
    const Statistics& all = seen[static_cast<size_t>(id)];
    extents.push_back(all.has_range() ? SampleExtent{all.lowest, all.highest} : SampleExtent{});
  }
}

/// Statistics of one value of one sample; refused by `code` if anything is NaN, or infinite without being meant so.
Statistics observe(const Job& job, Worker& worker, int64_t sample, ValueId id, std::span<const float> values, Code code,
                   Location where) {
  Statistics seen;
  seen.observe(sample, values);
  if (worker.counter && seen.has_range()) {
    auto& [mutex, histogram] = job.histograms[static_cast<size_t>(id)];
    worker.counter->count_into(histogram, mutex, values, std::max(-seen.lowest, seen.highest));
  }
  if (seen.not_finite == 0) return seen;
  const bool has_nan = std::any_of(values.begin(), values.end(), [](float v) { return std::isnan(v); });
  if (!has_nan && job.may_be_infinite[static_cast<size_t>(id)]) return seen;
  where.tensor = job.golden[id].name;
  fail(code, where,
       fmt::format("{} of {} elements are NaN or infinite in {}", seen.not_finite, seen.elements,
                   job.samples.describe(sample)),
       code == Code::DatasetNotFinite
           ? "repair or remove the sample"
           : "the float model itself gives this for the sample: check mean and std, or remove the sample");
}

void observe_sample(const Job& job, int64_t sample, Worker& worker) {
  const Graph& golden = job.golden;
  const std::vector<Tensor> inputs = job.samples.get(sample);
  if (inputs.size() != golden.inputs.size()) {
    fail(Code::DatasetBadLine, Location{.file = job.samples.describe(sample)},
         fmt::format("the sample holds {} arrays, expected {} (one per input of the model)", inputs.size(),
                     golden.inputs.size()));
  }
  std::vector<Statistics> now(worker.seen.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    const ValueId id = golden.inputs[i];
    if (is_watched(golden, id)) {
      const Tensor floats = inputs[i].dtype() == DType::Float32 ? inputs[i] : cast(inputs[i], DType::Float32);
      now[static_cast<size_t>(id)] =
          observe(job, worker, sample, id, floats.values<float>(), Code::DatasetNotFinite, {});
    }
    worker.run.set(id, inputs[i]);
  }
  for (NodeId node = worker.run.step(); node != NodeId::None; node = worker.run.step()) {
    for (const ValueId id : golden[node].outputs) {
      if (!is_watched(golden, id)) continue;
      Statistics& seen = now[static_cast<size_t>(id)];
      if (is_copied_from_source(golden, node)) {
        seen = now[static_cast<size_t>(golden[node].inputs[0])];
        continue;
      }
      // Steps run in order: what is refused here is the first node to give such a value.
      if (golden[id].dtype == DType::Float32) {
        const std::span<const std::byte> raw = worker.run.raw(id);
        const std::span values(reinterpret_cast<const float*>(raw.data()), raw.size() / sizeof(float));
        seen = observe(job, worker, sample, id, values, Code::QuantizeNotFinite, golden.where(node));
      } else {
        const Tensor floats = cast(worker.run.get(id), DType::Float32);
        seen = observe(job, worker, sample, id, floats.values<float>(), Code::QuantizeNotFinite, golden.where(node));
      }
    }
  }
  if (job.record != nullptr) note(job, sample, inputs, now);
  for (size_t i = 0; i < now.size(); ++i) worker.seen[i].merge(now[i]);
}

}  // namespace

Calibration calibrate(const Graph& golden, const Samples& samples, ThreadPool& pool, const Progress& progress,
                      const CustomCode& custom, Detail detail, SampleRecord* record) {
  const int64_t count = samples.count();
  if (count == 0) fail(Code::DatasetEmpty, "there are no samples to calibrate with", "give at least one sample");
  Weights weights;
  const std::shared_ptr<const Plan> shared =
      plan(golden, Arithmetic{}, {.fuse = false, .custom_code = custom}, weights);

  std::vector<SharedHistogram> histograms(static_cast<size_t>(golden.value_count()));
  Job job{golden, samples, intentionally_infinite(golden), histograms, record};
  if (record != nullptr) *record = empty_record(golden, count, job.recorded);
  std::vector<std::unique_ptr<Worker>> workers(static_cast<size_t>(pool.threads()));
  SharedProgress told(progress, "calibrate", count);
  pool.parallel_for(count, [&](int64_t sample, int thread) {
    if (told.is_stopped()) return;
    std::unique_ptr<Worker>& worker = workers[static_cast<size_t>(thread)];
    if (!worker) {
      worker = std::make_unique<Worker>(shared, golden);
      if (detail == Detail::Histograms) worker->counter.emplace();
    }
    observe_sample(job, sample, *worker);
    told.step();
  });

  Calibration calibration;
  for (int64_t i = 0; i < golden.value_count(); ++i) {
    const ValueId id{static_cast<int32_t>(i)};
    Statistics all;
    for (const std::unique_ptr<Worker>& worker : workers) {
      if (worker) all.merge(worker->seen[static_cast<size_t>(i)]);
    }
    if (all.samples == 0) continue;
    all.histogram = histograms[static_cast<size_t>(counted_at(golden, id))].histogram;
    calibration.emplace(golden[id].name, all);
  }
  return calibration;
}

}  // namespace openrknn
