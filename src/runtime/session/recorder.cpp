#include "runtime/session/recorder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "core/base/environment.h"
#include "core/base/text.h"

namespace openrknn::session {
namespace {

using Microseconds = std::chrono::duration<double, std::micro>;

double between(Clock::time_point from, Clock::time_point to) {
  return to < from || from == Clock::time_point() ? 0 : Microseconds(to - from).count();
}

int64_t whole(double microseconds) { return static_cast<int64_t>(microseconds); }

void print(const Task& task) {
  const TaskTimes& t = task.times;
  const std::string line = fmt::format(
      "[ztu_ez_rknn_async_perf] task_id={} thread_id={} core_id={} set_input_us={} infer_us={} "
      "copy_output_us={} total_us={}\n",
      task.id, task.lane->index, task.lane->core, whole(between(t.started, t.inputs_set)),
      whole(between(t.inputs_set, t.run)), whole(between(t.run, t.finished)), whole(between(t.started, t.finished)));
  std::fwrite(line.data(), 1, line.size(), stderr);
}

Percentiles percentiles(const float* samples, size_t count) {
  if (count == 0) return {};
  std::vector<float> sorted(samples, samples + count);
  std::sort(sorted.begin(), sorted.end());
  const auto at = [&](double share) { return sorted[static_cast<size_t>(share * static_cast<double>(count - 1))]; };
  return {at(0.5), at(0.95)};
}

bool was_cancelled(const Task& task) { return task.lane == nullptr; }

}  // namespace

bool print_wanted() {
  const std::string word = lower_case(environment_variable("ZTU_EZRKNN_ASYNC_PRINT_PERF"));
  return word == "1" || word == "true" || word == "on" || word == "yes";
}

void print_zero_copy(uint64_t task, const ZeroCopyTimes& t) {
  const std::string line = fmt::format(
      "[ztu_ez_rknn_async_perf] task_id={} thread_id=-1 core_id=-1 import_us=0 set_input_us={} infer_us={} "
      "copy_output_us=0 total_us={} mode=zero_copy\n",
      task, whole(between(t.started, t.bound)), whole(between(t.bound, t.run)), whole(between(t.started, t.run)));
  std::fwrite(line.data(), 1, line.size(), stderr);
}

Recorder::Recorder() : prints_(print_wanted()) {}

void Recorder::record(const Task& task) {
  std::atomic<uint64_t>& kind = was_cancelled(task) ? cancelled_ : task.failure ? failed_ : completed_;
  kind.fetch_add(1, std::memory_order_relaxed);
  if (was_cancelled(task)) return;
  if (prints_) print(task);
  const TaskTimes& t = task.times;
  const std::array<std::pair<Clock::time_point, Clock::time_point>, kPhases> spans = {{
      {task.submitted, t.started},
      {t.started, t.inputs_set},
      {t.inputs_set, t.run},
      {t.run, t.finished},
      {t.callback, t.delivered},
  }};
  const std::lock_guard lock(mutex_);
  for (size_t phase = 0; phase < kPhases; ++phase) {
    const auto [from, to] = spans[phase];
    if (from == Clock::time_point() || to == Clock::time_point()) continue;
    microseconds_[phase][samples_[phase]++ % kWindow] = static_cast<float>(between(from, to));
  }
  if (!tracing_) return;
  Event event{task.id, task.lane->index, task.lane->core, task.failure != nullptr, task.submitted, t};
  if (events_.size() < kMostEvents) {
    events_.push_back(event);
  } else {
    events_[next_event_++ % kMostEvents] = event;
  }
}

void Recorder::fill(SessionStatistics& statistics) const {
  statistics.submitted = submitted_.load(std::memory_order_relaxed);
  statistics.completed = completed_.load(std::memory_order_relaxed);
  statistics.failed = failed_.load(std::memory_order_relaxed);
  statistics.cancelled = cancelled_.load(std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  Percentiles* const into[kPhases] = {&statistics.queue, &statistics.set_inputs, &statistics.run,
                                      &statistics.get_outputs, &statistics.callback};
  for (size_t phase = 0; phase < kPhases; ++phase) {
    *into[phase] = percentiles(microseconds_[phase].data(), std::min(samples_[phase], kWindow));
  }
}

void Recorder::start_trace() {
  const std::lock_guard lock(mutex_);
  events_.clear();
  next_event_ = 0;
  tracing_ = true;
  trace_start_ = Clock::now();
}

std::string Recorder::end_trace() {
  std::vector<Event> events;
  {
    const std::lock_guard lock(mutex_);
    tracing_ = false;
    events.swap(events_);
  }
  std::sort(events.begin(), events.end(), [](const Event& a, const Event& b) { return a.id < b.id; });
  std::string out = "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n";
  out += R"({"name":"process_name","ph":"M","pid":1,"args":{"name":"InferenceSession"}})";
  constexpr size_t kCallbackRow = 1000, kQueueRow = 1001;
  const auto name_row = [&](size_t row, const std::string& name) {
    out += fmt::format(",\n{{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":1,\"tid\":{},\"args\":{{\"name\":\"{}\"}}}}",
                       row, name);
  };
  name_row(kCallbackRow, "callbacks");
  std::vector<bool> named;
  const auto span = [&](const Event& event, const char* name, size_t row, Clock::time_point from,
                        Clock::time_point to) {
    if (from == Clock::time_point() || to < from) return;
    out += fmt::format(
        ",\n{{\"name\":\"{}\",\"ph\":\"X\",\"pid\":1,\"tid\":{},\"ts\":{:.3f},\"dur\":{:.3f},"
        "\"args\":{{\"task\":{},\"core\":{},\"failed\":{}}}}}",
        name, row, between(trace_start_, from), between(from, to), event.id, event.core, event.failed);
  };
  for (const Event& event : events) {
    if (event.lane >= named.size()) named.resize(event.lane + 1);
    if (!named[event.lane]) {
      name_row(event.lane, fmt::format("worker {} (core {})", event.lane, event.core));
      named[event.lane] = true;
    }
    // Waiting tasks overlap: asynchronous events, which viewers stack by themselves.
    const char* kQueue = R"(,
{{"name":"queued","cat":"queue","ph":"{}","id":{},"pid":1,"tid":{},"ts":{:.3f}}})";
    out += fmt::format(fmt::runtime(kQueue), "b", event.id, kQueueRow, between(trace_start_, event.submitted));
    out += fmt::format(fmt::runtime(kQueue), "e", event.id, kQueueRow, between(trace_start_, event.times.started));
    const TaskTimes& t = event.times;
    span(event, "set inputs", event.lane, t.started, t.inputs_set);
    span(event, "run", event.lane, t.inputs_set, t.run);
    span(event, "get outputs", event.lane, t.run, t.finished);
    span(event, "callback", kCallbackRow, t.callback, t.delivered);
  }
  return out + "\n]}\n";
}

}  // namespace openrknn::session
