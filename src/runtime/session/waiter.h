// Where results wait for a thread that wants them: run with a time limit, batches, the pipeline.
#pragma once

#include <condition_variable>
#include <exception>
#include <mutex>
#include <vector>

#include "runtime/session/task.h"

namespace openrknn::session {

/// Thread-safe. Shared by one task and whoever waits for it, either of which may be gone first.
class Waiter {
 public:
  void settle(const Task& task) {
    std::vector<Array> outputs;
    std::exception_ptr failure = task.failure;
    try {
      if (!failure) outputs = task.results();
    } catch (...) {
      failure = std::current_exception();
    }
    const std::lock_guard lock(mutex_);
    outputs_ = std::move(outputs);
    failure_ = std::move(failure);
    is_settled_ = true;
    settled_.notify_all();
  }
  /// False: the deadline passed.
  bool wait(Clock::time_point deadline) {
    std::unique_lock lock(mutex_);
    return settled_.wait_until(lock, deadline, [&] { return is_settled_; });
  }
  /// After wait(). Throws the task's failure.
  std::vector<Array> take() {
    const std::lock_guard lock(mutex_);
    if (failure_) std::rethrow_exception(failure_);
    return std::move(outputs_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable settled_;
  std::vector<Array> outputs_;
  std::exception_ptr failure_;
  bool is_settled_ = false;
};

}  // namespace openrknn::session
