// Virtual cores: one job at a time each, taken in the order of arrival.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <mutex>

namespace openrknn::stub {

int64_t now_ns();
/// Until CLOCK_MONOTONIC says so, to within the machine's timer rather than the 50 µs slack threads have by default.
void sleep_until_ns(int64_t deadline);

class Cores {
 public:
  static constexpr int kMost = 16;

  /// What a job has while it runs.
  struct Lease {
    uint32_t mask = 0;
    int64_t start_ns = 0;  ///< when the cores were free and the job there, however late its thread woke up
    int lowest() const;
  };

  /// Waits for all cores of `mask`; 0: for any one of the first `cores`, the one that was busy least.
  Lease acquire(uint32_t mask, int cores);
  /// `end_ns`: as the core sees it. A job that waits starts then.
  void release(const Lease& lease, int64_t end_ns);

  struct Counters {
    int64_t jobs = 0, busy_ns = 0;
  };
  Counters counters(int core) const;
  int most_at_once() const;
  void reset_counters();

 private:
  struct Waiting {
    uint32_t mask;
    int cores;
    int64_t arrival_ns;
    Lease lease;
    std::condition_variable granted;
  };
  bool grant(Waiting& job, uint32_t wanted_before);
  void grant_waiting();

  mutable std::mutex mutex_;
  std::list<Waiting*> waiting_;
  uint32_t busy_ = 0;
  int running_ = 0, most_ = 0;
  std::array<int64_t, kMost> free_at_{};
  std::array<Counters, kMost> counters_{};
};

}  // namespace openrknn::stub
