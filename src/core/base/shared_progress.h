// Progress that is told from inside a parallel_for.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

#include "core/base/log.h"

namespace openrknn {

class SharedProgress {
 public:
  /// `progress` must outlive it; empty: nothing is told.
  SharedProgress(const Progress& progress, std::string stage, int64_t total)
      : progress_(progress), stage_(std::move(stage)), total_(total) {}

  /// One more is done. Thread-safe.
  void step() {
    if (!progress_) return;
    const std::scoped_lock lock(mutex_);
    try {
      progress_(stage_, ++done_, total_);
    } catch (...) {
      is_stopped_ = true;
      throw;
    }
  }
  /// Progress has thrown: tasks that have not begun may return at once.
  bool is_stopped() const { return is_stopped_; }

 private:
  const Progress& progress_;
  std::string stage_;
  int64_t total_, done_ = 0;
  std::mutex mutex_;
  std::atomic<bool> is_stopped_{false};
};

}  // namespace openrknn
