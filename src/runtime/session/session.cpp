// openrknn::Session: the public face. Forwards; what happens is in the engine.
#include "openrknn/session.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstring>
#include <new>

#include "openrknn/io_binding.hpp"
#include "runtime/session/engine.h"
#include "runtime/session/pipeline.h"
#include "runtime/session/zero_copy.h"

namespace openrknn {

using namespace session;

namespace {

/// A destructor must end even if the runtime does not; what hangs is then left to the background.
constexpr std::chrono::milliseconds kPatience = std::chrono::seconds(10);

}  // namespace

/// The engine and what belongs to one face of it.
struct Session::State {
  std::shared_ptr<Engine> engine;
  Pipeline pipeline;
  const pid_t process = getpid();

  /// After fork the threads are the parent's alone, and so is the device.
  bool is_forked() const { return process != getpid(); }

  State(const ModelSource& source, SessionOptions options, const Session* weights)
      : engine(Engine::open(source, std::move(options), weights == nullptr ? nullptr : weights->engine())) {}
};

session::Engine* Session::engine() const {
  if (!state_) throw SessionError("the session was moved from");
  if (state_->is_forked()) {
    throw SessionError(fmt::format("the session belongs to process {}, which opened it; open another one after fork",
                                   state_->process));
  }
  return state_->engine.get();
}

Session::Session(const std::filesystem::path& model, SessionOptions options, const Session* use_weight_from)
    : state_(
          std::make_shared<State>(ModelSource{model.string(), {}, options.model_key_file}, options, use_weight_from)) {}
Session::Session(std::span<const std::byte> model, SessionOptions options, const Session* use_weight_from)
    : state_(std::make_shared<State>(ModelSource{{}, model, options.model_key_file}, options, use_weight_from)) {}
Session::~Session() {
  if (!state_) return;
  if (state_->is_forked()) {
    static_cast<void>(new (std::nothrow) std::shared_ptr<State>(state_));  // not ours to take apart: kept for ever
    return;
  }
  close(false, kPatience);
}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&& other) noexcept {
  const Session replaced(std::move(*this));
  state_ = std::move(other.state_);
  return *this;
}

const std::vector<NodeArg>& Session::inputs() const { return engine()->facts().inputs; }
const std::vector<NodeArg>& Session::outputs() const { return engine()->facts().outputs; }
const std::map<std::string, std::string>& Session::custom_metadata_map() const { return engine()->facts().metadata; }
const std::vector<NodeArg>& Session::native_inputs() const { return engine()->zero_copy()->native_inputs(); }
const std::vector<NodeArg>& Session::native_outputs() const { return engine()->zero_copy()->native_outputs(); }

std::vector<Array> Session::run(const OutputNames& names, const Feed& feed, const RunOptions& options) {
  if (options.timeout_ms < 0) throw OptionError("timeout_ms must be >= 0");
  if (options.dispatch_batch) return engine()->run_batch(names, feed, options.timeout_ms);
  return options.timeout_ms > 0 ? engine()->run_within(names, feed, options.timeout_ms) : engine()->run(names, feed);
}

uint64_t Session::run_async(const OutputNames& names, const Feed& feed, Callback callback, const RunOptions& options) {
  if (options.dispatch_batch) throw SessionError("run_async does not support ztu_modelrt_dispatch_batch=True");
  if (options.timeout_ms != 0) throw OptionError("run_async does not support timeout_ms: nobody waits for it");
  return engine()->run_async(names, feed, std::move(callback), true);
}

uint64_t Session::run_unordered(const OutputNames& names, const Feed& feed, Callback callback, bool wait) {
  return engine()->run_async(names, feed, std::move(callback), false, wait);
}

std::future<std::vector<Array>> Session::submit(const OutputNames& names, const Feed& feed) {
  const auto promise = std::make_shared<std::promise<std::vector<Array>>>();
  std::future<std::vector<Array>> future = promise->get_future();
  run_unordered(names, feed, [promise](Completion&& completion) {
    if (completion.failure) {
      promise->set_exception(completion.failure);
    } else {
      promise->set_value(std::move(completion.outputs));
    }
  });
  return future;
}

std::optional<std::vector<Array>> Session::run_pipeline(const Feed& feed, int64_t depth, bool reset) {
  return state_->pipeline.run(*engine(), feed, depth, reset);
}
std::vector<std::vector<Array>> Session::pipeline_drain() {
  engine();
  return state_->pipeline.drain();
}
size_t Session::pipeline_pending() const {
  engine();
  return state_->pipeline.pending();
}

bool Session::cancel(uint64_t task) { return engine()->cancel(task); }
size_t Session::cancel() { return engine()->cancel_all("task cancelled"); }
bool Session::close(bool drain, std::optional<std::chrono::milliseconds> timeout) {
  if (state_ && state_->is_forked()) return true;
  return engine()->close(drain, timeout);
}

IoBinding Session::io_binding() { return IoBinding(engine()->zero_copy()); }

SessionStatistics Session::stats() const { return engine()->stats(); }
void Session::start_profiling() { engine()->recorder().start_trace(); }
std::string Session::end_profiling() { return engine()->recorder().end_trace(); }

std::string Session::perf_detail() const {
  std::string text;
  engine()->ask([&](ModelContext& context) {
    const auto detail = context.query<rknn_perf_detail>(RKNN_QUERY_PERF_DETAIL, "rknn_query(RKNN_QUERY_PERF_DETAIL)");
    if (detail.perf_data != nullptr) text.assign(detail.perf_data, strnlen(detail.perf_data, detail.data_len));
  });
  return text;
}

MemoryInfo Session::memory_info() const {
  MemoryInfo info;
  engine()->ask([&](ModelContext& context) {
    const auto sizes = context.query<rknn_mem_size>(RKNN_QUERY_MEM_SIZE, "rknn_query(RKNN_QUERY_MEM_SIZE)");
    info = {sizes.total_weight_size, sizes.total_internal_size, sizes.total_dma_allocated_size, sizes.total_sram_size,
            sizes.free_sram_size};
  });
  return info;
}

std::vector<LayerValue> Session::values(const Feed& feed, const std::vector<std::string>& names) {
  return engine()->values(feed, names);
}
DeviceInfo Session::device_info() const { return engine()->device_info(); }

void Session::set_core_mask(uint32_t mask) { engine()->set_core_mask(mask); }

const SessionOptions& Session::options() const { return engine()->options(); }
const std::string& Session::api_version() const { return engine()->facts().api_version; }
const std::string& Session::driver_version() const { return engine()->facts().driver_version; }
const std::string& Session::runtime_path() const { return engine()->runtime().path; }
const std::vector<std::string>& Session::warnings() const { return engine()->warnings(); }

}  // namespace openrknn
