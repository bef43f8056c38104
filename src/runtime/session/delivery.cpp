#include "runtime/session/delivery.h"

#include <pthread.h>

#include <thread>

namespace openrknn::session {
namespace {

thread_local const Delivery* delivering_here = nullptr;

}  // namespace

Delivery::Delivery(const char* name, size_t window, bool ordered, int64_t threads, std::function<void(Task&)> hand_over)
    : name_(name), window_(window, ordered), threads_(ordered ? 1 : threads), hand_over_(std::move(hand_over)) {}

void Delivery::start(const std::shared_ptr<void>& owner) {
  const std::lock_guard lock(mutex_);
  if (started_) return;
  // Detached: the last reference to the session may be dropped by a callback, and no thread can join itself. The owner
  // lives as long as the threads; stop() ends them.
  for (int64_t i = 0; i < threads_; ++i) {
    std::thread thread([this, owner] {
      pthread_setname_np(pthread_self(), name_);
      delivering_here = this;
      deliver_all();
    });
    thread.detach();
    started_ = true;
  }
}

void Delivery::push(Task& task) noexcept {
  const std::lock_guard lock(mutex_);
  ++queued_;
  Task** place = end_;
  if (window_.ordered) {
    place = &first_;
    while (*place != nullptr && (*place)->sequence < task.sequence) place = &(*place)->next;
  }
  task.next = *place;
  *place = &task;
  if (task.next == nullptr) end_ = &task.next;
  pushed_.notify_one();
}

void Delivery::deliver_all() {
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto ready = [&] { return first_ != nullptr && (!window_.ordered || first_->sequence == next_sequence_); };
    pushed_.wait(lock, [&] { return ready() || stopped_; });
    if (!ready()) return;
    Task* const task = first_;
    first_ = task->next;
    if (first_ == nullptr) end_ = &first_;
    ++next_sequence_;
    --queued_;
    ++delivering_;
    lock.unlock();
    hand_over_(*task);
    lock.lock();
    --delivering_;
  }
}

void Delivery::stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  pushed_.notify_all();
}

size_t Delivery::undelivered() const {
  const std::lock_guard lock(mutex_);
  return queued_ + delivering_;
}

bool Delivery::is_this_thread() const { return delivering_here == this; }

}  // namespace openrknn::session
