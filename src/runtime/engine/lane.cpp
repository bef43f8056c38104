#include "runtime/engine/lane.h"

#include <algorithm>

namespace openrknn {
namespace {

using Clock = RunControl::Clock;

double microseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

}  // namespace

void Lane::clear() {
  finished_ = nullptr;
  runs_.clear();
  profile_.clear();
}

Run& Lane::run_for(const Job& job, ThreadPool& pool) {
  const auto found = std::find_if(runs_.begin(), runs_.end(), [&](const PooledRun& r) { return r.pool == &pool; });
  if (found != runs_.end()) return found->run;
  std::shared_ptr<const Plan> plan = job.custom != nullptr ? job.custom->plan(job.model, job.variant, job.watch)
                                                           : job.model.plan(job.variant, job.watch);
  // The memory of the caller is as large as was reported: without room for every value, or for conversions around
  // custom code.
  const bool inside = job.arena.empty() || job.watch == Watch::Values ||
                      summary(*plan).arena_bytes > static_cast<int64_t>(job.arena.size());
  runs_.push_back({&pool, inside ? Run(std::move(plan), pool) : Run(std::move(plan), pool, job.arena)});
  return runs_.back().run;
}

void Lane::compute_steps(const Job& job, Run& run) {
  profile_.clear();
  for (;;) {
    job.control.check();
    const Clock::time_point start = job.profiling ? Clock::now() : Clock::time_point{};
    const NodeId node = run.step();
    if (node == NodeId::None) return;
    if (job.profiling) profile_.push_back({node, microseconds_since(start)});
  }
}

std::vector<Tensor> Lane::compute(const Job& job, const std::vector<std::optional<FedInput>>& inputs) {
  const auto lease = job.device.cores().acquire(job.core_mask, job.control);
  const Clock::time_point start = Clock::now();
  finished_ = nullptr;
  Run& run = run_for(job, lease->pool());
  const Graph& graph = job.model.model().variants[job.variant];
  run.restart();  // a run that was stopped half way is not continued
  {
    const ThreadPool::Expecting expecting(lease->pool());
    for (size_t i = 0; i < inputs.size(); ++i) run.set(graph.inputs[i], inputs[i]->tensor, inputs[i]->layout);
    compute_steps(job, run);
  }
  std::vector<Tensor> outputs;
  if (job.save_outputs) {
    for (const ValueId id : graph.outputs) outputs.push_back(run.get(id));
  }
  if (job.latency.count() > 0) job.control.sleep_until(start + job.latency);
  finished_ = &run;
  microseconds_ = static_cast<int64_t>(microseconds_since(start));
  return outputs;
}

}  // namespace openrknn
