// The cores of a device as what jobs wait for: a core runs one job at a time.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <vector>

#include "core/base/thread_pool.h"
#include "runtime/engine/run_control.h"

namespace openrknn {

inline constexpr uint32_t kAnyCore = 0;

struct CoreCounters {
  uint64_t jobs = 0;
  uint64_t busy_microseconds = 0;
};

/// Thread-safe. Jobs are granted cores in the order they asked, except that one whose core is busy does not hold back
/// others that want another core.
class Cores {
 public:
  /// `threads` are shared: a job that finds the device idle computes with all of them, one that finds it busy with
  /// max(1, threads / cores). Results never depend on it.
  Cores(int count, int threads);

  /// Cores held by one job; given back on destruction.
  class Lease {
   public:
    Lease(Cores& cores, uint32_t held, ThreadPool& pool);
    ~Lease();
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ThreadPool& pool() const { return pool_; }
    uint32_t held() const { return held_; }  ///< bit i: core i

   private:
    Cores& cores_;
    uint32_t held_;
    ThreadPool& pool_;
    int64_t since_;  // microseconds of the steady clock
  };

  /// Waits for all cores of `mask` (bit i: core i; bits beyond the last core are ignored), or with kAnyCore for the one
  /// that has been busy least. Throws RunCancelled or RunTimedOut when the run is stopped first.
  std::unique_ptr<Lease> acquire(uint32_t mask, const RunControl&);
  /// Those who wait look whether their run was cancelled.
  void wake();

  int count() const { return static_cast<int>(counters_.size()); }
  int threads() const { return threads_; }
  /// The pool of all threads: what a job on an idle device computes with.
  ThreadPool& whole() { return *whole_; }
  std::vector<CoreCounters> counters() const;

 private:
  struct Waiter {
    uint32_t mask;
    uint32_t granted = 0;
    std::condition_variable ready;
  };
  uint32_t choose(uint32_t mask, uint32_t reserved) const;
  void grant();
  void release(uint32_t held, uint64_t microseconds);
  ThreadPool& pool_for(uint32_t held);

  const int threads_;
  const uint32_t all_;
  mutable std::mutex mutex_;
  std::list<Waiter*> waiting_;
  uint32_t busy_ = 0;
  std::vector<CoreCounters> counters_;
  std::unique_ptr<ThreadPool> whole_;
  std::vector<std::unique_ptr<ThreadPool>> own_;  // per core, made when first needed
};

}  // namespace openrknn
