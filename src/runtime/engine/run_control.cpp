#include "runtime/engine/run_control.h"

namespace openrknn {

RunCancelled::RunCancelled()
    : Error({Diagnostic{Code::Cancelled, Severity::Error, {}, "the run was cancelled", "run again"}}) {}
RunTimedOut::RunTimedOut()
    : Error({Diagnostic{Code::Cancelled,
                        Severity::Error,
                        {},
                        "the run was stopped: its time was up",
                        "allow it more than timeout_ms"}}) {}

void RunControl::cancel() {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
  changed_.notify_all();
}

void RunControl::begin(std::optional<Clock::time_point> deadline) { deadline_ = deadline; }

void RunControl::forget_cancel() {
  const std::lock_guard lock(mutex_);
  cancelled_ = false;
}

bool RunControl::is_cancelled() const {
  const std::lock_guard lock(mutex_);
  return cancelled_;
}

bool RunControl::is_stopped() const { return is_cancelled() || (deadline_ && Clock::now() >= *deadline_); }

void RunControl::check() const {
  if (is_cancelled()) throw RunCancelled();
  if (deadline_ && Clock::now() >= *deadline_) throw RunTimedOut();
}

void RunControl::sleep_until(Clock::time_point end) {
  {
    std::unique_lock lock(mutex_);
    const Clock::time_point until = deadline_ ? std::min(end, *deadline_) : end;
    while (!cancelled_ && Clock::now() < until) changed_.wait_until(lock, until);
  }
  if (is_cancelled() || Clock::now() < end) check();
}

}  // namespace openrknn
