#include "bindings/custom_operators.h"

#include <fmt/format.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <memory>

#include "bindings/arrays.h"
#include "core/graph/custom.h"

namespace openrknn::python {
namespace {

/// An object that threads without the GIL may copy and drop.
using Shared = std::shared_ptr<PyObject>;

Shared share(nb::object object) {
  if (object.is_none()) return nullptr;
  return Shared(object.release().ptr(), [](PyObject* raw) {
    const nb::gil_scoped_acquire gil;
    Py_DECREF(raw);
  });
}

nb::object attribute_value(const Attribute& attribute) {
  return std::visit(
      [](const auto& value) -> nb::object {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, Tensor>) {
          return array_from_tensor(value);
        } else if constexpr (std::is_same_v<T, std::shared_ptr<const Graph>>) {
          return nb::none();  // importers refuse graphs in custom operators
        } else {
          return nb::cast(value);
        }
      },
      attribute);
}

/// The source model's own.
nb::dict attributes_dict(const Attributes& attributes) {
  nb::dict dict;
  for (const auto& [name, attribute] : attributes) {
    if (is_users_attribute(name)) dict[name.c_str()] = attribute_value(attribute);
  }
  return dict;
}

DType dtype_named(const std::string& name, const std::string& type) {
  for (const DType dtype : {DType::Float32, DType::Float16, DType::Float64, DType::Int8, DType::UInt8, DType::Int16,
                            DType::UInt16, DType::Int32, DType::UInt32, DType::Int64, DType::UInt64, DType::Bool}) {
    if (numpy_name(dtype) == name) return dtype;
  }
  fail(Code::ConfigBadValue, fmt::format("custom operator {}: shape_infer gave the dtype '{}'", type, name),
       "use a dtype of numpy: numpy.float32, numpy.int64, …");
}

[[noreturn]] void fail_of(const std::string& type, const char* method, const nb::python_error& error) {
  fail(Code::RuntimeCallFailed,
       fmt::format("custom operator {}: {} raised {}: {}", type, method,
                   nb::cast<std::string>(error.type().attr("__name__")), nb::cast<std::string>(nb::str(error.value()))),
       "mend the code of the operator");
}

using Type = CustomDeclaration::Type;

std::vector<Type> infer_types(const std::string& type, PyObject* infer, const Attributes& attributes,
                              std::span<const Type> inputs) {
  const nb::gil_scoped_acquire gil;
  try {
    nb::list given;
    for (const auto& [dtype, shape] : inputs) {
      given.append(nb::make_tuple(nb::cast(shape), std::string(numpy_name(dtype))));
    }
    std::vector<Type> types;
    const nb::object found = nb::handle(infer)(attributes_dict(attributes), given);
    for (const nb::handle item : found) {
      types.emplace_back(dtype_named(nb::cast<std::string>(item[1]), type), nb::cast<Shape>(item[0]));
    }
    return types;
  } catch (const nb::python_error& error) {
    fail_of(type, "shape_infer", error);
  }
}

std::vector<Tensor> compute_outputs(const std::string& type, PyObject* compute, const Attributes& attributes,
                                    std::span<const Tensor> inputs) {
  const nb::gil_scoped_acquire gil;
  try {
    const nb::list arrays = arrays_from_tensors({inputs.begin(), inputs.end()});
    std::vector<Tensor> outputs;
    const nb::object found = nb::handle(compute)(attributes_dict(attributes), arrays);
    for (const nb::handle item : found) outputs.push_back(tensor_from_array(item, "compute of " + type));
    return outputs;
  } catch (const nb::python_error& error) {
    fail_of(type, "compute", error);
  }
}

}  // namespace

CustomOperatorCode custom_operator(const std::string& type, nb::object infer, nb::object compute) {
  CustomOperatorCode code{.type = type};
  if (const Shared shared = share(std::move(infer))) {
    code.infer = [type, shared](const Attributes& attributes, std::span<const Type> inputs) {
      return infer_types(type, shared.get(), attributes, inputs);
    };
  }
  if (const Shared shared = share(std::move(compute))) {
    code.compute = [type, shared](const Attributes& attributes, std::span<const Tensor> inputs) {
      return compute_outputs(type, shared.get(), attributes, inputs);
    };
  }
  return code;
}

}  // namespace openrknn::python
