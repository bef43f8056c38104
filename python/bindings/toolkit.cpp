// What rknn.api.RKNN stands on.
#include "toolkit/toolkit.h"

#include <fmt/format.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings/arrays.h"
#include "bindings/subjects.h"

namespace openrknn::python {
namespace {

// Lines go to a Python callable (level letter, method, text), from whatever thread they come.
MessageSink sink_to(nb::object callable) {
  auto shared = std::shared_ptr<PyObject>(callable.release().ptr(), [](PyObject* raw) {
    const nb::gil_scoped_acquire gil;
    Py_DECREF(raw);
  });
  return [shared](LogLevel level, std::string_view method, std::string_view text) {
    constexpr const char* kLetters[] = {"E", "W", "I", "D", "D"};
    const nb::gil_scoped_acquire gil;
    nb::handle(shared.get())(kLetters[static_cast<size_t>(level)], nb::str(method.data(), method.size()),
                             text_of(text));
  };
}

}  // namespace

void bind_toolkit(nb::module_& module) {
  module.def("unbuilt_methods", [] {
    nb::list list;
    for (const UnbuiltMethod& method : unbuilt_methods())
      list.append(nb::make_tuple(std::string(method.name), method.gives_status));
    return list;
  });
  module.def(
      "refuse_method",
      [](const std::string& name) {
        fail(Code::NotBuilt, name + ": this method is not built yet", "see docs/compatibility.md for what is");
      },
      nb::arg("name"));
  module.def(
      "check_options",
      [](const std::string& method, const nb::dict& values) {
        std::vector<std::string> warnings;
        check_options(method, arguments_from_dict(values), warnings);
        return warnings;
      },
      nb::arg("method"), nb::arg("values"));
  using Unlocked = nb::call_guard<nb::gil_scoped_release>;
  nb::class_<Toolkit>(module, "Toolkit")
      .def(
          "__init__", [](Toolkit* self, nb::object log) { new (self) Toolkit(sink_to(std::move(log))); },
          nb::arg("log"))
      .def("config", [](Toolkit& self, const nb::dict& values) { self.config(arguments_from_dict(values)); })
      .def("load_onnx",
           [](Toolkit& self, const std::string& path, const nb::dict& values, const nb::list& initial) {
             std::vector<std::optional<Tensor>> tensors;
             for (const nb::handle item : initial) {
               tensors.push_back(item.is_none() ? std::nullopt
                                                : std::optional(tensor_from_array(item, "input_initial_val")));
             }
             const ArgumentValues options = arguments_from_dict(values);
             const nb::gil_scoped_release release;
             self.load_onnx(path, options, std::move(tensors));
           })
      .def("build",
           [](Toolkit& self, const nb::dict& values) {
             const ArgumentValues options = arguments_from_dict(values);
             const nb::gil_scoped_release release;
             self.build(options);
           })
      .def(
          "export_rknn", [](Toolkit& self, const std::string& path) { self.export_rknn(path); }, Unlocked())
      .def(
          "load_rknn", [](Toolkit& self, const std::string& path) { self.load_rknn(path); }, Unlocked())
      .def("init_runtime",
           [](Toolkit& self, const nb::dict& values) {
             const ArgumentValues options = arguments_from_dict(values);
             const nb::gil_scoped_release release;
             self.init_runtime(options);
           })
      .def("inference",
           [](Toolkit& self, const nb::list& arrays, std::vector<std::string> formats, std::vector<bool> pass_through) {
             std::vector<Tensor> inputs, outputs;
             for (const nb::handle array : arrays)
               inputs.push_back(tensor_from_array(array, fmt::format("inputs[{}]", inputs.size())));
             {
               const nb::gil_scoped_release release;
               outputs = self.inference(std::move(inputs), std::move(formats), std::move(pass_through));
             }
             return arrays_from_tensors(std::move(outputs));
           })
      .def("release", &Toolkit::release);
}

}  // namespace openrknn::python
