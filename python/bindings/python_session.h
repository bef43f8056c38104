#pragma once

#include <nanobind/nanobind.h>

#include "openrknn/session.hpp"

namespace openrknn::python {

/// The garbage collector destroys sessions with the GIL held, and their last callbacks want it.
struct PythonSession : Session {
  using Session::Session;
  ~PythonSession() {
    const nanobind::gil_scoped_release release;
    const Session closed(std::move(*this));
  }
};

}  // namespace openrknn::python
