// One user of a loaded model: its inputs, its runs, its outputs. What rknn_context stands for.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/model/ports.h"
#include "runtime/engine/lane.h"

namespace openrknn {

/// How long a run of one item holds its core at least, so that scheduling can be watched off-board.
struct Latency {
  std::chrono::microseconds fixed{0};
  bool estimated = false;  ///< as long as the target is estimated to take (docs/estimates.md), in place of `fixed`
};

/// Not thread-safe but for cancel(): the caller locks. Contexts of one model may run at the same time.
///
/// A batch is split where it comes in and joined where it goes out: in between every item has inputs, a run and outputs
/// of its own, the same as it would have alone.
class Context {
 public:
  Context(std::shared_ptr<LoadedModel>, std::shared_ptr<Device>);

  /// A fresh context on the same model and device (weights and latency shared, nothing else).
  std::unique_ptr<Context> duplicate() const;

  const Model& model() const { return model_->model(); }
  const std::shared_ptr<LoadedModel>& loaded() const { return model_; }
  Device& device() const { return *device_; }

  /// The set of input shapes that is active; the largest (0) at first.
  size_t variant() const { return variant_; }
  /// Forgets inputs and results if that is another set.
  void set_variant(size_t);
  const Graph& graph() const { return custom_ ? custom_->graph(variant_) : model().variants[variant_]; }
  /// How the active shapes are computed now.
  std::shared_ptr<const Plan> plan() const;
  /// Of the active shapes, with the extent of the whole batch.
  const Value& input(size_t index) const { return model_->outside(variant_).inputs[index]; }
  const Value& output(size_t index) const { return model_->outside(variant_).outputs[index]; }

  /// Converts and keeps the array (to_graph); it stays set for any number of runs.
  void set_input(size_t index, const Tensor& array, PortLayout given, bool pass_through);
  void set_core_mask(uint32_t mask) { core_mask_ = mask; }
  /// How many items of a batch are computed at once; 0: as many as there are cores.
  void set_batch_cores(int cores) { batch_cores_ = cores; }
  /// The following runs time every step.
  void set_profiling(bool on);
  /// The following runs keep every value readable.
  void set_keep_values(bool on);
  /// Every item holds its core at least that long.
  void set_latency(Latency);

  /// Memory that runs need beside weights, inputs and outputs: enough for every shape and all lanes of a batch.
  int64_t internal_bytes() const;
  /// Computes in this memory, which stays the caller's: internal_bytes(). Others may use it between runs, because
  /// results are copied out of it. Empty: memory of our own.
  void use_internal_memory(std::span<std::byte>);

  /// Code for the model's custom operators, and for built-in ones of the same name (CustomOps::add). Returns the number
  /// of nodes it computes from now on. A duplicate() starts without any.
  int64_t register_custom_ops(std::span<const CustomOperator>);
  /// Destroys that code, on this thread. What it computed cannot run any more.
  void release_custom_ops();

  /// Throws Error (RuntimeInputNotSet) naming the inputs that were never set; `coming[i]`: input i will be.
  void require_inputs(const std::vector<bool>& coming = {}) const;
  /// Throws Error (RuntimeUnregisteredOp) naming the custom operators without code.
  void require_custom_code() const;
  /// Waits for a core and computes. Throws as require_custom_code() and require_inputs(), RunCancelled, RunTimedOut.
  void run(std::optional<RunControl::Clock::time_point> deadline = std::nullopt);
  /// Stops the run under way, or the next one, before its next step. From any thread.
  void cancel();

  /// Source order; see from_graph. Throws Error (RuntimeNotInitialized) before the first run.
  Tensor output_array(size_t index, bool want_float) const;
  /// Any value the last run kept, logical order; of a batch, that of the last item. Throws Error (GraphUnknownName,
  /// RuntimeNotInitialized).
  Tensor value(std::string_view name) const;
  /// The same as float32, codes as what they stand for.
  Tensor real_value(std::string_view name) const;

  uint64_t runs() const { return runs_; }
  int64_t last_run_microseconds() const { return last_run_microseconds_; }
  /// Steps of the last profiled run; of a batch, those of the last item.
  const std::vector<ProfileRow>& profile() const { return lanes_[last_lane_].profile(); }

 private:
  int64_t items() const { return model().batch; }
  int most_lanes() const;
  Lane::Job job(size_t lane);
  uint32_t mask_of_lane(size_t lane) const;
  void run_batch();
  void forget_results();
  const Run& finished_run() const;
  Tensor item_output(int64_t item, size_t index) const;
  Watch watch() const;

  std::shared_ptr<LoadedModel> model_;
  std::shared_ptr<Device> device_;
  size_t variant_ = 0;
  std::unique_ptr<CustomOps> custom_;  // first: graph() asks it; its instances outlive the runs that call them
  uint32_t core_mask_ = kAnyCore;
  int batch_cores_ = 0;
  bool profiling_ = false, keep_values_ = false;
  Latency latency_;
  std::chrono::microseconds latency_of_item_{0};  ///< with the active shapes
  std::span<std::byte> internal_memory_;
  RunControl control_;
  std::vector<std::vector<std::optional<FedInput>>> inputs_;  // by item, then by input
  std::vector<Lane> lanes_;                                   // one, or one for each core a batch may use
  size_t last_lane_ = 0;                                      // that computed the last item
  std::vector<std::vector<Tensor>> saved_outputs_;            // by item, where the lanes do not keep them
  uint64_t runs_ = 0;
  bool finished_ = false;
  int64_t last_run_microseconds_ = 0;
};

}  // namespace openrknn
