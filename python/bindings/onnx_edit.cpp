// openrknn.edit_onnx and rknn.utils.onnx_edit.
#include "toolkit/onnx_edit.h"

#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings/subjects.h"

namespace openrknn::python {

void bind_onnx_edit(nb::module_& module) {
  using Equations = std::vector<std::pair<std::string, std::string>>;
  module.def(
      "edit_onnx",
      [](const std::string& model, const std::string& output, Equations inputs, Equations outputs,
         const std::string& dataset) {
        const OnnxEdit edit{model, output, std::move(inputs), std::move(outputs), dataset};
        const nb::gil_scoped_release release;
        return edit_onnx(edit).texts;
      },
      nb::arg("model"), nb::arg("output"), nb::arg("inputs"), nb::arg("outputs"), nb::arg("dataset"));
}

}  // namespace openrknn::python
