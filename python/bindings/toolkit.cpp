// What rknn.api.RKNN stands on.
#include "toolkit/toolkit.h"

#include <fmt/format.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings/arrays.h"
#include "bindings/custom_operators.h"
#include "bindings/interrupt.h"
#include "bindings/subjects.h"
#include "compiler/analysis/error_table.h"
#include "toolkit/codegen.h"
#include "toolkit/device_address.h"
#include "toolkit/settings.h"

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

std::vector<std::string> formats_of(nb::handle given) {
  if (given.is_none()) return {};
  if (nb::isinstance<nb::str>(given)) return {nb::cast<std::string>(given)};
  std::vector<std::string> formats;
  const bool is_list = nb::isinstance<nb::list>(given) || nb::isinstance<nb::tuple>(given);
  for (const nb::handle item : is_list ? nb::borrow<nb::object>(given) : nb::object(nb::list())) {
    if (!nb::isinstance<nb::str>(item)) break;
    formats.push_back(nb::cast<std::string>(item));
  }
  if (!is_list || formats.size() != nb::len(given)) {
    fail(Code::RuntimeBadInput, "inference: data_format: got " + nb::cast<std::string>(nb::repr(given)),
         "use 'nhwc' or 'nchw', or a list of them");
  }
  return formats;
}

std::vector<bool> flags_of(nb::handle given) {
  if (given.is_none()) return {};
  const std::string name = "inference: inputs_pass_through";
  const ArgumentValue value = argument_from_object(given, name);
  const auto* list = std::get_if<std::vector<ArgumentValue>>(&value.data);
  if (list == nullptr) fail(Code::RuntimeBadInput, name + ": got " + to_string(value), "give a list of 0 or 1");
  std::vector<bool> flags;
  for (const ArgumentValue& item : *list) flags.push_back(bool_of(item, name));
  return flags;
}

}  // namespace

