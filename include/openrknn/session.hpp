// InferenceSession for C++: a .rknn model behind the calls ONNX Runtime users know. Speaks only the public RKNN C API,
// through dlopen, so it drives OpenRKNN's librknnrt (simulator or board) and any other one alike. C++20, Apache-2.0.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "openrknn/session_options.hpp"
#include "openrknn/session_types.hpp"

namespace openrknn {

class IoBinding;
class Session;

namespace session {
class Engine;
}

struct RunOptions {
  bool dispatch_batch = false;  ///< ztu_modelrt_dispatch_batch: dimension 0 of the arrays is split into tasks
  /// run() gives up after so long (TimeoutError); the task itself goes on until the runtime returns. 0: never.
  int64_t timeout_ms = 0;
};

/// How long the parts of one task took, microseconds; 0 for what it did not come to.
struct TaskDurations {
  double queue = 0, set_inputs = 0, run = 0, get_outputs = 0;
};

/// What a callback is given. `error` is empty on success; `failure` is then null and `outputs` complete.
struct Completion {
  std::vector<Array> outputs;
  std::string error;
  std::exception_ptr failure;  ///< the SessionError behind `error`
  TaskDurations durations = {};
};
using Callback = std::function<void(Completion&&)>;
using OutputNames = std::optional<std::vector<std::string>>;  ///< nothing or empty: all outputs

/// Durations of the last tasks, microseconds.
struct Percentiles {
  double p50 = 0, p95 = 0;
};
/// A picture of a session at one moment.
struct SessionStatistics {
  uint64_t submitted = 0, completed = 0, failed = 0, cancelled = 0;
  size_t waiting = 0, running = 0, undelivered = 0;
  Percentiles queue, set_inputs, run, get_outputs, callback;  ///< of the last 1024 tasks
  std::vector<uint64_t> tasks_per_worker;
};

/// Sizes the runtime reports (RKNN_QUERY_MEM_SIZE), bytes, of one context.
struct MemoryInfo {
  uint64_t weights = 0, internal = 0, total = 0, sram_total = 0, sram_free = 0;
};

/// A value of the model after a run: dense, in logical (NCHW) order.
struct LayerValue {
  std::string name;   ///< as asked for
  std::string dtype;  ///< "f32", "f16", "i8": docs/graph_text.md; of quantized values the codes
  std::vector<int64_t> shape;
  std::vector<std::byte> bytes;
};

/// One core since the process began.
struct CoreCounters {
  uint64_t jobs = 0;
  double busy_seconds = 0;
};
/// What computes, as OpenRKNN's own runtime tells it; of another one nothing is known.
struct DeviceInfo {
  std::string target;         ///< "rk3588"
  int simulator_threads = 0;  ///< 0 on hardware, and unknown
  std::vector<CoreCounters> cores;
};

/// The runtime library that sessions would open, before there is one.
struct RuntimeInfo {
  std::string path;
  std::string version;       ///< as Session::api_version; empty: another library than ours tells it with a model only
  bool is_openrknn = false;  ///< ours: the simulator
};
/// Throws SessionError naming the places that were searched. `wanted` as SessionOptions::runtime_library.
RuntimeInfo runtime_info(const std::string& wanted = {});

/// Thread-safe: any call from any thread, also from callbacks. How tasks wait, which worker takes them and when
/// callbacks come is docs/session.md.
class Session {
 public:
  /// Throws SessionError: no runtime, unreadable model, unsupported options; nothing is left behind then.
  explicit Session(const std::filesystem::path& model, SessionOptions options = {},
                   const Session* use_weight_from = nullptr);
  /// The bytes are the caller's again afterwards.
  explicit Session(std::span<const std::byte> model, SessionOptions options = {},
                   const Session* use_weight_from = nullptr);
  ~Session();  ///< close(false), waiting at most ten seconds for runs that hang
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  const std::vector<NodeArg>& inputs() const;
  const std::vector<NodeArg>& outputs() const;
  /// As the runtime wants the memory of IoBinding laid out.
  const std::vector<NodeArg>& native_inputs() const;
  const std::vector<NodeArg>& native_outputs() const;

