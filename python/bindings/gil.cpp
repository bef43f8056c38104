#include "bindings/gil.h"

#include <condition_variable>
#include <mutex>

namespace openrknn::python {
namespace {

struct Traffic {
  std::mutex mutex;
  std::condition_variable changed;
  int64_t crossing = 0;  // threads that will want the GIL (back), or that took it and have not given it up
  bool ended = false;

  /// False after the end.
  bool begin() {
    const std::lock_guard lock(mutex);
    if (ended) return false;
    ++crossing;
    return true;
  }
  void finish() {
    const std::lock_guard lock(mutex);
    --crossing;
    changed.notify_all();
  }
};
/// Never destroyed: threads may outlive the module.
Traffic& traffic() {
  static Traffic* const the_traffic = new Traffic;
  return *the_traffic;
}

}  // namespace

ReleasedGil::ReleasedGil() {
  if (traffic().begin()) state_ = PyEval_SaveThread();
}

ReleasedGil::~ReleasedGil() {
  if (state_ == nullptr) return;
  PyEval_RestoreThread(state_);
  traffic().finish();
}

TakenGil::TakenGil() : entered_(traffic().begin()) {
  if (entered_) state_ = PyGILState_Ensure();
}

TakenGil::~TakenGil() {
  if (!entered_) return;
  PyGILState_Release(state_);
  traffic().finish();
}

bool end_traffic(std::chrono::milliseconds patience) {
  PyThreadState* const state = PyEval_SaveThread();
  bool quiet = false;
  {
    std::unique_lock lock(traffic().mutex);
    traffic().ended = true;
    quiet = traffic().changed.wait_for(lock, patience, [] { return traffic().crossing == 0; });
  }
  PyEval_RestoreThread(state);
  return quiet;
}

bool traffic_has_ended() {
  const std::lock_guard lock(traffic().mutex);
  return traffic().ended;
}

}  // namespace openrknn::python
