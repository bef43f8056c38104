// One user of a loaded model: its inputs, its runs, its outputs. What rknn_context stands for.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/executor/run.h"
#include "core/model/ports.h"
#include "runtime/engine/device.h"
#include "runtime/engine/loaded_model.h"

namespace openrknn {

struct ProfileRow {
  NodeId node;
  double microseconds;
};

/// Not thread-safe: the caller locks. Contexts of one model may run at the same time.
class Context {
 public:
  Context(std::shared_ptr<LoadedModel>, std::shared_ptr<Device>);

  /// A fresh context on the same model and device (weights shared, nothing else).
  std::unique_ptr<Context> duplicate() const;

  const Model& model() const { return model_->model(); }
  LoadedModel& loaded() const { return *model_; }
  Device& device() const { return *device_; }
  const Graph& graph() const { return model().variants[variant_]; }
  const Value& input(size_t index) const { return graph()[graph().inputs[index]]; }
  const Value& output(size_t index) const { return graph()[graph().outputs[index]]; }

  /// Converts and keeps the array (to_graph); it stays set for any number of runs.
  void set_input(size_t index, const Tensor& array, PortLayout given, bool pass_through);
  void set_core_mask(uint32_t mask) { core_mask_ = mask; }
  /// 1: the following runs time every step. / 1: they keep every value readable.
  void set_profiling(bool on) { profiling_ = on; }
  void set_keep_values(bool on);

  /// Waits for a core and computes. Throws Error (RuntimeInputNotSet) naming the inputs that were never set.
  void run();

  /// Source order; see from_graph. Throws Error (RuntimeNotInitialized) before the first run.
  Tensor output_array(size_t index, bool want_float) const;
  /// Any value the last run kept, logical order. Throws Error (GraphUnknownName, RuntimeNotInitialized).
  Tensor value(std::string_view name) const;

  uint64_t runs() const { return runs_; }
  int64_t last_run_microseconds() const { return last_run_microseconds_; }
  const std::vector<ProfileRow>& profile() const { return profile_; }

 private:
  struct Input {
    Tensor tensor;
    Layout layout = Layout::Logical;
  };
  struct PooledRun {
    const ThreadPool* pool;
    Run run;
  };
  Run& run_for(ThreadPool&);
  const Run& finished_run() const;
  void require_inputs() const;

  std::shared_ptr<LoadedModel> model_;
  std::shared_ptr<Device> device_;
  size_t variant_ = 0;
  uint32_t core_mask_ = kAnyCore;
  bool profiling_ = false, keep_values_ = false;
  std::vector<std::optional<Input>> inputs_;
  std::vector<PooledRun> run_list_;  // one per thread pool this context has computed with
  size_t last_ = 0;                  // index of the run whose results are valid
  uint64_t runs_ = 0;
  bool finished_ = false;
  int64_t last_run_microseconds_ = 0;
  std::vector<ProfileRow> profile_;
};

}  // namespace openrknn