void bind_toolkit(nb::module_& module) {
  module.def("list_devices", [] {
    std::vector<std::string> serials;
    {
      const nb::gil_scoped_release release;
      for (const AdbDevice& device : adb_devices()) serials.push_back(device.serial);
    }
    return nb::make_tuple(nb::cast(serials), nb::cast(known_servers()));
  });
  module.def(
      "check_options",
      [](const std::string& method, const nb::dict& values) {
        std::vector<std::string> warnings;
        check_options(method, arguments_from_dict(values), warnings);
        return warnings;
      },
      nb::arg("method"), nb::arg("values"));
  module.def(
      "read_yaml", [](const std::string& path) { return object_from_argument(ArgumentValue(read_yaml_options(path))); },
      nb::arg("path"), "A YAML file's top-level mapping, as a dict.");
  using Unlocked = nb::call_guard<nb::gil_scoped_release>;
  module.def(
      "codegen",
      [](const std::string& model, const std::string& folder, std::vector<std::string> inputs,
         std::vector<bool> rgb_to_bgr, bool overwrite) {
        generate_project({.model = model,
                          .folder = folder,
                          .inputs = std::move(inputs),
                          .rgb_to_bgr = std::move(rgb_to_bgr),
                          .overwrite = overwrite});
      },
      nb::arg("model"), nb::arg("folder"), nb::arg("inputs"), nb::arg("rgb_to_bgr"), nb::arg("overwrite"), Unlocked());
  nb::class_<Toolkit>(module, "Toolkit")
      .def(
          "__init__",
          [](Toolkit* self, nb::object log) { new (self) Toolkit(sink_to(std::move(log)), until_interrupted()); },
          nb::arg("log"))
      .def("config", [](Toolkit& self, const nb::dict& values) { self.config(arguments_from_dict(values)); })
      .def(
          "reg_custom_op",
          [](Toolkit& self, const std::string& type, nb::object infer, nb::object compute) {
            self.reg_custom_op(custom_operator(type, std::move(infer), std::move(compute)));
          },
          nb::arg("type"), nb::arg("infer").none(), nb::arg("compute").none())
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
      .def(
          "load_darknet",
          [](Toolkit& self, const std::string& path, const std::string& weights) { self.load_darknet(path, weights); },
          Unlocked())
      .def(
          "load_caffe",
          [](Toolkit& self, const std::string& path, const std::string& blobs, std::vector<std::string> inputs) {
            self.load_caffe(path, blobs, std::move(inputs));
          },
          Unlocked())
      .def("load_pytorch",
           [](Toolkit& self, const std::string& path, const nb::dict& values) {
             const ArgumentValues options = arguments_from_dict(values);
             const nb::gil_scoped_release release;
             self.load_pytorch(path, options);
           })
      .def("load_tensorflow",
           [](Toolkit& self, const std::string& path, const nb::dict& values) {
             const ArgumentValues options = arguments_from_dict(values);
             const nb::gil_scoped_release release;
             self.load_tensorflow(path, options);
           })
      .def(
          "load_tflite",
          [](Toolkit& self, const std::string& path, bool inputs_are_nchw) { self.load_tflite(path, inputs_are_nchw); },
          Unlocked())
      .def("get_sdk_version", &Toolkit::get_sdk_version, Unlocked())
      .def("eval_perf", &Toolkit::eval_perf, nb::arg("fix_freq"), Unlocked())
      .def("eval_memory",
           [](Toolkit& self) {
             MemoryReport report;
             {
               const nb::gil_scoped_release release;
               report = self.eval_memory();
             }
             nb::dict sizes;
             sizes["weight_memory"] = report.weight;
             sizes["internal_memory"] = report.internal;
             sizes["other_memory"] = report.other;
             sizes["total_memory"] = report.total();
             sizes["total_model_allocation"] = report.total();
             return nb::make_tuple(memory_text(report), sizes);
           })
      .def("build",
           [](Toolkit& self, const nb::dict& values) {
             const ArgumentValues options = arguments_from_dict(values);
             const nb::gil_scoped_release release;
             self.build(options);
           })
      .def("hybrid_quantization_step1",
           [](Toolkit& self, const nb::dict& values) {
             const ArgumentValues options = arguments_from_dict(values);
             const nb::gil_scoped_release release;
             self.hybrid_quantization_step1(options);
           })
      .def("hybrid_quantization_step2",
           [](Toolkit& self, const nb::dict& values) {
             const ArgumentValues options = arguments_from_dict(values);
             const nb::gil_scoped_release release;
             self.hybrid_quantization_step2(options);
           })
      .def(
          "export_rknn", [](Toolkit& self, const std::string& path) { self.export_rknn(path); }, Unlocked())
      .def("codegen",
           [](Toolkit& self, const nb::dict& values) {
             const ArgumentValues options = arguments_from_dict(values);
             const nb::gil_scoped_release release;
             self.codegen(options);
           })
      .def(
          "load_rknn",
          [](Toolkit& self, const std::string& path, const std::string& key_file) { self.load_rknn(path, key_file); },
          Unlocked())
      .def("export_encrypted_rknn_model",
           [](Toolkit& self, const nb::dict& values) {
             const ArgumentValues options = arguments_from_dict(values);
             const nb::gil_scoped_release release;
             self.export_encrypted_rknn_model(options);
           })
      .def("init_runtime",
           [](Toolkit& self, const nb::dict& values) {
             const ArgumentValues options = arguments_from_dict(values);
             const nb::gil_scoped_release release;
             self.init_runtime(options);
           })
      .def(
          "inference",
          [](Toolkit& self, const nb::list& arrays, const nb::object& data_format, const nb::object& through) {
            std::vector<Tensor> inputs, outputs;
            std::vector<std::string> formats = formats_of(data_format);
            std::vector<bool> pass_through = flags_of(through);
            for (const nb::handle array : arrays)
              inputs.push_back(tensor_from_array(array, fmt::format("inputs[{}]", inputs.size())));
            {
              const nb::gil_scoped_release release;
              outputs = self.inference(std::move(inputs), std::move(formats), std::move(pass_through));
            }
            return arrays_from_tensors(std::move(outputs));
          },
          nb::arg("inputs"), nb::arg("data_format").none(), nb::arg("inputs_pass_through").none())
      .def(
          "accuracy_analysis",
          [](Toolkit& self, const nb::dict& values, bool colour) {
            const ArgumentValues options = arguments_from_dict(values);
            const nb::gil_scoped_release release;
            return error_table(self.accuracy_analysis(options), colour);
          },
          nb::arg("values"), nb::arg("colour"))
      .def("release", &Toolkit::release);
}

}  // namespace openrknn::python
