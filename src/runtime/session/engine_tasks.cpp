// A task's way: checked and copied, a place in the queue, a lane, results, completion.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "runtime/session/engine.h"
#include "runtime/session/waiter.h"

namespace openrknn::session {
namespace {

constexpr const char* kSaturated[] = {"run submit timed out: async queue/callback pipeline is saturated",
                                      "run_async submit timed out: async queue/callback pipeline is saturated"};

void require_admitted(Scheduler::Admission admission, Caller caller) {
  if (admission == Scheduler::Admission::Full) throw TimeoutError(kSaturated[static_cast<size_t>(caller)]);
  if (admission == Scheduler::Admission::Closed) throw CancelledError("session closed");
  if (admission == Scheduler::Admission::Cancelled) throw CancelledError("task cancelled");
}

double microseconds(Clock::time_point from, Clock::time_point to) {
  if (from == Clock::time_point{} || to == Clock::time_point{}) return 0;
  return std::chrono::duration<double, std::micro>(to - from).count();
}

TaskDurations durations_of(const Task& task) {
  const TaskTimes& times = task.times;
  return {microseconds(task.submitted, times.started), microseconds(times.started, times.inputs_set),
          microseconds(times.inputs_set, times.run), microseconds(times.run, times.finished)};
}

std::string text_of(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "unknown error";
  }
}

}  // namespace

std::vector<Array> Task::results() const {
  std::vector<Array> results;
  results.reserve(selection.size());
  for (const size_t output : selection) {
    const auto place = std::lower_bound(fetched.begin(), fetched.end(), output);
    results.emplace_back(outputs.get(), static_cast<size_t>(place - fetched.begin()));
  }
  return results;
}

void Task::clear() {
  feed.inputs.clear();
  feed.copies.reset();
  outputs.reset();
  failure = nullptr;
  times = {};
  callback = nullptr;
  finished = nullptr;
  delivery = nullptr;
  window = nullptr;
  lane = nullptr;
  on_worker = false;
  wants_first_lane = false;
  state = State::New;
}

Engine::TaskPointer Engine::take_task() {
  {
    const std::lock_guard lock(tasks_mutex_);
    if (!tasks_.empty()) {
      TaskPointer task(tasks_.back().release(), {this});
      tasks_.pop_back();
      return task;
    }
  }
  return TaskPointer(new Task, {this});
}

void Engine::give_back(Task* task) noexcept {
  std::unique_ptr<Task> owned(task);
  owned->clear();
  const std::lock_guard lock(tasks_mutex_);
  try {
    tasks_.push_back(std::move(owned));
  } catch (const std::bad_alloc&) {  // then it is freed
  }
}

void Engine::select(const OutputNames& names, std::vector<size_t>& selection) const {
  selection.clear();
  if (!names || names->empty()) {
    for (size_t i = 0; i < facts_.outputs.size(); ++i) selection.push_back(i);
    return;
  }
  for (const std::string& name : *names) {
    const auto found = std::find_if(facts_.outputs.begin(), facts_.outputs.end(),
                                    [&](const NodeArg& arg) { return arg.name == name; });
    if (found == facts_.outputs.end()) throw SessionError("Unknown output name: " + name);
    selection.push_back(static_cast<size_t>(found - facts_.outputs.begin()));
  }
}

/// Which outputs are fetched. Fetching some only is documented nowhere: another runtime is asked for all of them.
void Engine::set_fetched(Task& task) const {
  task.fetched.clear();
  if (!facts_.is_openrknn) {
    for (size_t i = 0; i < facts_.outputs.size(); ++i) task.fetched.push_back(i);
    return;
  }
  task.fetched = task.selection;
  std::sort(task.fetched.begin(), task.fetched.end());
  task.fetched.erase(std::unique(task.fetched.begin(), task.fetched.end()), task.fetched.end());
}

/// Sleeps until the pacer lets the next submission through; gives the time until which it may wait for a place.
Clock::time_point Engine::pace(Caller caller) {
  const Clock::time_point now = Clock::now();
  const Clock::time_point deadline = now + std::chrono::milliseconds(options_.submit_timeout_ms);
  if (!pacer_ || inside_callback()) return deadline;
  const Clock::time_point slot = pacer_->take_slot(now, deadline);
  if (slot > now && !scheduler_->sleep_until(std::min(slot, deadline))) throw CancelledError("session closed");
  if (slot > deadline) require_admitted(Scheduler::Admission::Full, caller);
  return deadline;
}

