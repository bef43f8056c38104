// Hands results to callbacks, from threads of its own: a slow callback delays other callbacks, never a run.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>

#include "runtime/session/scheduler.h"
#include "runtime/session/task.h"

namespace openrknn::session {

/// Thread-safe. Threads start with the first task.
class Delivery {
 public:
  /// `hand_over` calls the callback of a task and disposes of the task. `name`: of the threads.
  Delivery(const char* name, size_t window, bool ordered, int64_t threads, std::function<void(Task&)> hand_over);

  Window& window() { return window_; }
  /// Makes sure that push() cannot fail: starts the threads. Throws std::system_error.
  void start(const std::shared_ptr<void>& owner);
  /// A task that is done or was taken back. Never throws.
  void push(Task&) noexcept;
  void stop();
  size_t undelivered() const;
  /// True on a thread that is inside a callback of this session.
  bool is_this_thread() const;

 private:
  void deliver_all();

  const char* const name_;
  Window window_;
  const int64_t threads_;
  const std::function<void(Task&)> hand_over_;
  mutable std::mutex mutex_;
  std::condition_variable pushed_;
  Task* first_ = nullptr;  // by sequence if ordered, else as pushed
  Task** end_ = &first_;
  uint64_t next_sequence_ = 0;
  size_t delivering_ = 0, queued_ = 0;
  bool started_ = false, stopped_ = false;
};

}  // namespace openrknn::session
