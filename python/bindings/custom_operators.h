// Python code as custom operators.
#pragma once

#include <nanobind/nanobind.h>

#include "toolkit/custom_operators.h"

namespace openrknn::python {

namespace nb = nanobind;

/// `infer(attributes, [(shape, dtype name)]) -> [(shape, dtype name)]`, `compute(attributes, [array]) -> [array]`;
/// None: there is none. Both take the GIL themselves, on whatever thread they are called. What they raise becomes an
/// Error (RuntimeCallFailed) naming the operator. Call with the GIL held.
CustomOperatorCode custom_operator(const std::string& type, nb::object infer, nb::object compute);

}  // namespace openrknn::python
