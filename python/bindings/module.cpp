// The extension module: one init function a subject, in order of dependence.
#include <nanobind/nanobind.h>

#include <string>

#include "bindings/subjects.h"
#include "core/base/version.h"

NB_MODULE(_core, module) {
  using namespace openrknn::python;
  module.attr("__version__") = std::string(openrknn::version()).c_str();
  bind_errors(module);
  bind_graph(module);
  bind_model(module);
  bind_toolkit(module);
  bind_session_errors(module);
  bind_session(module);
  bind_io_binding(module);
}
