#include "cores.h"

#include <sys/prctl.h>
#include <time.h>

#include <algorithm>
#include <bit>
#include <cerrno>

namespace openrknn::stub {

int64_t now_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

void sleep_until_ns(int64_t deadline) {
  if (now_ns() >= deadline) return;
  const int slack = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
  if (slack > 1) prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
  const timespec time = {static_cast<time_t>(deadline / 1'000'000'000), static_cast<long>(deadline % 1'000'000'000)};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nullptr) == EINTR) {
  }
  if (slack > 1) prctl(PR_SET_TIMERSLACK, slack, 0, 0, 0);
}

int Cores::Lease::lowest() const { return std::countr_zero(mask); }

bool Cores::grant(Waiting& job, uint32_t wanted_before) {
  const uint32_t taken = busy_ | wanted_before;
  uint32_t mask = job.mask;
  if (mask == 0) {
    int least = -1;
    for (int core = 0; core < job.cores; ++core) {
      if ((taken >> core & 1u) != 0) continue;
      if (least < 0 || counters_[core].busy_ns < counters_[least].busy_ns) least = core;
    }
    if (least < 0) return false;
    mask = 1u << least;
  } else if ((mask & taken) != 0) {
    return false;
  }
  busy_ |= mask;
  most_ = std::max(most_, ++running_);
  job.lease = {mask, job.arrival_ns};
  for (int core = 0; core < kMost; ++core) {
    if ((mask >> core & 1u) != 0) job.lease.start_ns = std::max(job.lease.start_ns, free_at_[core]);
  }
  return true;
}

void Cores::grant_waiting() {
  uint32_t wanted = 0;  // nobody overtakes on a core that an earlier job waits for
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    Waiting& job = **it;
    if (grant(job, wanted)) {
      it = waiting_.erase(it);
      job.granted.notify_one();
    } else {
      wanted |= job.mask;
      ++it;
    }
  }
}

Cores::Lease Cores::acquire(uint32_t mask, int cores) {
  const int64_t arrival = now_ns();
  std::unique_lock lock(mutex_);
  uint32_t wanted = 0;
  bool for_any = false;
  for (const Waiting* job : waiting_) {
    wanted |= job->mask;
    for_any |= job->mask == 0;
  }
  Waiting job{mask, cores, arrival, {}, {}};
  if (!(mask == 0 && for_any) && grant(job, wanted)) return job.lease;
  waiting_.push_back(&job);
  job.granted.wait(lock, [&] { return job.lease.mask != 0; });
  return job.lease;
}

void Cores::release(const Lease& lease, int64_t end_ns) {
  const std::scoped_lock lock(mutex_);
  for (int core = 0; core < kMost; ++core) {
    if ((lease.mask >> core & 1u) == 0) continue;
    free_at_[core] = end_ns;
    ++counters_[core].jobs;
    counters_[core].busy_ns += end_ns - lease.start_ns;
  }
  busy_ &= ~lease.mask;
  --running_;
  grant_waiting();
}

Cores::Counters Cores::counters(int core) const {
  const std::scoped_lock lock(mutex_);
  return core >= 0 && core < kMost ? counters_[core] : Counters{};
}
int Cores::most_at_once() const {
  const std::scoped_lock lock(mutex_);
  return most_;
}
void Cores::reset_counters() {
  const std::scoped_lock lock(mutex_);
  counters_ = {};
  most_ = running_;
}

}  // namespace openrknn::stub
