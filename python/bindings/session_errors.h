#pragma once

#include <exception>

#include "bindings/subjects.h"

namespace openrknn::python {

/// The Python exception for a C++ one. With the GIL held.
nb::object exception_of(const std::exception_ptr&);

}  // namespace openrknn::python
