// Device memory and bindings of it: what OrtValue and SessionIOBinding (io_binding.py) stand on.
#include "openrknn/io_binding.hpp"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings/gil.h"
#include "bindings/python_session.h"
#include "bindings/session_arguments.h"
#include "bindings/subjects.h"

namespace openrknn::python {
namespace {

IoKind io_kind_of(const std::string& text) {
  if (text == "input") return IoKind::Input;
  if (text == "output") return IoKind::Output;
  throw SessionError("io_kind must be 'input' or 'output'");
}

void construct_device_array(DeviceArray* self, PythonSession& session, const std::string& name, const std::string& kind,
                            uint64_t mem_flags) {
  const IoKind io_kind = io_kind_of(kind);
  const ReleasedGil release;
  new (self) DeviceArray(session, name, io_kind, mem_flags);
}

DeviceArray from_fd(PythonSession& session, const std::string& name, const std::string& kind, int fd, uint64_t size,
                    int32_t offset, uintptr_t address) {
  const IoKind io_kind = io_kind_of(kind);
  const ReleasedGil release;
  return {session, name, io_kind, fd, size, offset, reinterpret_cast<void*>(address)};
}

nb::object read(const DeviceArray& self) {
  auto* bytes = new std::vector<std::byte>(self.dense_bytes());
  const nb::capsule owner(bytes, [](void* p) noexcept { delete static_cast<std::vector<std::byte>*>(p); });
  {
    const ReleasedGil release;
    self.read(bytes->data());
  }
  return numpy_of(self.type(), bytes->data(), self.shape(), owner);
}

void write(DeviceArray& self, nb::handle array) {
  const HeldArray held(array);
  const ReleasedGil release;
  self.write(held.view());
}

nb::dict device_memory_info(const DeviceArray& self) {
  const DeviceMemoryInfo info = self.memory_info();
  nb::dict result;
  result["device_type"] = "rknpu2";
  result["device_id"] = 0;
  result["size"] = info.size;
  result["fd"] = info.fd;
  result["offset"] = info.offset;
  result["virt_addr"] = info.virt_addr;
  result["import_count"] = info.owned ? 0 : 1;
  result["dmabuf_backed"] = info.fd > 0;
  result["attr_size"] = info.attr_size;
  result["size_with_stride"] = info.size_with_stride;
  result["w_stride"] = info.w_stride;
  result["h_stride"] = info.h_stride;
  result["fmt"] = info.format;
  result["pass_through"] = info.pass_through;
  return result;
}

}  // namespace

void bind_io_binding(nb::module_& module) {
  const auto without_gil = nb::call_guard<ReleasedGil>();
  nb::class_<DeviceArray>(module, "DeviceArray")
      .def("__init__", &construct_device_array, nb::arg("session"), nb::arg("name"), nb::arg("io_kind"),
           nb::arg("mem_flags") = 0)
      .def_static("from_fd", &from_fd, nb::arg("session"), nb::arg("name"), nb::arg("io_kind"), nb::arg("fd"),
                  nb::arg("size"), nb::arg("offset") = 0, nb::arg("address") = 0)
      .def("read", &read)
      .def("write", &write, nb::arg("array"))
      .def_prop_ro("shape", [](const DeviceArray& self) { return self.shape(); })
      .def_prop_ro("type", [](const DeviceArray& self) { return type_name(self.type()); })
      .def_prop_ro("name", &DeviceArray::name)
      .def("sync_to_device", &DeviceArray::sync_to_device, without_gil)
      .def("sync_from_device", &DeviceArray::sync_from_device, without_gil)
      .def("memory_info", &device_memory_info);
  nb::class_<IoBinding>(module, "IoBinding")
      .def(
          "__init__",
          [](IoBinding* self, PythonSession& session) {
            const ReleasedGil release;
            new (self) IoBinding(session.io_binding());
          },
          nb::arg("session"))
      .def("bind_input", &IoBinding::bind_input, nb::arg("name"), nb::arg("array"))
      .def("bind_output", &IoBinding::bind_output, nb::arg("name"), nb::arg("array"))
      .def("clear_inputs", &IoBinding::clear_inputs)
      .def("clear_outputs", &IoBinding::clear_outputs)
      .def("outputs", &IoBinding::outputs)
      .def("synchronize_inputs", &IoBinding::synchronize_inputs, without_gil)
      .def("synchronize_outputs", &IoBinding::synchronize_outputs, without_gil)
      .def("run", &IoBinding::run, without_gil)
      .def(
          "belongs_to", [](const IoBinding& self, PythonSession& session) { return self.belongs_to(session); },
          without_gil);
}

}  // namespace openrknn::python
