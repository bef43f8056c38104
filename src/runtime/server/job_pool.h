// Threads for what takes long (loading, profiling, the disk), so that those of the network never wait.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace openrknn::server {

/// Thread-safe. The destructor runs what was posted to its end.
class JobPool {
 public:
  JobPool(int threads, size_t max_waiting);
  ~JobPool();
  JobPool(const JobPool&) = delete;
  JobPool& operator=(const JobPool&) = delete;

  /// Jobs do not throw. Throws Error (ServerBusy) if `max_waiting` wait.
  void post(std::function<void()> job);
  /// A further step of what was accepted already: taken in any case.
  void go_on(std::function<void()> job);
  size_t waiting() const;

 private:
  void add(std::function<void()> job, bool bounded);
  void work();

  const size_t max_waiting_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace openrknn::server
