// The life of an engine: contexts, threads, closing.
#include "runtime/session/engine.h"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <cstring>
#include <thread>

#include "runtime/session/zero_copy.h"

namespace openrknn::session {
namespace {

/// Finished callbacks that may wait to be delivered: the documented limit of the callback queue. Running tasks come on
/// top, or a slow core would keep the others from running ahead.
constexpr size_t kCallbackQueueSize = 8;
constexpr size_t kKeptBlocks = 16;

// By Priority.
constexpr uint32_t kPriorityFlags[] = {RKNN_FLAG_PRIOR_HIGH, RKNN_FLAG_PRIOR_MEDIUM, RKNN_FLAG_PRIOR_LOW};

uint32_t init_flags(const SessionOptions& options) {
  uint32_t flags = kPriorityFlags[static_cast<size_t>(options.priority)];
  if (options.enable_sram) flags |= RKNN_FLAG_ENABLE_SRAM;
  if (options.collect_perf) flags |= RKNN_FLAG_COLLECT_PERF_MASK;
  return flags;
}

/// The core mask of a context for one core of the schedule; without a schedule all have the mask of tp_mode.
uint32_t mask_of(const SessionOptions& options, int64_t core) {
  return options.schedule.empty() ? options.core_mask : 1u << core;
}

/// The distinct cores of a schedule.
std::vector<int64_t> routes(std::vector<int64_t> schedule) {
  std::sort(schedule.begin(), schedule.end());
  schedule.erase(std::unique(schedule.begin(), schedule.end()), schedule.end());
  return schedule;
}

std::shared_ptr<ModelContext> weights_of(const Engine* master, const SessionOptions& options) {
  if (master == nullptr) return nullptr;
  if (wants_custom_ops(options)) throw SessionError("use_weight_from cannot be combined with custom-op loading");
  try {
    return master->first_context();
  } catch (const CancelledError&) {
    throw SessionError("use_weight_from must reference an initialized master session");
  }
}

}  // namespace

std::shared_ptr<Engine> Engine::open(const ModelSource& source, SessionOptions options, const Engine* use_weight_from) {
  // make_shared cannot reach the constructor.
  std::shared_ptr<Engine> engine(new Engine(source, std::move(options), use_weight_from));
  engine->start();
  return engine;
}

Engine::Engine(const ModelSource& source, SessionOptions options, const Engine* use_weight_from)
    : options_(std::move(options)),
      runtime_(open_runtime(options_.runtime_library)),
      weights_(weights_of(use_weight_from, options_)),
      path_(source.path),
      key_file_(source.key_file) {
  if (wants_custom_ops(options_)) {
    warn("Custom op loading requested; dup_context is disabled for this session to avoid known RKNN stability issues.");
  }
  first_ = std::make_shared<ModelContext>(runtime_, source, init_flags(options_), weights_);
  facts_ = read_facts(*first_, options_);
  output_specs_.emplace(facts_, options_);
  std::vector<std::unique_ptr<Lane>> lanes = make_lanes(source);
  if (is_outdated(facts_.api_version)) {
    warn(
        fmt::format("RKNN API version {} is likely outdated; behavior may be unstable. Recommended minimum "
                    "version is 2.4.1.",
                    facts_.api_version));
  }
  if (wants_custom_ops(options_)) {
    custom_ops_.load(options_, *runtime_, [this](const std::string& text) { warn(text); });
    for (const std::unique_ptr<Lane>& lane : lanes) {
      if (!custom_ops_.ops().empty()) lane->context->register_custom_ops(custom_ops_.ops());
    }
  }
  const size_t workers = lanes.size();
  SchedulerOptions scheduling;
  scheduling.schedule = options_.schedule;
  scheduling.dynamic = options_.dispatch == Dispatch::Dynamic;
  scheduling.max_waiting = static_cast<size_t>(options_.max_queue_size);
  scheduler_ = std::make_unique<Scheduler>(std::move(scheduling), std::move(lanes));
  const auto deliver = [this](Task& task) { hand_over(task); };
  const size_t window = kCallbackQueueSize + workers;
  callbacks_ = std::make_unique<Delivery>("rknn_callback", window, options_.sequential_callbacks,
                                          options_.callback_threads, deliver);
  futures_ = std::make_unique<Delivery>("rknn_future", window, false, 1, deliver);
  input_blocks_ = std::make_shared<BlockPool>(kKeptBlocks);
  output_blocks_ = std::make_shared<BlockPool>(kKeptBlocks);
  if (options_.enable_pacing) pacer_ = std::make_unique<Pacer>(workers);
  if (options_.warmup > 0) warm_up();
}

Engine::~Engine() = default;

void Engine::warn(const std::string& text) {
  warnings_.push_back(text);
  if (options_.on_warning) options_.on_warning(text);
}

/// Custom operators, shared weights and dynamic shapes do not go with rknn_dup_context.
bool Engine::may_duplicate() const {
  return !options_.disable_dup_context && !wants_custom_ops(options_) && !weights_ && !facts_.is_dynamic();
}

std::vector<std::unique_ptr<Lane>> Engine::make_lanes(const ModelSource& source) {
  std::vector<int64_t> cores = options_.schedule.empty() ? std::vector<int64_t>{0} : routes(options_.schedule);
  std::vector<std::unique_ptr<Lane>> lanes;
  const auto add_lane = [&](std::shared_ptr<ModelContext> context, int64_t core) {
    auto lane = std::make_unique<Lane>();
    lane->context = std::move(context);
    lane->index = lanes.size();
    lane->core = core;
    lanes.push_back(std::move(lane));
  };
  // A core the platform lacks is found with the first context, before others are made for it.
  if (!options_.strict_cores) {
    std::vector<int64_t> present;
    for (const int64_t core : cores) {
      try {
        first_->set_core_mask(mask_of(options_, core), 0);
        present.push_back(core);
      } catch (const SessionError& error) {
        warn(fmt::format("{} is left out: {}", options_.schedule.empty() ? "tp_mode" : fmt::format("core {}", core),
                         error.what()));
      }
    }
    if (present.empty()) {
      options_.schedule.clear();
      options_.core_mask = RKNN_NPU_CORE_AUTO;
      present = {0};
    }
    std::erase_if(options_.schedule,
                  [&](int64_t core) { return std::find(present.begin(), present.end(), core) == present.end(); });
    cores = present;
  }
  const size_t workers = static_cast<size_t>(options_.threads_per_core) * cores.size();
  for (size_t i = 0; i < workers; ++i) {
    const int64_t core = cores[i % cores.size()];
    std::shared_ptr<ModelContext> context = first_;
    if (i > 0) {
      context = may_duplicate() ? std::make_shared<ModelContext>(first_)
                                : std::make_shared<ModelContext>(runtime_, source, init_flags(options_), weights_);
    }
    context->set_core_mask(mask_of(options_, core), i);
    add_lane(std::move(context), core);
  }
  return lanes;
}

void Engine::start() {
  for (const std::unique_ptr<Lane>& lane : scheduler_->lanes()) {
    // Detached for the reason Delivery gives; each holds the engine until it is stopped.
    try {
      std::thread([engine = shared_from_this(), &lane = *lane] {
        pthread_setname_np(pthread_self(), fmt::format("rknn_w{}_c{}", lane.index, lane.core).substr(0, 15).c_str());
        engine->work(lane);
      }).detach();
    } catch (const std::system_error& error) {
      scheduler_->stop();
      throw SessionError(fmt::format("Cannot start worker {}: {}", lane->index, error.what()));
    }
  }
}

void Engine::work(Lane& lane) {
  while (Ticket* const ticket = scheduler_->next_for_worker(lane)) {
    auto& task = static_cast<Task&>(*ticket);
    execute(task);
    scheduler_->release(task);
    finish(task);
  }
}

void Engine::warm_up() {
  for (const std::unique_ptr<Lane>& lane : scheduler_->lanes()) {
    for (int64_t i = 0; i < options_.warmup; ++i) {
      BlockPointer zeros = input_blocks_->take();
      std::vector<rknn_input> inputs;
      for (const InputSpec& spec : facts_.input_specs) {
        BlockArray array{.rank = static_cast<uint32_t>(spec.arg.shape.size())};
        std::copy(spec.arg.shape.begin(), spec.arg.shape.end(), array.dims.begin());
        // Types that have no float form are fed as they are.
        if (spec.attr.type <= RKNN_TENSOR_BOOL && spec.attr.type >= RKNN_TENSOR_INT16) {
          array.type = static_cast<ElementType>(spec.attr.type);
        }
        zeros->arrays.push_back(array);
      }
      zeros->allocate();
      for (size_t input = 0; input < facts_.input_specs.size(); ++input) {
        const BlockArray& array = zeros->arrays[input];
        std::memset(zeros->data(input), 0, array.bytes());
        rknn_input request{};
        request.index = static_cast<uint32_t>(input);
        request.buf = zeros->data(input);
        request.size = static_cast<uint32_t>(array.bytes());
        request.type = static_cast<rknn_tensor_type>(array.type);
        request.fmt = facts_.input_specs[input].fmt;
        inputs.push_back(request);
      }
      lane->context->set_shapes(facts_.input_specs, 0);
      lane->context->set_inputs(inputs);
      lane->context->run();
    }
  }
}

std::shared_ptr<ZeroCopy> Engine::zero_copy() {
  const std::shared_ptr<ModelContext> first = first_context();
  const std::lock_guard lock(zero_copy_mutex_);
  if (zero_copy_) return zero_copy_;
  if (facts_.is_dynamic()) throw SessionError("io_binding does not support models with dynamic shapes");
  std::shared_ptr<ModelContext> context;
  if (may_duplicate()) {
    ask([&](ModelContext&) { context = std::make_shared<ModelContext>(first); });
  } else {
    if (path_.empty()) {
      throw SessionError(
          "io_binding needs one more context, which cannot be made from bytes without rknn_dup_context; open the model "
          "by its path");
    }
    context =
        std::make_shared<ModelContext>(runtime_, ModelSource{path_, {}, key_file_}, init_flags(options_), weights_);
    if (!custom_ops_.ops().empty()) context->register_custom_ops(custom_ops_.ops());
  }
  context->set_core_mask(mask_of(options_, options_.schedule.empty() ? 0 : options_.schedule.front()), 0);
  zero_copy_ = std::make_shared<ZeroCopy>(std::move(context), facts_, options_);
  return zero_copy_;
}

std::shared_ptr<ModelContext> Engine::first_context() const {
  const std::lock_guard lock(closing_mutex_);
  if (closing_) throw CancelledError("session closed");
  return first_;
}

void Engine::require_open() const {
  const std::lock_guard lock(closing_mutex_);
  if (closing_) throw CancelledError("session closed");
}

bool Engine::inside_callback() const { return callbacks_->is_this_thread() || futures_->is_this_thread(); }

bool Engine::close(bool drain, std::optional<std::chrono::milliseconds> timeout) {
  const Clock::time_point deadline = timeout ? Clock::now() + *timeout : Clock::time_point::max();
  bool first = false;
  {
    const std::lock_guard lock(closing_mutex_);
    first = !closing_;
    closing_ = true;
  }
  scheduler_->close();
  if (!drain) cancel_all("session closed");
  if (first) {
    // The end of the work may be this very thread's callback, so somebody else waits for it.
    try {
      std::thread([engine = shared_from_this()] { engine->finish_closing(); }).detach();
    } catch (const std::system_error&) {
      if (inside_callback()) return false;
      finish_closing();
    }
  }
  if (inside_callback()) return false;
  std::unique_lock lock(closing_mutex_);
  if (closed_changed_.wait_until(lock, deadline, [&] { return closed_; })) return true;
  lock.unlock();
  cancel_all("session closed");  // what has not begun in time will not
  return false;
}

void Engine::finish_closing() {
  scheduler_->wait_idle();  // closed: nothing new comes
  callbacks_->stop();
  futures_->stop();
  scheduler_->stop();
  for (const std::unique_ptr<Lane>& lane : scheduler_->lanes()) lane->context.reset();
  {
    const std::lock_guard lock(zero_copy_mutex_);
    zero_copy_.reset();  // device arrays that still exist keep it
  }
  const std::lock_guard lock(closing_mutex_);
  first_.reset();
  closed_ = true;
  closed_changed_.notify_all();
}

}  // namespace openrknn::session
