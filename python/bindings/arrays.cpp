#include "bindings/arrays.h"

#include <fmt/format.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <array>

#include "bindings/subjects.h"
#include "core/base/error.h"

namespace openrknn::python {
namespace {

struct TypeRow {
  nb::dlpack::dtype_code code;
  uint8_t bits;
  DType dtype;
};
constexpr std::array<TypeRow, 12> kTypes = {{
    {nb::dlpack::dtype_code::Float, 32, DType::Float32},
    {nb::dlpack::dtype_code::Float, 16, DType::Float16},
    {nb::dlpack::dtype_code::Float, 64, DType::Float64},
    {nb::dlpack::dtype_code::Int, 8, DType::Int8},
    {nb::dlpack::dtype_code::Int, 16, DType::Int16},
    {nb::dlpack::dtype_code::Int, 32, DType::Int32},
    {nb::dlpack::dtype_code::Int, 64, DType::Int64},
    {nb::dlpack::dtype_code::UInt, 8, DType::UInt8},
    {nb::dlpack::dtype_code::UInt, 16, DType::UInt16},
    {nb::dlpack::dtype_code::UInt, 32, DType::UInt32},
    {nb::dlpack::dtype_code::UInt, 64, DType::UInt64},
    {nb::dlpack::dtype_code::Bool, 8, DType::Bool},
}};

// Releases a Python reference from whatever thread drops the last tensor.
std::shared_ptr<const void> keep_alive(nb::object object) {
  return {object.release().ptr(), [](PyObject* raw) {
            const nb::gil_scoped_acquire gil;
            Py_DECREF(raw);
          }};
}

std::string dtype_name(const nb::object& array) {
  // An accessor is no object yet: nb::str(accessor) would take it for a string.
  return nb::cast<std::string>(nb::str(nb::object(array.attr("dtype"))));
}

}  // namespace

Tensor tensor_from_array(nb::handle object, const std::string& what) {
  if (object.is_none()) fail(Code::InvalidArgument, what + ": got None", "pass a numeric or bool array");
  const nb::module_ numpy = nb::module_::import_("numpy");
  nb::object array;
  try {
    array = numpy.attr("asarray")(object, nb::arg("order") = "C");
  } catch (const nb::python_error& error) {  // rows of different lengths and the like
    fail(Code::InvalidArgument, fmt::format("{}: {}", what, nb::cast<std::string>(nb::str(error.value()))),
         "pass a numpy array");
  }
  const std::string kind = nb::cast<std::string>(array.attr("dtype").attr("kind"));
  // Types that others register with numpy (bfloat16, float8, …) call themselves numbers too, and are none to nanobind.
  const bool is_numpys_own = nb::cast<int>(array.attr("dtype").attr("isbuiltin")) < 2;
  if (kind.find_first_of("biuf") == std::string::npos || !is_numpys_own) {
    fail(Code::InvalidArgument, fmt::format("{}: arrays of type '{}' cannot be used", what, dtype_name(array)),
         "pass a numeric or bool array");
  }
  if (!nb::cast<bool>(array.attr("dtype").attr("isnative"))) {
    array = array.attr("astype")(array.attr("dtype").attr("newbyteorder")("="));
  }
  const auto view = nb::cast<nb::ndarray<nb::ro, nb::c_contig, nb::device::cpu>>(array);
  for (const TypeRow& row : kTypes) {
    if (view.dtype().code != static_cast<uint8_t>(row.code) || view.dtype().bits != row.bits) continue;
    Shape shape;
    for (size_t i = 0; i < view.ndim(); ++i) shape.push_back(static_cast<int64_t>(view.shape(i)));
    return Tensor::view(row.dtype, shape, {static_cast<const std::byte*>(view.data()), view.nbytes()},
                        keep_alive(array));
  }
  fail(Code::InvalidArgument, fmt::format("{}: arrays of type '{}' cannot be used", what, dtype_name(array)),
       "convert it to float32");
}

nb::object array_from_tensor(Tensor tensor) {
  if (tensor.dtype() == DType::BFloat16) tensor = cast(tensor, DType::Float32);
  if (bit_width(tensor.dtype()) == 4) tensor = cast(tensor, is_signed(tensor.dtype()) ? DType::Int8 : DType::UInt8);
  auto* owned = new Tensor(std::move(tensor));
  const nb::capsule owner(owned, [](void* p) noexcept { delete static_cast<Tensor*>(p); });
  void* data = owned->mutable_bytes().data();  // copies if the bytes are shared: the array may be written
  std::vector<size_t> shape(owned->shape().begin(), owned->shape().end());
  for (const TypeRow& row : kTypes) {
    if (row.dtype != owned->dtype()) continue;
    const nb::dlpack::dtype dtype{static_cast<uint8_t>(row.code), row.bits, 1};
    return nb::cast(nb::ndarray<nb::numpy>(data, shape.size(), shape.data(), owner, nullptr, dtype));
  }
  fail(Code::Internal, fmt::format("no numpy type for {}", name(owned->dtype())));
}

nb::list arrays_from_tensors(std::vector<Tensor> tensors) {
  nb::list arrays;
  for (Tensor& tensor : tensors) arrays.append(array_from_tensor(std::move(tensor)));
  return arrays;
}

ArgumentValue argument_from_object(nb::handle object, const std::string& what) {
  if (object.is_none()) return {};
  if (nb::isinstance<nb::bool_>(object)) return nb::cast<bool>(object);
  if (nb::isinstance<nb::int_>(object)) return nb::cast<int64_t>(object);
  if (nb::isinstance<nb::float_>(object)) return nb::cast<double>(object);
  if (nb::isinstance<nb::str>(object)) return nb::cast<std::string>(object);
  if (nb::isinstance<nb::dict>(object)) {
    std::map<std::string, ArgumentValue> map;
    for (const auto [key, value] : nb::borrow<nb::dict>(object)) {
      map[nb::cast<std::string>(nb::str(key))] = argument_from_object(value, what);
    }
    return map;
  }
  if (nb::hasattr(object, "__fspath__")) return nb::cast<std::string>(nb::str(object));
  if (nb::hasattr(object, "tolist"))
    return argument_from_object(object.attr("tolist")(), what);  // numpy arrays and scalars
  if (nb::isinstance<nb::list>(object) || nb::isinstance<nb::tuple>(object)) {
    std::vector<ArgumentValue> list;
    for (const nb::handle item : object) list.push_back(argument_from_object(item, what));
    return list;
  }
  fail(Code::ConfigBadValue,
       fmt::format("{}: cannot use a value of type '{}'", what, nb::cast<std::string>(object.type().attr("__name__"))));
}

ArgumentValues arguments_from_dict(nb::dict dict) {
  ArgumentValues values;
  for (const auto [key, value] : dict) {
    const std::string name = nb::cast<std::string>(nb::str(key));
    values[name] = argument_from_object(value, name);
  }
  return values;
}

nb::object object_from_argument(const ArgumentValue& value) {
  struct Visitor {
    nb::object operator()(std::monostate) const { return nb::none(); }
    nb::object operator()(bool flag) const { return nb::bool_(flag); }
    nb::object operator()(int64_t number) const { return nb::int_(number); }
    nb::object operator()(double number) const { return nb::float_(number); }
    nb::object operator()(const std::string& text) const { return text_of(text); }
    nb::object operator()(const std::vector<ArgumentValue>& items) const {
      nb::list list;
      for (const ArgumentValue& item : items) list.append(object_from_argument(item));
      return list;
    }
    nb::object operator()(const std::map<std::string, ArgumentValue>& map) const {
      nb::dict dict;
      for (const auto& [key, item] : map) dict[text_of(key)] = object_from_argument(item);
      return dict;
    }
  };
  return std::visit(Visitor{}, value.data);
}

}  // namespace openrknn::python
