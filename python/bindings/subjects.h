#pragma once

#include <nanobind/nanobind.h>

namespace openrknn::python {

namespace nb = nanobind;

void bind_errors(nb::module_&);
void bind_graph(nb::module_&);
void bind_model(nb::module_&);
void bind_toolkit(nb::module_&);
void bind_session(nb::module_&);

}  // namespace openrknn::python
