// How threads leave and enter the interpreter around a session, so that the interpreter can end while sessions live.
// A thread that asks for the GIL after the interpreter began to end is killed or hangs (PEP 788), so before that
// end_traffic() waits for all that will come back and lets nobody out or in any more.
#pragma once

#include <Python.h>

#include <chrono>

namespace openrknn::python {

/// Gives up the GIL for a scope. After end_traffic() it keeps it: nothing then takes long, sessions are closed.
class ReleasedGil {
 public:
  ReleasedGil();
  ~ReleasedGil();
  ReleasedGil(const ReleasedGil&) = delete;
  ReleasedGil& operator=(const ReleasedGil&) = delete;

 private:
  PyThreadState* state_ = nullptr;
};

/// Takes the GIL for a scope, on any thread. After end_traffic() it does not: ask entered().
class TakenGil {
 public:
  TakenGil();
  ~TakenGil();
  TakenGil(const TakenGil&) = delete;
  TakenGil& operator=(const TakenGil&) = delete;
  bool entered() const { return entered_; }

 private:
  bool entered_ = false;
  PyGILState_STATE state_{};
};

/// With the GIL. False: threads were still outside after `patience`; they must never come back.
bool end_traffic(std::chrono::milliseconds patience);
bool traffic_has_ended();

}  // namespace openrknn::python
