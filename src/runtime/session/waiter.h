// Where results wait for a thread that wants them: run with a time limit, batches, the pipeline.
#pragma once

#include <condition_variable>
#include <exception>
#include <mutex>
#include <vector>

#include "runtime/session/task.h"

namespace openrknn::session {

/// Thread-safe. Shared by the tasks and whoever waits, either of which may be gone first.
class Waiter {
 public:
  explicit Waiter(size_t places) : outcomes_(places), open_(places) {}

  void settle(size_t place, const Task& task) {
    Outcome outcome;
    outcome.failure = task.failure;
    try {
      if (!outcome.failure) outcome.outputs = task.results();
    } catch (...) {
      outcome.failure = std::current_exception();
    }
    set(place, std::move(outcome));
  }
  /// False: the deadline passed.
  bool wait(Clock::time_point deadline) {
    std::unique_lock lock(mutex_);
    return settled_.wait_until(lock, deadline, [&] { return open_ == 0; });
  }
  /// After wait(). Throws the failure of the place.
  std::vector<Array> take(size_t place) {
    const std::lock_guard lock(mutex_);
    if (outcomes_[place].failure) std::rethrow_exception(outcomes_[place].failure);
    return std::move(outcomes_[place].outputs);
  }

 private:
  struct Outcome {
    std::vector<Array> outputs;
    std::exception_ptr failure;
  };
  void set(size_t place, Outcome outcome) {
    const std::lock_guard lock(mutex_);
    outcomes_[place] = std::move(outcome);
    if (--open_ == 0) settled_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable settled_;
  std::vector<Outcome> outcomes_;
  size_t open_;
};

}  // namespace openrknn::session
