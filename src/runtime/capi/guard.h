// The edge: exceptions become return codes and log lines, nothing else gets out.
#pragma once

#include <exception>
#include <string>

#include "core/base/error.h"
#include "runtime/capi/state.h"

namespace openrknn::capi {

/// Text of this thread's last failed call.
const std::string& last_diagnostic();

/// Logs the exception in flight under the function's name, keeps its text for the door, gives the return code.
int report_current_exception(const char* function) noexcept;

/// An error with a return code of its own, where the documents name one.
struct ApiError : Error {
  ApiError(int return_code, Code code, std::string problem, std::string fix = {});
  int return_code;
  bool expected = false;  ///< programs ask for this answer on purpose: a warning in the log, no error
};

/// Throws Error (RuntimeBadArgument) naming the argument.
void require_pointer(const void* pointer, const char* argument);

/// Runs `body` (returning nothing or a code); every failure is a negative code.
template <class Body>
int guard(const char* function, Body&& body) noexcept {
  try {
    body();
    return RKNN_SUCC;
  } catch (...) {
    return report_current_exception(function);
  }
}

/// Alive while code of the program runs inside of a call on this context. That call holds the context's mutex: another
/// one on the same context would wait for itself.
class CallbackScope {
 public:
  explicit CallbackScope(const ContextState&);
  ~CallbackScope();
  CallbackScope(const CallbackScope&) = delete;
  CallbackScope& operator=(const CallbackScope&) = delete;

 private:
  friend void require_no_callback(const ContextState&);
  const ContextState& state_;
  const CallbackScope* const outer_;
};
/// Throws Error (RuntimeBadArgument) in a callback of that context on this thread.
void require_no_callback(const ContextState&);

/// As guard, for functions on a context: finds it, holds its mutex and waits for a run that is under way.
template <class Body>
int with_context(const char* function, rknn_context handle, Body&& body) noexcept {
  return guard(function, [&] {
    const std::shared_ptr<ContextState> state = library().find(handle);
    require_no_callback(*state);
    const std::lock_guard lock(state->mutex);
    state->background.wait();
    body(*state);
  });
}

/// Fails with a sentence that names what is asked for.
[[noreturn]] void refuse_unbuilt(const std::string& what);

}  // namespace openrknn::capi
