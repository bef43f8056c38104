// run_pipeline's window of tasks that are on their way.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <optional>

#include "runtime/session/engine.h"
#include "runtime/session/waiter.h"

namespace openrknn::session {

/// Thread-safe: calls follow one another in the order they come.
class Pipeline {
 public:
  std::optional<std::vector<Array>> run(Engine&, const Feed&, int64_t depth, bool reset);
  std::vector<std::vector<Array>> drain();
  size_t pending() const;

 private:
  struct Entry {
    std::shared_ptr<Waiter> waiter;
    uint64_t id = 0;
  };
  void drop(Engine&);

  std::mutex order_;
  mutable std::mutex mutex_;
  std::deque<Entry> entries_;
  int64_t depth_ = 0;
};

}  // namespace openrknn::session
