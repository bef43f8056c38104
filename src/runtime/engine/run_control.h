// How a run is stopped from outside: cancelled by somebody, or out of time. Looked at between steps.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>

#include "core/base/error.h"

namespace openrknn {

/// The run did not end because it was cancelled (Code::Cancelled).
struct RunCancelled : Error {
  RunCancelled();
};
/// The run did not end in the time it was given (Code::Cancelled).
struct RunTimedOut : Error {
  RunTimedOut();
};

/// One a context. cancel() may be called from any thread; the rest belongs to the runs.
class RunControl {
 public:
  using Clock = std::chrono::steady_clock;

  /// Stops the run under way, or the next one if none is. One call stops one run.
  void cancel();
  /// Before a run: until when it may take. A cancel() that came earlier stays.
  void begin(std::optional<Clock::time_point> deadline);
  /// After a run that was cancelled: the next one runs.
  void forget_cancel();

  std::optional<Clock::time_point> deadline() const { return deadline_; }
  bool is_stopped() const;
  /// Throws RunCancelled or RunTimedOut.
  void check() const;
  /// Throws as check() when the run is stopped before that time.
  void sleep_until(Clock::time_point);

 private:
  bool is_cancelled() const;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool cancelled_ = false;
  std::optional<Clock::time_point> deadline_;
};

}  // namespace openrknn
