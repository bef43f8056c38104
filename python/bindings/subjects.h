#pragma once

#include <nanobind/nanobind.h>

#include <string_view>

namespace openrknn::python {

namespace nb = nanobind;

/// A Python string of bytes that ought to be UTF-8: names in damaged files are not.
nb::object text_of(std::string_view bytes);

void bind_errors(nb::module_&);
void bind_graph(nb::module_&);
void bind_model(nb::module_&);
void bind_estimates(nb::module_&);
void bind_build(nb::module_&);
void bind_distributed(nb::module_&);
void bind_toolkit(nb::module_&);
void bind_onnx_edit(nb::module_&);
void bind_session_errors(nb::module_&);
void bind_session(nb::module_&);
void bind_io_binding(nb::module_&);

}  // namespace openrknn::python
