// A thread of its own for runs that nobody waits for at once.
#pragma once

#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

namespace openrknn::capi {

/// One job at a time. The caller's lock serialises everything but the job itself.
class Background {
 public:
  using Clock = std::chrono::steady_clock;

  Background() = default;
  ~Background();  ///< waits for the job
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  /// Waits for the job before, then computes this one. The thread is started with the first job.
  void start(std::function<void()> job);
  /// False if the job is still under way at `until`; without a time, waits for its end.
  bool wait(std::optional<Clock::time_point> until = std::nullopt);
  /// What the last job threw, null if nothing.
  std::exception_ptr failure();
  void forget_failure();

 private:
  void work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::function<void()> job_;  // not empty: under way
  std::exception_ptr failure_;
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace openrknn::capi