void Engine::execute_on_lane(Task& task) {
  Lane& lane = *task.lane;
  ModelContext& context = *lane.context;
  if (const std::optional<uint32_t> mask = scheduler_->take_wanted_core_mask(lane)) {
    context.set_core_mask(*mask, lane.index);
  }
  context.set_shapes(facts_.input_specs, task.feed.shape_set);
  context.set_inputs(task.feed.inputs);
  task.times.inputs_set = Clock::now();
  context.run();
  task.times.run = Clock::now();
  const std::vector<OutputSpec>& specs = output_specs_->of(context, task.feed.shape_set);
  task.outputs = output_blocks_->take();
  for (const size_t i : task.fetched) {
    BlockArray array{.type = specs[i].type, .rank = static_cast<uint32_t>(specs[i].shape.size())};
    std::copy(specs[i].shape.begin(), specs[i].shape.end(), array.dims.begin());
    task.outputs->arrays.push_back(array);
  }
  task.outputs->allocate();
  lane.requests.clear();
  for (size_t place = 0; place < task.fetched.size(); ++place) {
    const size_t i = task.fetched[place];
    rknn_output request{};
    request.want_float = specs[i].want_float ? 1 : 0;
    request.is_prealloc = 1;
    request.index = static_cast<uint32_t>(i);
    request.buf = task.outputs->data(place);
    request.size = static_cast<uint32_t>(task.outputs->arrays[place].bytes());
    lane.requests.push_back(request);
  }
  if (!lane.requests.empty()) context.get_outputs(lane.requests);
  if (pacer_) pacer_->observe(task.times.run - task.times.inputs_set);
}

void Engine::execute(Task& task) noexcept {
  task.times.started = Clock::now();
  try {
    try {
      execute_on_lane(task);
    } catch (const std::bad_alloc&) {
      throw SessionError(fmt::format("Failed to allocate output buffer for output {}",
                                     task.outputs ? task.outputs->arrays.size() : 0));
    }
  } catch (...) {
    task.failure = std::current_exception();
    task.outputs.reset();
  }
  task.times.finished = Clock::now();
}

/// A task for a worker has ended, one way or the other: its result goes where it is wanted.
void Engine::finish(Task& task) noexcept {
  if (task.delivery != nullptr) {
    task.delivery->push(task);
    return;
  }
  TaskPointer owned(&task, {this});
  task.finished(task);
  recorder_.record(task);
  scheduler_->ended(task);
}

void Engine::abandon(Task& task, const char* reason) noexcept {
  task.failure = std::make_exception_ptr(CancelledError(reason));
  finish(task);
}

/// On a delivery's thread.
void Engine::hand_over(Task& task) noexcept {
  TaskPointer owned(&task, {this});
  task.times.callback = Clock::now();
  Completion completion;
  try {
    if (!task.failure) completion.outputs = task.results();
  } catch (...) {
    task.failure = std::current_exception();
  }
  task.outputs.reset();
  completion.failure = task.failure;
  completion.durations = durations_of(task);
  if (task.failure) completion.error = text_of(task.failure);
  try {
    task.callback(std::move(completion));
  } catch (...) {
    // What a callback throws is its own affair: the bindings report theirs before it gets here.
  }
  task.callback = nullptr;  // what it holds is freed here, before anybody hears that it was delivered
  task.times.delivered = Clock::now();
  recorder_.record(task);
  scheduler_->ended(task);
}

std::vector<Array> Engine::run(const OutputNames& names, const Feed& feed) {
  require_open();
  const TaskPointer task = take_task();
  select(names, task->selection);
  set_fetched(*task);
  prepare(facts_.input_specs, feed, false, *input_blocks_, task->feed);
  recorder_.submitted();
  require_admitted(scheduler_->acquire(*task, pace(Caller::Run)), Caller::Run);
  execute(*task);
  scheduler_->release(*task);
  recorder_.record(*task);
  if (task->failure) std::rethrow_exception(task->failure);
  return task->results();
}

uint64_t Engine::submit(const std::vector<size_t>& selection, const Feed& feed, const std::shared_ptr<Waiter>& waiter) {
  require_open();
  TaskPointer task = take_task();
  task->selection = selection;
  set_fetched(*task);
  prepare(facts_.input_specs, feed, true, *input_blocks_, task->feed);
  task->on_worker = true;
  task->finished = [waiter](Task& done) { waiter->settle(done); };
  recorder_.submitted();
  const Scheduler::Admitted admitted = scheduler_->admit(*task, pace(Caller::Run), inside_callback());
  if (admitted.admission == Scheduler::Admission::Admitted) static_cast<void>(task.release());  // a worker has it
  require_admitted(admitted.admission, Caller::Run);
  return admitted.id;
}

