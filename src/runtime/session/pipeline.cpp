#include "runtime/session/pipeline.h"

namespace openrknn::session {

void Pipeline::drop(Engine& engine) {
  std::deque<Entry> dropped;
  {
    const std::lock_guard lock(mutex_);
    dropped.swap(entries_);
  }
  for (const Entry& entry : dropped) engine.cancel(entry.id);  // those that run already end unheard
}

std::optional<std::vector<Array>> Pipeline::run(Engine& engine, const Feed& feed, int64_t depth, bool reset) {
  if (depth <= 0) throw SessionError("pipeline depth must be > 0");
  std::vector<size_t> all;
  engine.select({}, all);
  std::shared_ptr<Waiter> oldest;
  {
    const std::lock_guard order(order_);
    if (reset || depth != depth_) drop(engine);
    depth_ = depth;
    auto waiter = std::make_shared<Waiter>();
    const uint64_t id = engine.submit(all, feed, waiter);
    const std::lock_guard lock(mutex_);
    entries_.push_back({std::move(waiter), id});
    if (static_cast<int64_t>(entries_.size()) <= depth) return std::nullopt;
    oldest = std::move(entries_.front().waiter);
    entries_.pop_front();
  }
  oldest->wait(Clock::time_point::max());
  return oldest->take();
}

std::vector<std::vector<Array>> Pipeline::drain() {
  std::deque<Entry> entries;
  {
    const std::lock_guard order(order_);
    const std::lock_guard lock(mutex_);
    entries.swap(entries_);
  }
  std::vector<std::vector<Array>> results;
  for (const Entry& entry : entries) {
    entry.waiter->wait(Clock::time_point::max());
    results.push_back(entry.waiter->take());
  }
  return results;
}

size_t Pipeline::pending() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace openrknn::session
