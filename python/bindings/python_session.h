#pragma once

#include <nanobind/nanobind.h>

#include "bindings/gil.h"
#include "openrknn/session.hpp"

namespace openrknn::python {

/// The garbage collector destroys sessions with the GIL held, and their last callbacks want it.
struct PythonSession : Session {
  using Session::Session;
  ~PythonSession() {
    if (traffic_has_ended()) {  // closed already, or a run hangs: the process ends without it
      static_cast<void>(new Session(std::move(*this)));
      return;
    }
    const ReleasedGil release;
    const Session closed(std::move(*this));
  }
};

}  // namespace openrknn::python
