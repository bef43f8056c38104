// openrknn.InferenceSession: ONNX Runtime's shape of API over a .rknn model.
#include "openrknn/session.hpp"

#include <nanobind/ndarray.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstring>

#include "bindings/arrays.h"
#include "bindings/subjects.h"
#include "core/base/error.h"

namespace openrknn::python {
namespace {

struct ElementRow {
  DType dtype;
  ElementType element;
};
constexpr ElementRow kElements[] = {
    {DType::Float32, ElementType::Float32}, {DType::Float16, ElementType::Float16},
    {DType::Int8, ElementType::Int8},       {DType::UInt8, ElementType::UInt8},
    {DType::Int16, ElementType::Int16},     {DType::UInt16, ElementType::UInt16},
    {DType::Int32, ElementType::Int32},     {DType::UInt32, ElementType::UInt32},
    {DType::Int64, ElementType::Int64},     {DType::Bool, ElementType::Bool},
};

// The tensor keeps the array alive; the view borrows from it.
ArrayView view_of(const Tensor& tensor) {
  for (const ElementRow& row : kElements) {
    if (row.dtype == tensor.dtype()) return {row.element, tensor.shape(), tensor.bytes().data()};
  }
  throw SessionError("Unsupported numpy dtype for RKNN input");
}

struct HeldFeed {
  std::vector<Tensor> tensors;
  Feed feed;
};

HeldFeed feed_of(nb::handle object) {
  HeldFeed held;
  std::vector<std::string> names;
  const auto hold = [&](nb::handle array) {
    try {
      held.tensors.push_back(tensor_from_array(array, "input"));
    } catch (const Error&) {
      throw SessionError("Unsupported numpy dtype for RKNN input");
    }
  };
  if (nb::isinstance<nb::dict>(object)) {
    held.feed.kind = Feed::Kind::Dict;
    for (const auto [key, value] : nb::borrow<nb::dict>(object)) {
      names.push_back(nb::cast<std::string>(nb::str(key)));
      hold(value);
    }
  } else if (nb::isinstance<nb::list>(object) || nb::isinstance<nb::tuple>(object)) {
    held.feed.kind = Feed::Kind::List;
    for (const nb::handle item : object) hold(item);
  } else if (nb::hasattr(object, "__array_interface__")) {
    held.feed.kind = Feed::Kind::Single;
    hold(object);
  } else {
    throw SessionError("input_feed must be a numpy array, list/tuple, or dict");
  }
  names.resize(held.tensors.size());
  for (size_t i = 0; i < held.tensors.size(); ++i) held.feed.arrays.emplace_back(names[i], view_of(held.tensors[i]));
  return held;
}

nb::object array_of(const Array& array) {
  auto* owner = new std::shared_ptr<float[]>(array.data);
  const nb::capsule capsule(owner, [](void* p) noexcept { delete static_cast<std::shared_ptr<float[]>*>(p); });
  std::vector<size_t> shape(array.shape.begin(), array.shape.end());
  return nb::cast(nb::ndarray<nb::numpy, float>(array.data.get(), shape.size(), shape.data(), capsule));
}

OptionValue option_of(nb::handle object) {
  if (object.is_none()) return {};
  if (nb::isinstance<nb::bool_>(object)) return nb::cast<bool>(object);
  if (nb::isinstance<nb::int_>(object)) {
    int overflow = 0;
    const long long number = PyLong_AsLongLongAndOverflow(object.ptr(), &overflow);
    return overflow == 0 ? OptionValue(static_cast<int64_t>(number)) : OptionValue::other();
  }
  if (nb::isinstance<nb::str>(object)) return nb::cast<std::string>(object);
  if (nb::hasattr(object, "__fspath__"))
    return OptionValue::path(nb::cast<std::string>(nb::str(object.attr("__fspath__")())));
  if (nb::isinstance<nb::list>(object) || nb::isinstance<nb::tuple>(object)) {
    std::vector<OptionValue> list;
    for (const nb::handle item : object) list.push_back(option_of(item));
    return list;
  }
  return OptionValue::other();
}

// None, a dict, or a sequence whose first element is the dict (session.md 2.3: what ONNX Runtime users write).
OptionList options_of(nb::handle object) {
  constexpr const char* kMessage = "provider_options must be a dict or a sequence whose first element is a dict";
  OptionList options;
  if (object.is_none()) return options;
  nb::object dict = nb::borrow(object);
  if (!nb::isinstance<nb::dict>(dict)) {
    if (nb::isinstance<nb::str>(dict) || !PySequence_Check(dict.ptr())) throw OptionError(kMessage);
    if (nb::len(dict) == 0) return options;
    dict = dict[0];
    if (!nb::isinstance<nb::dict>(dict)) throw OptionError(kMessage);
  }
  for (const auto [key, value] : nb::borrow<nb::dict>(dict))
    options.emplace_back(nb::cast<std::string>(nb::str(key)), option_of(value));
  return options;
}

std::optional<std::vector<std::string>> names_of(nb::handle object) {
  if (object.is_none()) return std::nullopt;
  if (nb::isinstance<nb::str>(object) || !PySequence_Check(object.ptr()))
    throw SessionError("output_names must be a sequence or None");
  std::vector<std::string> names;
  for (const nb::handle item : object) names.push_back(nb::cast<std::string>(nb::str(item)));
  return names;
}

void construct(Session* self, nb::handle model, nb::handle, nb::handle, nb::handle provider_options) {
  const SessionOptions options = parse_provider_options(options_of(provider_options));
  if (nb::isinstance<nb::bytes>(model)) {
    const nb::bytes bytes = nb::borrow<nb::bytes>(model);
    const std::span<const std::byte> span(reinterpret_cast<const std::byte*>(bytes.c_str()), bytes.size());
    const nb::gil_scoped_release release;
    new (self) Session(span, options);
    return;
  }
  const std::string path = nb::cast<std::string>(nb::str(nb::module_::import_("os").attr("fspath")(model)));
  const nb::gil_scoped_release release;
  new (self) Session(std::filesystem::path(path), options);
}

nb::list run(Session& self, nb::handle output_names, nb::handle input_feed, nb::handle) {
  const std::optional<std::vector<std::string>> names = names_of(output_names);
  const HeldFeed held = feed_of(input_feed);
  std::vector<Array> arrays;
  {
    const nb::gil_scoped_release release;
    arrays = self.run(names, held.feed);
  }
  nb::list results;
  for (const Array& array : arrays) results.append(array_of(array));
  return results;
}

struct ModelMetadata {
  std::map<std::string, std::string> custom_metadata_map;
};

}  // namespace

void bind_session(nb::module_& module) {
  nb::class_<NodeArg>(module, "NodeArg", "One input or output: name, shape, type ('tensor(float16)'), layout.")
      .def_ro("name", &NodeArg::name)
      .def_ro("shape", &NodeArg::shape)
      .def_ro("type", &NodeArg::type)
      .def_ro("layout", &NodeArg::layout)
      .def("__repr__", [](const NodeArg& self) {
        std::string shape;
        for (const int64_t extent : self.shape) shape += (shape.empty() ? "" : ", ") + std::to_string(extent);
        return "NodeArg(name='" + self.name + "', shape=[" + shape + "], type='" + self.type + "')";
      });
  nb::class_<ModelMetadata>(module, "ModelMetadata").def_ro("custom_metadata_map", &ModelMetadata::custom_metadata_map);
  nb::class_<Session>(module, "InferenceSession",
                      "InferenceSession(path_or_bytes, sess_options=None, providers=None, "
                      "provider_options=None)\n\nRuns a .rknn model over librknnrt: on the simulator "
                      "here, on the NPU of a board. Thread-safe. Usable as a context manager. Raises RuntimeError.")
      .def("__init__", &construct, nb::arg("path_or_bytes"), nb::arg("sess_options") = nb::none(),
           nb::arg("providers") = nb::none(), nb::arg("provider_options") = nb::none())
      .def("run", &run, nb::arg("output_names") = nb::none(), nb::arg("input_feed").none(),
           nb::arg("run_options") = nb::none(),
           "run(output_names, input_feed) -> list of float32 arrays\n\noutput_names: None = all. input_feed: dict by "
           "name, list by position, or one array; "
           "raw values, mean and std are applied by the runtime.")
      .def("get_inputs", [](const Session& self) { return self.inputs(); })
      .def("get_outputs", [](const Session& self) { return self.outputs(); })
      .def_prop_ro("input_names",
                   [](const Session& self) {
                     std::vector<std::string> names;
                     for (const NodeArg& arg : self.inputs()) names.push_back(arg.name);
                     return names;
                   })
      .def_prop_ro("output_names",
                   [](const Session& self) {
                     std::vector<std::string> names;
                     for (const NodeArg& arg : self.outputs()) names.push_back(arg.name);
                     return names;
                   })
      .def("get_modelmeta", [](const Session& self) { return ModelMetadata{self.custom_metadata_map()}; })
      .def("close", &Session::close, nb::call_guard<nb::gil_scoped_release>(), "Ends the session; further runs raise.")
      .def("__enter__", [](nb::object self) { return self; })
      .def("__exit__", [](Session& self, nb::args) {
        const nb::gil_scoped_release release;
        self.close();
      });
}

}  // namespace openrknn::python
