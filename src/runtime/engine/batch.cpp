#include "runtime/engine/batch.h"

#include <algorithm>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace openrknn {

int for_each_item(int64_t items, int lanes, const std::function<void(int64_t item, int lane)>& body) {
  std::mutex mutex;
  int64_t next = 0, failed = items;
  int last_lane = 0;
  std::exception_ptr failure;
  const auto work = [&](int lane) {
    for (;;) {
      int64_t item = 0;
      {
        const std::lock_guard lock(mutex);
        if (next == items || failure) return;
        item = next++;
        if (next == items) last_lane = lane;
      }
      try {
        body(item, lane);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (item < failed) failed = item, failure = std::current_exception();
      }
    }
  };
  std::vector<std::thread> threads;
  try {
    for (int lane = 1; lane < std::min<int64_t>(lanes, items); ++lane) threads.emplace_back(work, lane);
  } catch (const std::system_error&) {
    // No more threads are to be had: those there are do the work.
  }
  work(0);
  for (std::thread& thread : threads) thread.join();
  if (failure) std::rethrow_exception(failure);
  return last_lane;
}

}  // namespace openrknn
