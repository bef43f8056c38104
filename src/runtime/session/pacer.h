// Spreads submissions over time so that tasks arrive about as fast as the cores can take them.
#pragma once

#include <mutex>

#include "runtime/session/scheduler.h"

namespace openrknn::session {

/// Thread-safe.
class Pacer {
 public:
  explicit Pacer(size_t parallelism) : parallelism_(static_cast<double>(parallelism)) {}

  /// When the next submission may go on; taken at once. Nothing is taken if that is after `deadline`.
  Clock::time_point take_slot(Clock::time_point now, Clock::time_point deadline);
  /// A run took so long: the average moves by a twentieth towards it.
  void observe(Clock::duration run);

 private:
  const double parallelism_;
  std::mutex mutex_;
  double average_microseconds_ = 0;
  Clock::time_point next_{};
};

}  // namespace openrknn::session
