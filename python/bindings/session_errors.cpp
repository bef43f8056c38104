// The session's exceptions as Python knows them. All are RuntimeErrors: that is what scripts catch.
#include <nanobind/stl/string.h>

#include "bindings/session_errors.h"
#include "openrknn/session.hpp"

namespace openrknn::python {
namespace {

/// The types, owned by the module; never freed, because results may be translated while the module goes.
struct Types {
  PyObject *rknn = nullptr, *option = nullptr, *timeout = nullptr, *cancelled = nullptr;
};
Types& types() {
  static Types* const the_types = new Types;
  return *the_types;
}

PyObject* make_type(nb::module_& module, const char* name, std::initializer_list<PyObject*> bases, const char* doc) {
  nb::list list;
  for (PyObject* base : bases) list.append(nb::handle(base));
  nb::dict members;
  members["__doc__"] = doc;
  members["__module__"] = module.attr("__name__");
  const nb::object type = nb::handle(&PyType_Type)(name, nb::tuple(list), members);
  module.attr(name) = type;
  return type.inc_ref().ptr();
}

nb::object make_exception(PyObject* type, const SessionError& error) {
  const nb::object instance = nb::handle(type)(text_of(error.what()));
  instance.attr("code") = error.code;
  instance.attr("api") = error.api;
  return instance;
}

}  // namespace

nb::object exception_of(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const OptionError& error) {
    return make_exception(types().option, error);
  } catch (const TimeoutError& error) {
    return make_exception(types().timeout, error);
  } catch (const CancelledError& error) {
    return make_exception(types().cancelled, error);
  } catch (const SessionError& error) {
    return make_exception(types().rknn, error);
  } catch (const std::bad_alloc&) {
    return nb::handle(PyExc_MemoryError)();
  } catch (const std::exception& error) {
    return nb::handle(PyExc_RuntimeError)(text_of(error.what()));
  }
}

void bind_session_errors(nb::module_& module) {
  types().rknn = make_type(module, "RknnError", {PyExc_RuntimeError},
                           "A session or its runtime failed. `api`, `code`: the call of the C API and what it "
                           "returned; '' and 0 if none was at fault.");
  types().option =
      make_type(module, "OptionError", {types().rknn, PyExc_ValueError}, "A provider option is not what it may be.");
  types().timeout = make_type(module, "SessionTimeout", {types().rknn, PyExc_TimeoutError},
                              "No place in the queue, or no result, in the time allowed.");
  types().cancelled = make_type(module, "TaskCancelled", {types().rknn},
                                "The task was taken back before it ran: closed, cancelled or dropped.");
  nb::register_exception_translator([](const std::exception_ptr& pointer, void*) {
    try {
      std::rethrow_exception(pointer);
    } catch (const SessionError&) {
      const nb::object instance = exception_of(pointer);
      PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(instance.ptr())), instance.ptr());
    }
  });
}

}  // namespace openrknn::python
