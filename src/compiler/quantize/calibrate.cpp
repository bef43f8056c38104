// Runs the golden graph over the samples and watches every float value. One single-threaded Run a worker over one
// shared Plan: memory depends on the number of workers, never on that of samples.
#include <fmt/format.h>

#include <atomic>
#include <cmath>
#include <mutex>

#include "compiler/quantize/quantize.h"
#include "core/executor/run.h"

namespace openrknn {
namespace {

/// What a worker keeps between samples.
struct Worker {
  ThreadPool inline_pool{1};
  Run run;
  std::vector<Statistics> seen;  // by value id

  Worker(const std::shared_ptr<const Plan>& plan, const Graph& golden)
      : run(plan, inline_pool), seen(static_cast<size_t>(golden.value_count())) {}
};

bool is_watched(const Graph& golden, ValueId id) { return id != ValueId::None && is_floating(golden[id].dtype); }

/// The same elements in another order: what was seen going in need not be counted again.
bool only_reorders(const Node& node) {
  return node.op == "Reshape" || node.op == "Transpose" || node.op == "DepthToSpace" || node.op == "SpaceToDepth";
}

std::string not_finite_text(const Statistics& seen, const std::string& sample) {
  return fmt::format("{} of {} elements are NaN or infinite in {}", seen.not_finite, seen.elements, sample);
}

/// Statistics of one value of one sample; refused by `code` if anything is not finite.
Statistics observe(int64_t sample, std::span<const float> values, Code code, const Location& where,
                   const Samples& samples) {
  Statistics seen;
  seen.observe(sample, values);
  if (seen.not_finite > 0) {
    fail(code, where, not_finite_text(seen, samples.describe(sample)),
         code == Code::DatasetNotFinite
             ? "repair or remove the sample"
             : "the float model itself gives this for the sample: check mean and std, or remove the sample");
  }
  return seen;
}

void observe_sample(const Graph& golden, const Samples& samples, int64_t sample, Worker& worker) {
  const std::vector<Tensor> inputs = samples.get(sample);
  if (inputs.size() != golden.inputs.size()) {
    fail(Code::DatasetBadLine, Location{.file = samples.describe(sample)},
         fmt::format("the sample holds {} arrays, expected {} (one per input of the model)", inputs.size(),
                     golden.inputs.size()));
  }
  std::vector<Statistics> now(worker.seen.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    const ValueId id = golden.inputs[i];
    if (is_watched(golden, id)) {
      const Tensor floats = inputs[i].dtype() == DType::Float32 ? inputs[i] : cast(inputs[i], DType::Float32);
      now[static_cast<size_t>(id)] =
          observe(sample, floats.values<float>(), Code::DatasetNotFinite, {.tensor = golden[id].name}, samples);
    }
    worker.run.set(id, inputs[i]);
  }
  for (NodeId node = worker.run.step(); node != NodeId::None; node = worker.run.step()) {
    for (const ValueId id : golden[node].outputs) {
      if (!is_watched(golden, id)) continue;
      Statistics& seen = now[static_cast<size_t>(id)];
      const ValueId source = golden[node].inputs.empty() ? ValueId::None : golden[node].inputs[0];
      if (only_reorders(golden[node]) && now[static_cast<size_t>(source)].samples > 0) {
        seen = now[static_cast<size_t>(source)];
        continue;
      }
      Location where = golden.where(node);  // steps run in order: the first node to give such a value
      where.tensor = golden[id].name;
      if (golden[id].dtype == DType::Float32) {
        const std::span<const std::byte> raw = worker.run.raw(id);
        const std::span values(reinterpret_cast<const float*>(raw.data()), raw.size() / sizeof(float));
        seen = observe(sample, values, Code::QuantizeNotFinite, where, samples);
      } else {
        const Tensor floats = cast(worker.run.get(id), DType::Float32);
        seen = observe(sample, floats.values<float>(), Code::QuantizeNotFinite, where, samples);
      }
    }
  }
  for (size_t i = 0; i < now.size(); ++i) worker.seen[i].merge(now[i]);
}

}  // namespace

Calibration calibrate(const Graph& golden, const Samples& samples, ThreadPool& pool, const Progress& progress) {
  const int64_t count = samples.count();
  if (count == 0) fail(Code::DatasetEmpty, "there are no samples to calibrate with", "give at least one sample");
  Weights weights;
  const std::shared_ptr<const Plan> shared = plan(golden, Arithmetic{}, PlanOptions{}, weights);

  std::vector<std::unique_ptr<Worker>> workers(static_cast<size_t>(pool.threads()));
  std::mutex progress_mutex;
  int64_t done = 0;
  pool.parallel_for(count, [&](int64_t sample, int thread) {
    std::unique_ptr<Worker>& worker = workers[static_cast<size_t>(thread)];
    if (!worker) worker = std::make_unique<Worker>(shared, golden);
    observe_sample(golden, samples, sample, *worker);
    if (progress) {
      const std::scoped_lock lock(progress_mutex);
      progress("calibrate", ++done, count);
    }
  });

  Calibration calibration;
  for (int64_t i = 0; i < golden.value_count(); ++i) {
    const ValueId id{static_cast<int32_t>(i)};
    Statistics all;
    for (const std::unique_ptr<Worker>& worker : workers) {
      if (worker) all.merge(worker->seen[static_cast<size_t>(i)]);
    }
    if (all.samples > 0) calibration.emplace(golden[id].name, all);
  }
  return calibration;
}

}  // namespace openrknn