  /// The source model's properties and the custom string ("rknn_custom_string"), where the runtime knows them.
  const std::map<std::string, std::string>& custom_metadata_map() const;

  /// Blocks until the outputs are there. Arrays need not be dense; they are read before the call returns. Throws
  /// SessionError with the documented texts, TimeoutError if no place in the queue came free in submit_timeout_ms.
  std::vector<Array> run(const OutputNames&, const Feed&, const RunOptions& = {});

  /// Copies the arrays, returns as soon as the task has a place in the queue; `callback` is called exactly once, from a
  /// thread of the session, also if the task fails or is cancelled. Returns the task's number.
  uint64_t run_async(const OutputNames&, const Feed&, Callback callback, const RunOptions& = {});
  /// As run_async, but callbacks come in the order of completion from a thread of their own: what futures are made of.
  /// Without `wait` a full queue is a TimeoutError at once.
  uint64_t run_unordered(const OutputNames&, const Feed&, Callback callback, bool wait = true);
  std::future<std::vector<Array>> submit(const OutputNames&, const Feed&);

  /// Submits, and once `depth` tasks are on their way gives the oldest result: the first `depth` calls give nothing.
  /// `reset`, or another depth, drops what is on its way first.
  std::optional<std::vector<Array>> run_pipeline(const Feed&, int64_t depth = 3, bool reset = false);
  /// The results that are still on their way, in order.
  std::vector<std::vector<Array>> pipeline_drain();
  size_t pipeline_pending() const;

  /// Takes a task back that has not begun; its callback is told "task cancelled". False: it runs, is done or unknown.
  bool cancel(uint64_t task);
  /// Takes back all that have not begun; gives their number.
  size_t cancel();

  /// An empty binding of device memory to inputs and outputs.
  IoBinding io_binding();

  /// Refuses new work, then lets queued tasks run (`drain`) or cancels them, and returns when every completion was
  /// delivered and the contexts are gone. False: `timeout` passed, or it was called from a callback; the rest is then
  /// done in the background. Later calls change nothing.
  bool close(bool drain = true, std::optional<std::chrono::milliseconds> timeout = {});

  SessionStatistics stats() const;
  /// Records what every task does from now on (at most the last 65536); end_profiling gives it as Chrome trace JSON.
  void start_profiling();
  std::string end_profiling();
  /// The runtime's own table of layers of the last run of the first context (needs collect_perf).
  std::string perf_detail() const;
  MemoryInfo memory_info() const;

  /// Runs once, on the first context, and gives these values of the model: outputs and everything between, by the names
  /// of values or of the source model's tensors. Throws SessionError: names that are none, all of them; a runtime other
  /// than OpenRKNN's, which keeps no values.
  std::vector<LayerValue> values(const Feed&, const std::vector<std::string>& names);
  /// Waits for no place in the queue, at most for the run that is under way.
  DeviceInfo device_info() const;

  /// Moves all workers to these cores: 0 AUTO, 1, 2, 4, 3, 7, 0xffff; takes effect between tasks. Only without a
  /// schedule.
  void set_core_mask(uint32_t mask);

  const SessionOptions& options() const;
  /// What the runtime calls itself, "2.4.1-openrknn-0.1.0 (…)", and where it was found.
  const std::string& api_version() const;
  const std::string& driver_version() const;
  const std::string& runtime_path() const;
  /// Sentences a caller should be told once (old runtime, left out cores).
  const std::vector<std::string>& warnings() const;

 private:
  friend class DeviceArray;
  friend class IoBinding;
  struct State;
  session::Engine* engine() const;
  std::shared_ptr<State> state_;
};

}  // namespace openrknn
