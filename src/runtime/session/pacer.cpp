#include "runtime/session/pacer.h"

#include <algorithm>

namespace openrknn::session {
namespace {

constexpr double kKept = 0.95;  // weight of the old average: documented

using Microseconds = std::chrono::duration<double, std::micro>;

}  // namespace

Clock::time_point Pacer::take_slot(Clock::time_point now, Clock::time_point deadline) {
  const std::lock_guard lock(mutex_);
  const Clock::time_point slot = std::max(now, next_);
  if (slot > deadline) return slot;
  next_ = slot + std::chrono::duration_cast<Clock::duration>(Microseconds(average_microseconds_ / parallelism_));
  return slot;
}

void Pacer::observe(Clock::duration run) {
  const std::lock_guard lock(mutex_);
  const double sample = Microseconds(run).count();
  average_microseconds_ = average_microseconds_ == 0 ? sample : kKept * average_microseconds_ + (1 - kKept) * sample;
}

}  // namespace openrknn::session
