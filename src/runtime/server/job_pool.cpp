#include "runtime/server/job_pool.h"

#include <fmt/format.h>

#include "core/base/error.h"

namespace openrknn::server {

JobPool::JobPool(int threads, size_t max_waiting) : max_waiting_(max_waiting) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

JobPool::~JobPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void JobPool::add(std::function<void()> job, bool bounded) {
  {
    const std::lock_guard lock(mutex_);
    if (bounded && jobs_.size() >= max_waiting_) {
      fail(Code::ServerBusy, fmt::format("{} loads, profiles and the like wait already", jobs_.size()),
           "ask again later");
    }
    jobs_.push_back(std::move(job));
  }
  changed_.notify_one();
}

void JobPool::post(std::function<void()> job) { add(std::move(job), true); }
void JobPool::go_on(std::function<void()> job) { add(std::move(job), false); }

size_t JobPool::waiting() const {
  const std::lock_guard lock(mutex_);
  return jobs_.size();
}

void JobPool::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    std::function<void()> job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    job = nullptr;  // what it holds is freed outside the lock
    lock.lock();
  }
}

}  // namespace openrknn::server
