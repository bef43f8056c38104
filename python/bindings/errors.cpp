// openrknn.Error and the translation of C++ errors into it.
#include <fmt/format.h>
#include <nanobind/stl/string.h>

#include "bindings/subjects.h"
#include "core/base/error.h"

namespace openrknn::python {
nb::object text_of(std::string_view bytes) {
  return nb::steal(PyUnicode_DecodeUTF8(bytes.data(), static_cast<Py_ssize_t>(bytes.size()), "backslashreplace"));
}

namespace {

nb::list diagnostics_of(const Error& error) {
  constexpr const char* kSeverities[] = {"error", "warning", "note"};
  nb::list list;
  for (const Diagnostic& diagnostic : error.diagnostics) {
    nb::dict entry;
    entry["code"] = fmt::format("E{:04}", static_cast<int>(diagnostic.code));
    entry["name"] = to_string(diagnostic.code).substr(6);
    entry["severity"] = kSeverities[static_cast<size_t>(diagnostic.severity)];
    entry["file"] = text_of(diagnostic.where.file);
    entry["line"] = diagnostic.where.line;
    entry["node"] = text_of(diagnostic.where.node);
    entry["tensor"] = text_of(diagnostic.where.tensor);
    entry["problem"] = text_of(diagnostic.problem);
    entry["fix"] = text_of(diagnostic.fix);
    list.append(entry);
  }
  return list;
}

}  // namespace

void bind_errors(nb::module_& module) {
  // Both a ValueError and a RuntimeError: scripts written for either peer catch it.
  const nb::object base = nb::make_tuple(nb::handle(PyExc_ValueError), nb::handle(PyExc_RuntimeError));
  nb::dict members;
  members["__doc__"] =
      "What is wrong, where, and how to mend it. `code` is stable ('E0103'); `diagnostics` lists every problem found.";
  members["__module__"] = module.attr("__name__");
  const nb::object error_type = nb::handle(&PyType_Type)("Error", base, members);
  module.attr("Error") = error_type;
  nb::register_exception_translator(
      [](const std::exception_ptr& pointer, void* payload) {
        try {
          std::rethrow_exception(pointer);
        } catch (const Error& error) {
          const nb::handle type(static_cast<PyObject*>(payload));
          const nb::object instance = type(text_of(error.what()));
          instance.attr("code") = fmt::format("E{:04}", static_cast<int>(error.code()));
          instance.attr("diagnostics") = diagnostics_of(error);
          PyErr_SetObject(type.ptr(), instance.ptr());
        }
      },
      error_type.ptr());
}

}  // namespace openrknn::python
