// What stands behind a Session: the contexts, the scheduler that shares them out, the threads that run and deliver.
// Everything that outlives a call holds the engine, never the Session: whoever drops it may be gone first.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "openrknn/session.hpp"
#include "runtime/session/block.h"
#include "runtime/session/custom_ops.h"
#include "runtime/session/delivery.h"
#include "runtime/session/model_facts.h"
#include "runtime/session/pacer.h"
#include "runtime/session/recorder.h"
#include "runtime/session/scheduler.h"
#include "runtime/session/task.h"

namespace openrknn::session {

/// How submissions name themselves in messages.
enum class Caller : uint8_t { Run, RunAsync };

class Waiter;
class ZeroCopy;

/// Thread-safe.
class Engine : public std::enable_shared_from_this<Engine> {
 public:
  /// Opens everything, starts the threads last; nothing is left behind on failure.
  static std::shared_ptr<Engine> open(const ModelSource&, SessionOptions, const Engine* use_weight_from);
  ~Engine();

  const SessionOptions& options() const { return options_; }
  const ModelFacts& facts() const { return facts_; }
  const RuntimeLibrary& runtime() const { return *runtime_; }
  const std::vector<std::string>& warnings() const { return warnings_; }
  Recorder& recorder() { return recorder_; }

  /// Indices of the named outputs; all for none. Throws SessionError.
  void select(const OutputNames&, std::vector<size_t>& selection) const;

  /// On this thread, with a lane of its own for as long as it takes.
  std::vector<Array> run(const OutputNames&, const Feed&);
  /// On a worker: this thread may give up waiting.
  std::vector<Array> run_within(const OutputNames&, const Feed&, int64_t timeout_ms);
  std::vector<LayerValue> values(const Feed&, const std::vector<std::string>& names);
  DeviceInfo device_info() const;
  std::vector<Array> run_batch(const OutputNames&, const Feed&, int64_t timeout_ms);
  uint64_t run_async(const OutputNames&, const Feed&, Callback, bool ordered, bool wait = true);
  /// A task whose result `waiter` gets. Gives its number.
  uint64_t submit(const std::vector<size_t>& selection, const Feed&, const std::shared_ptr<Waiter>&);

  bool cancel(uint64_t task);
  size_t cancel_all(const char* reason);
  bool close(bool drain, std::optional<std::chrono::milliseconds> timeout);
  /// Throws SessionError once close() was called.
  void require_open() const;

  SessionStatistics stats() const;
  void set_core_mask(uint32_t mask);
  /// Calls `question` with the first context while nobody else uses it.
  void ask(const std::function<void(ModelContext&)>& question);

  /// Device memory of this model, with a context of its own, made when first asked for. Throws SessionError.
  std::shared_ptr<ZeroCopy> zero_copy();
  /// The context whose weights others may share.
  std::shared_ptr<ModelContext> first_context() const;

 private:
  struct TaskReturn {
    Engine* engine;
    void operator()(Task* task) const { engine->give_back(task); }
  };
  using TaskPointer = std::unique_ptr<Task, TaskReturn>;

  Engine(const ModelSource&, SessionOptions, const Engine* use_weight_from);
  void start();
  void warn(const std::string&);
  std::vector<std::unique_ptr<Lane>> make_lanes(const ModelSource&);
  bool may_duplicate() const;
  void warm_up();
  void work(Lane&);
  void execute(Task&) noexcept;
  void execute_on_lane(Task&);
  void finish(Task&) noexcept;
  void abandon(Task&, const char* reason) noexcept;
  void hand_over(Task&) noexcept;
  TaskPointer take_task();
  void give_back(Task*) noexcept;
  void set_fetched(Task&) const;
  Clock::time_point pace(Caller);
  bool inside_callback() const;
  void finish_closing();

  SessionOptions options_;
  std::vector<std::string> warnings_;
  const std::shared_ptr<const RuntimeLibrary> runtime_;
  CustomOps custom_ops_;  // before the contexts: destroyed after them
  std::shared_ptr<ModelContext> first_;
  const std::shared_ptr<ModelContext> weights_;  // of another session
  ModelFacts facts_;
  std::optional<OutputSpecs> output_specs_;
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<Delivery> callbacks_, futures_;
  std::shared_ptr<BlockPool> input_blocks_, output_blocks_;
  std::unique_ptr<Pacer> pacer_;
  Recorder recorder_;
  std::mutex tasks_mutex_;
  std::vector<std::unique_ptr<Task>> tasks_;

  std::string path_, key_file_;  // to make a further context where duplicates are not possible
  std::mutex zero_copy_mutex_;
  std::shared_ptr<ZeroCopy> zero_copy_;

  mutable std::mutex closing_mutex_;
  std::condition_variable closed_changed_;
  bool closing_ = false, closed_ = false;
};

}  // namespace openrknn::session
