// The contexts of a session and who uses which: one for each worker the options ask for.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "runtime/session/model_context.h"

namespace openrknn::session {

/// Thread-safe.
class ContextPool {
 public:
  /// Makes all contexts and sets all core masks; nothing is left behind if one fails.
  ContextPool(const std::shared_ptr<const RuntimeLibrary>&, const ModelSource&, const SessionOptions&);

  /// A context in use, given back on destruction.
  class Lease {
   public:
    Lease(ContextPool& pool, size_t index) : pool_(&pool), index_(index) {}
    Lease(Lease&& other) noexcept : pool_(std::exchange(other.pool_, nullptr)), index_(other.index_) {}
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (pool_ != nullptr) pool_->give_back(index_);
    }
    const ModelContext& context() const { return *pool_->slots_[index_].context; }

   private:
    ContextPool* pool_;
    size_t index_;
  };

  /// The next task's context: of the core whose turn it is in the schedule, or any. Waits. Throws SessionError once
  /// closed.
  Lease acquire();
  /// Refuses new tasks, waits for running ones, destroys the contexts.
  void close();

  /// For questions that do not run anything; valid until close().
  const ModelContext& first() const { return *slots_.front().context; }
  size_t size() const { return slots_.size(); }

 private:
  struct Slot {
    std::unique_ptr<ModelContext> context;
    int64_t core = 0;
    bool busy = false;
  };
  size_t find_idle(int64_t core) const;
  void give_back(size_t index);

  std::vector<int64_t> schedule_;  // empty: any core
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Slot> slots_;
  uint64_t next_task_ = 0;
  bool closed_ = false;
};

}  // namespace openrknn::session
