#include "runtime/capi/background.h"

namespace openrknn::capi {

Background::~Background() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Background::start(std::function<void()> job) {
  std::unique_lock lock(mutex_);
  if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
  changed_.wait(lock, [&] { return !job_; });
  failure_ = nullptr;
  job_ = std::move(job);
  changed_.notify_all();
}

bool Background::wait(std::optional<Clock::time_point> until) {
  std::unique_lock lock(mutex_);
  const auto is_idle = [&] { return !job_; };
  if (until) return changed_.wait_until(lock, *until, is_idle);
  changed_.wait(lock, is_idle);
  return true;
}

std::exception_ptr Background::failure() {
  const std::lock_guard lock(mutex_);
  return failure_;
}

void Background::forget_failure() {
  const std::lock_guard lock(mutex_);
  failure_ = nullptr;
}

void Background::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return job_ || closing_; });
    if (!job_) return;
    lock.unlock();
    std::exception_ptr failure;
    try {
      job_();  // set and cleared under the lock, and only while idle: nobody else touches it now
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    failure_ = failure;
    job_ = nullptr;
    changed_.notify_all();
  }
}

}  // namespace openrknn::capi
