// One item computed at a time, on whatever core is granted.
#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "core/executor/run.h"
#include "runtime/engine/custom_ops.h"
#include "runtime/engine/device.h"
#include "runtime/engine/loaded_model.h"
#include "runtime/engine/run_control.h"

namespace openrknn {

/// An input as the graph wants it.
struct FedInput {
  Tensor tensor;
  Layout layout = Layout::Logical;
};

struct ProfileRow {
  NodeId node;
  double microseconds;
};

/// Not thread-safe. A context has one, or one a core for a batch.
class Lane {
 public:
  struct Job {
    LoadedModel& model;
    Device& device;
    RunControl& control;
    CustomOps* custom = nullptr;  ///< the context's own code, if it has any
    size_t variant = 0;
    uint32_t core_mask = kAnyCore;
    Watch watch = Watch::Nothing;
    bool profiling = false;
    bool save_outputs = false;             ///< give the outputs back: whatever is computed next overwrites them
    std::span<std::byte> arena = {};       ///< memory of the caller to compute in; empty: memory of our own
    std::chrono::microseconds latency{0};  ///< the core is held at least that long
  };

  /// Waits for a core and computes. Gives the outputs if they are to be saved. Throws RunCancelled, RunTimedOut.
  std::vector<Tensor> compute(const Job&, const std::vector<std::optional<FedInput>>& inputs);

  /// The run whose results are valid; null before the first.
  const Run* finished() const { return finished_; }
  const std::vector<ProfileRow>& profile() const { return profile_; }
  int64_t microseconds() const { return microseconds_; }  ///< of the last item, from when it had a core
  /// Memory of former runs goes, results with it: the plan or its memory changes.
  void clear();

 private:
  struct PooledRun {
    const ThreadPool* pool;
    Run run;
  };
  Run& run_for(const Job&, ThreadPool&);
  void compute_steps(const Job&, Run&);

  std::vector<PooledRun> runs_;  // one per thread pool this lane has computed with
  const Run* finished_ = nullptr;
  int64_t microseconds_ = 0;
  std::vector<ProfileRow> profile_;
};

}  // namespace openrknn
