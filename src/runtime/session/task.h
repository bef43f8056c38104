// One run of the model on its way through the session.
#pragma once

#include <exception>
#include <functional>
#include <memory>

#include "openrknn/session.hpp"
#include "runtime/session/block.h"
#include "runtime/session/feed.h"
#include "runtime/session/scheduler.h"

namespace openrknn::session {

class Delivery;

/// When what happened; the clock's zero where it did not.
struct TaskTimes {
  Clock::time_point started{}, inputs_set{}, run{}, finished{}, callback{}, delivered{};
};

/// A task. Reused: its vectors keep their room.
struct Task : Ticket {
  PreparedFeed feed;
  std::vector<size_t> selection;  ///< outputs in the caller's order
  BlockPointer outputs;           ///< one array an entry of `fetched`
  std::vector<size_t> fetched;    ///< distinct outputs, ascending
  std::exception_ptr failure;
  TaskTimes times;
  Callback callback;                    ///< called by a Delivery, exactly once; or:
  std::function<void(Task&)> finished;  ///< called where the task ends: takes the results, quickly
  Delivery* delivery = nullptr;         ///< of tasks with a callback
  Task* next = nullptr;                 ///< in the delivery's list

  void clear();  ///< for the next use
  std::vector<Array> results() const;
};

}  // namespace openrknn::session
