// The extension module: one init function a subject, in order of dependence.
#include <nanobind/nanobind.h>

#include <string>

#include "bindings/subjects.h"
#include "core/base/version.h"

NB_MODULE(_core, module) {
  using namespace openrknn::python;
  module.attr("__version__") = std::string(openrknn::version()).c_str();
  // A daemon thread may hold a session when the interpreter ends, and nobody can take it from there.
  nanobind::set_leak_warnings(false);
  bind_errors(module);
  module.attr("has_compiler") = static_cast<bool>(OPENRKNN_HAS_COMPILER);
#if OPENRKNN_HAS_COMPILER
  bind_graph(module);
  bind_model(module);
  bind_estimates(module);
  bind_build(module);
  bind_distributed(module);
  bind_toolkit(module);
  bind_onnx_edit(module);
#endif
  bind_session_errors(module);
  bind_session(module);
  bind_io_binding(module);
}
