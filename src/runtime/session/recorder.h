// What tasks did and when: counters and percentiles always, a trace when asked.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "runtime/session/task.h"

namespace openrknn::session {

/// ZTU_EZRKNN_ASYNC_PRINT_PERF: the switch users of that package know. One line a task on stderr.
bool print_wanted();
struct ZeroCopyTimes {
  Clock::time_point started{}, bound{}, run{};
};
void print_zero_copy(uint64_t task, const ZeroCopyTimes&);

/// Thread-safe. A task costs it well under a microsecond.
class Recorder {
 public:
  Recorder();
  void submitted() { submitted_.fetch_add(1, std::memory_order_relaxed); }
  /// A task ended; for callbacks after they returned.
  void record(const Task&);

  void fill(SessionStatistics&) const;
  void start_trace();
  /// Chrome trace JSON of what was recorded since start_trace: one row a worker, one for callbacks.
  std::string end_trace();

 private:
  enum Phase : uint8_t { Queue, SetInputs, Run, GetOutputs, Callback, kPhases };
  static constexpr size_t kWindow = 1024, kMostEvents = 65536;
  struct Event {
    uint64_t id = 0;
    size_t lane = 0;
    int64_t core = 0;
    bool failed = false;
    Clock::time_point submitted{};
    TaskTimes times;
  };

  std::atomic<uint64_t> submitted_ = 0, completed_ = 0, failed_ = 0, cancelled_ = 0;
  mutable std::mutex mutex_;
  std::array<std::array<float, kWindow>, kPhases> microseconds_{};
  std::array<size_t, kPhases> samples_{};
  bool tracing_ = false;
  std::vector<Event> events_;  // a ring once it is full
  size_t next_event_ = 0;
  Clock::time_point trace_start_{};
  const bool prints_;  // ZTU_EZRKNN_ASYNC_PRINT_PERF
};

}  // namespace openrknn::session
