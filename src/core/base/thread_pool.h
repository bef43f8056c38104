// A fixed set of threads for data-parallel loops. Passed in by whoever owns the work, never global.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

namespace openrknn {

/// OPENRKNN_THREADS if that is a positive number, else what the machine has.
int default_thread_count();

class ThreadPool {
 public:
  /// `threads` >= 1 counts the calling thread; 1 starts none. 0 = default_thread_count().
  explicit ThreadPool(int threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return threads_; }

  /// Calls body(task, worker) for task = 0..tasks-1, worker in 0..threads()-1, and returns when all are done.
  /// Nested calls from inside a body run inline on the caller. If bodies throw, every started task still finishes and
  /// the exception of the lowest failing task is rethrown. May be called from several threads (calls are serialised).
  /// Threads restart after fork. Every task runs with the default floating-point environment (nearest, no flush to
  /// zero).
  void parallel_for(int64_t tasks, const std::function<void(int64_t task, int worker)>& body);

  /// While one exists, more calls follow soon: workers between two of them look longer before they sleep (at most half
  /// a millisecond).
  class Expecting {
   public:
    explicit Expecting(ThreadPool&);
    ~Expecting();
    Expecting(const Expecting&) = delete;
    Expecting& operator=(const Expecting&) = delete;

   private:
    ThreadPool& pool_;
  };

 private:
  struct State;
  int threads_;
  std::atomic<int> expecting_{0};
  std::unique_ptr<State> state_;
};

/// Sets round-to-nearest and clears flush-to-zero / denormals-are-zero for the current thread; restores on destruction.
class FloatEnvironment {
 public:
  FloatEnvironment();
  ~FloatEnvironment();
  FloatEnvironment(const FloatEnvironment&) = delete;
  FloatEnvironment& operator=(const FloatEnvironment&) = delete;

 private:
  uint64_t saved_;
};

}  // namespace openrknn
