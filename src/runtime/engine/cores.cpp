#include "runtime/engine/cores.h"

#include <algorithm>
#include <bit>
#include <chrono>

namespace openrknn {
namespace {

int64_t now_microseconds() {
  using namespace std::chrono;
  return duration_cast<microseconds>(steady_clock::now().time_since_epoch()).count();
}

}  // namespace

Cores::Cores(int count, int threads)
    : threads_(threads),
      all_((1u << count) - 1),
      counters_(static_cast<size_t>(count)),
      whole_(std::make_unique<ThreadPool>(threads)),
      own_(static_cast<size_t>(count)) {}

Cores::Lease::Lease(Cores& cores, uint32_t held, ThreadPool& pool)
    : cores_(cores), held_(held), pool_(pool), since_(now_microseconds()) {}
Cores::Lease::~Lease() { cores_.release(held_, static_cast<uint64_t>(now_microseconds() - since_)); }

std::unique_ptr<Cores::Lease> Cores::acquire(uint32_t mask, const RunControl& control) {
  const uint32_t wanted = mask & all_;
  std::unique_lock lock(mutex_);
  Waiter self{.mask = wanted, .granted = 0, .ready = {}};
  waiting_.push_back(&self);
  grant();
  const auto is_done = [&] { return self.granted != 0 || control.is_stopped(); };
  if (const auto deadline = control.deadline()) {
    self.ready.wait_until(lock, *deadline, is_done);
  } else {
    self.ready.wait(lock, is_done);
  }
  if (self.granted == 0) {
    waiting_.remove(&self);
    grant();  // what was kept free for this one
    control.check();
  }
  return std::make_unique<Lease>(*this, self.granted, pool_for(self.granted));
}

void Cores::wake() {
  const std::lock_guard lock(mutex_);
  for (Waiter* waiter : waiting_) waiter->ready.notify_one();
}

uint32_t Cores::choose(uint32_t mask, uint32_t reserved) const {
  const uint32_t free = all_ & ~busy_ & ~reserved;
  if (mask != kAnyCore) return (mask & ~free) == 0 ? mask : 0;
  uint32_t best = 0;
  for (size_t core = 0; core < counters_.size(); ++core) {
    const uint32_t bit = 1u << core;
    if ((free & bit) == 0) continue;
    const auto busy = [&](uint32_t b) { return counters_[static_cast<size_t>(std::countr_zero(b))].busy_microseconds; };
    if (best == 0 || busy(bit) < busy(best)) best = bit;
  }
  return best;
}

void Cores::grant() {
  uint32_t reserved = 0;  // what earlier waiters still wait for: later ones may not overtake them there
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    Waiter& waiter = **it;
    const uint32_t chosen = choose(waiter.mask, reserved);
    if (chosen == 0) {
      reserved |= waiter.mask;
      ++it;
      continue;
    }
    busy_ |= chosen;
    waiter.granted = chosen;
    waiter.ready.notify_one();
    it = waiting_.erase(it);
  }
}

void Cores::release(uint32_t held, uint64_t microseconds) {
  const std::lock_guard lock(mutex_);
  busy_ &= ~held;
  for (size_t core = 0; core < counters_.size(); ++core) {
    if ((held >> core & 1) == 0) continue;
    ++counters_[core].jobs;
    counters_[core].busy_microseconds += microseconds;
  }
  grant();
}

ThreadPool& Cores::pool_for(uint32_t held) {
  const int share = std::max(1, threads_ / count());
  if (busy_ == held || share == threads_) return *whole_;
  std::unique_ptr<ThreadPool>& pool = own_[static_cast<size_t>(std::countr_zero(held))];
  if (!pool) pool = std::make_unique<ThreadPool>(share);
  return *pool;
}

std::vector<CoreCounters> Cores::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

}  // namespace openrknn