std::vector<Array> Engine::run_within(const OutputNames& names, const Feed& feed, int64_t timeout_ms) {
  const Clock::time_point deadline = Clock::now() + std::chrono::milliseconds(timeout_ms);
  const auto waiter = std::make_shared<Waiter>();
  std::vector<size_t> selection;
  select(names, selection);
  const uint64_t id = submit(selection, feed, waiter);
  if (!waiter->wait(deadline)) {
    cancel(id);  // if it has not begun
    throw TimeoutError(fmt::format("run timed out: no result within {} ms", timeout_ms));
  }
  return waiter->take();
}

uint64_t Engine::run_async(const OutputNames& names, const Feed& feed, Callback callback, bool ordered, bool wait) {
  if (!callback) throw SessionError("callback must be callable");
  require_open();
  if (!wait && pacer_) throw TimeoutError("run_async: a paced submission waits for its turn");
  Delivery& delivery = ordered ? *callbacks_ : *futures_;
  TaskPointer task = take_task();
  select(names, task->selection);
  set_fetched(*task);
  prepare(facts_.input_specs, feed, true, *input_blocks_, task->feed);
  delivery.start(shared_from_this());
  task->on_worker = true;
  task->callback = std::move(callback);
  task->delivery = &delivery;
  task->window = &delivery.window();
  recorder_.submitted();

  const Clock::time_point patience = pace(Caller::RunAsync);
  const bool beyond = inside_callback();  // who delivers cannot wait for deliveries
  const Overflow overflow = beyond ? Overflow::Block : !wait ? Overflow::Raise : options_.overflow;
  Scheduler::Admitted admitted =
      scheduler_->admit(*task, overflow == Overflow::Block ? patience : Clock::now(), beyond);
  while (admitted.admission == Scheduler::Admission::Full && overflow == Overflow::DropOldest) {
    Ticket* const oldest = scheduler_->cancel_oldest(delivery.window());
    if (oldest != nullptr) abandon(static_cast<Task&>(*oldest), "dropped: newer tasks took its place in the queue");
    // Nothing of ours waits: others fill the queue, so wait for a place like everybody.
    admitted = scheduler_->admit(*task, oldest != nullptr ? Clock::now() : patience);
    if (oldest == nullptr) break;
  }
  if (admitted.admission == Scheduler::Admission::Full && overflow == Overflow::DropNewest) {
    const uint64_t id = scheduler_->admit_cancelled(*task);
    abandon(*task.release(), "dropped: the queue is full");
    return id;
  }
  if (admitted.admission == Scheduler::Admission::Admitted) static_cast<void>(task.release());  // a worker has it
  if (admitted.admission == Scheduler::Admission::Full && overflow == Overflow::Raise) {
    throw TimeoutError("run_async: the queue is full");
  }
  require_admitted(admitted.admission, Caller::RunAsync);
  return admitted.id;
}

bool Engine::cancel(uint64_t id) {
  Ticket* taken = nullptr;
  if (!scheduler_->cancel(id, taken)) return false;
  if (taken != nullptr) abandon(static_cast<Task&>(*taken), "task cancelled");
  return true;
}

size_t Engine::cancel_all(const char* reason) {
  size_t count = 0;
  for (Ticket* ticket : scheduler_->cancel_all(count)) abandon(static_cast<Task&>(*ticket), reason);
  return count;
}

SessionStatistics Engine::stats() const {
  SessionStatistics statistics;
  recorder_.fill(statistics);
  Scheduler::Counts counts = scheduler_->counts();
  statistics.waiting = counts.waiting;
  statistics.running = counts.running;
  statistics.undelivered = callbacks_->undelivered() + futures_->undelivered();
  statistics.tasks_per_worker = std::move(counts.tasks_per_lane);
  return statistics;
}

void Engine::set_core_mask(uint32_t mask) {
  if (!options_.schedule.empty()) throw SessionError("set_core_mask: the session has a schedule, which says the cores");
  scheduler_->want_core_mask(mask);
}

void Engine::ask(const std::function<void(ModelContext&)>& question) {
  require_open();
  // A ticket like any other, except that it must be the first lane's.
  const TaskPointer task = take_task();
  task->wants_first_lane = true;
  require_admitted(scheduler_->acquire(*task, Clock::time_point::max()), Caller::Run);
  try {
    question(*task->lane->context);
  } catch (...) {
    scheduler_->release(*task);
    throw;
  }
  scheduler_->release(*task);
}

}  // namespace openrknn::session
