#include "bindings/session_arguments.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <cstring>

namespace openrknn::python {
namespace {

struct FormatRow {
  char kind;  // 'f', 'i', 'u', 'b'
  Py_ssize_t bytes;
  ElementType element;
};
constexpr FormatRow kFormats[] = {
    {'f', 4, ElementType::Float32}, {'f', 2, ElementType::Float16}, {'i', 1, ElementType::Int8},
    {'u', 1, ElementType::UInt8},   {'i', 2, ElementType::Int16},   {'u', 2, ElementType::UInt16},
    {'i', 4, ElementType::Int32},   {'u', 4, ElementType::UInt32},  {'i', 8, ElementType::Int64},
    {'b', 1, ElementType::Bool},
};

/// The kind of a struct-module format of one element, 0 for others and for foreign byte order.
char format_kind(const char* format) {
  if (format == nullptr) return 'u';
  if (*format == '@' || *format == '=' || *format == '<') ++format;  // little-endian: all CPUs this runs on
  if (format[0] == '\0' || format[1] != '\0') return 0;
  if (std::strchr("efd", *format) != nullptr) return 'f';
  if (std::strchr("bhilqn", *format) != nullptr) return 'i';
  if (std::strchr("BHILQN", *format) != nullptr) return 'u';
  return *format == '?' ? 'b' : 0;
}

const FormatRow* row_of(const Py_buffer& buffer) {
  const char kind = format_kind(buffer.format);
  for (const FormatRow& row : kFormats) {
    if (row.kind == kind && row.bytes == buffer.itemsize) return &row;
  }
  return nullptr;
}

[[noreturn]] void refuse_dtype(nb::handle array) {
  throw SessionError(
      "Unsupported numpy dtype for RKNN input: " + nb::cast<std::string>(nb::str(nb::object(array.attr("dtype")))) +
      "; give float32, float16, (u)int8, (u)int16, (u)int32, int64 or bool, for example with "
      "astype(numpy.float32)");
}

/// Of numpy, or of another library in a form numpy takes.
bool is_array(nb::handle object) {
  return nb::hasattr(object, "__array_interface__") || nb::hasattr(object, "__array__") ||
         nb::hasattr(object, "__dlpack__");
}

/// Something with a buffer of numbers: itself, or what numpy makes of it.
bool get_buffer(nb::handle object, Py_buffer& buffer) {
  if (PyObject_GetBuffer(object.ptr(), &buffer, PyBUF_RECORDS_RO) == 0) return true;
  PyErr_Clear();
  return false;
}

void open_buffer(nb::handle object, Py_buffer& buffer) {
  if (get_buffer(object, buffer)) {
    if (row_of(buffer) != nullptr) return;
    PyBuffer_Release(&buffer);
  }
  if (nb::isinstance<nb::str>(object) || nb::isinstance<nb::bytes>(object) || object.is_none()) {
    throw SessionError("Input must be a numpy array");
  }
  nb::object array;
  try {
    array = nb::module_::import_("numpy").attr("asarray")(object);
  } catch (const nb::python_error&) {  // rows of different lengths and the like
    throw SessionError("Input must be a numpy array");
  }
  if (!nb::cast<bool>(array.attr("dtype").attr("isnative"))) {
    array = array.attr("astype")(array.attr("dtype").attr("newbyteorder")("="));
  }
  if (!get_buffer(array, buffer)) refuse_dtype(array);
  if (row_of(buffer) != nullptr) return;
  PyBuffer_Release(&buffer);
  refuse_dtype(array);
}

/// Keeps the view's vectors: they are used again from call to call.
void describe(const Py_buffer& buffer, ArrayView& view) {
  view.type = row_of(buffer)->element;
  view.data = buffer.buf;
  view.shape.assign(buffer.shape, buffer.shape + buffer.ndim);
  view.strides.clear();
  if (PyBuffer_IsContiguous(&buffer, 'C') == 0) view.strides.assign(buffer.strides, buffer.strides + buffer.ndim);
}

OptionValue option_of(nb::handle object) {
  if (object.is_none()) return {};
  if (nb::isinstance<nb::bool_>(object)) return nb::cast<bool>(object);
  if (nb::isinstance<nb::str>(object)) return nb::cast<std::string>(object);
  if (PyIndex_Check(object.ptr()) != 0) {  // int and numpy's integers
    if (const nb::object number = nb::steal(PyNumber_Index(object.ptr())); number.is_valid()) {
      int overflow = 0;
      const long long value = PyLong_AsLongLongAndOverflow(number.ptr(), &overflow);
      return overflow == 0 ? OptionValue(static_cast<int64_t>(value)) : OptionValue::other();
    }
    PyErr_Clear();  // an array of several numbers says so only now
  }
  if (nb::hasattr(object, "__fspath__")) {
    const nb::object path = object.attr("__fspath__")();
    return nb::isinstance<nb::str>(path) ? OptionValue::path(nb::cast<std::string>(path)) : OptionValue::other();
  }
  if (nb::isinstance<nb::dict>(object)) {
    OptionValue value;
    value.kind = OptionValue::Kind::Map;
    for (const auto [key, item] : nb::borrow<nb::dict>(object)) {
      value.map.emplace_back(nb::cast<std::string>(nb::str(key)), option_of(item));
    }
    return value;
  }
  if (nb::isinstance<nb::bytes>(object)) return OptionValue::other();
  // numpy.bool_ is no integer to Python, but it is a number of one item.
  if (nb::hasattr(object, "item") && nb::hasattr(object, "dtype") && nb::cast<size_t>(object.attr("size")) == 1) {
    return option_of(object.attr("item")());
  }
  if (PySequence_Check(object.ptr()) != 0) {
    std::vector<OptionValue> list;
    for (const nb::handle item : object) list.push_back(option_of(item));
    return list;
  }
  return OptionValue::other();
}

/// As provider options read booleans. `what`: of the message.
bool boolean_of(nb::handle object, const char* what) {
  const OptionValue value = option_of(object);
  using Kind = OptionValue::Kind;
  if (value.kind == Kind::Bool || value.kind == Kind::Int) return value.number != 0;
  if (value.kind == Kind::String) {
    std::string word = nb::cast<std::string>(nb::str(object).attr("strip")().attr("lower")());
    for (const char* yes : {"1", "true", "on", "yes"}) {
      if (word == yes) return true;
    }
    for (const char* no : {"0", "false", "off", "no"}) {
      if (word == no) return false;
    }
  }
  throw OptionError(std::string(what) + " must be a boolean");
}

/// Feeds of this thread's calls, one a nesting depth: their vectors keep their room from call to call.
struct FeedShelf {
  std::vector<std::unique_ptr<Feed>> feeds;
  size_t used = 0;
};
FeedShelf& shelf() {
  thread_local FeedShelf the_shelf;
  return the_shelf;
}
Feed& borrow_feed() {
  FeedShelf& here = shelf();
  if (here.used == here.feeds.size()) here.feeds.push_back(std::make_unique<Feed>());
  return *here.feeds[here.used++];
}

constexpr const char* kBatchKey = "ztu_modelrt_dispatch_batch";

}  // namespace

HeldFeed::HeldFeed(nb::handle object, size_t inputs) : feed_(borrow_feed()) {
  const auto hold_list = [&] {
    feed_.kind = Feed::Kind::List;
    const size_t length = nb::len(object);
    feed_.arrays.resize(length);
    if (length != inputs) return;
    for (const nb::handle item : object) hold(item, "");
  };
  try {
    if (nb::isinstance<nb::dict>(object)) {
      feed_.kind = Feed::Kind::Dict;
      for (const auto [key, value] : nb::borrow<nb::dict>(object)) hold(value, nb::cast<std::string>(nb::str(key)));
    } else if (nb::isinstance<nb::list>(object) || nb::isinstance<nb::tuple>(object)) {
      hold_list();
    } else if (is_array(object)) {
      feed_.kind = Feed::Kind::Single;
      feed_.arrays.resize(1);
      if (inputs == 1) hold(object, "");
    } else if (PySequence_Check(object.ptr()) != 0 && !nb::isinstance<nb::bytes>(object)) {
      hold_list();
    } else {
      throw SessionError("input_feed must be a numpy array, list/tuple, or dict");
    }
    if (count_ > 0 || feed_.kind == Feed::Kind::Dict) feed_.arrays.resize(count_);
  } catch (...) {
    for (Py_buffer& buffer : buffers_) PyBuffer_Release(&buffer);
    --shelf().used;
    throw;
  }
}

HeldFeed::~HeldFeed() {
  for (Py_buffer& buffer : buffers_) PyBuffer_Release(&buffer);
  --shelf().used;
}

void HeldFeed::hold(nb::handle array, std::string name) {
  Py_buffer buffer{};
  open_buffer(array, buffer);
  buffers_.push_back(buffer);
  if (count_ == feed_.arrays.size()) feed_.arrays.emplace_back();
  auto& [place, view] = feed_.arrays[count_++];
  place = std::move(name);
  describe(buffer, view);
}

HeldArray::HeldArray(nb::handle array) {
  open_buffer(array, buffer_);
  describe(buffer_, view_);
}

nb::object numpy_of(ElementType type, void* data, std::span<const int64_t> shape, nb::handle owner) {
  using Code = nb::dlpack::dtype_code;
  constexpr struct {
    Code code;
    uint8_t bits;
  } kTypes[] = {{Code::Float, 32}, {Code::Float, 16}, {Code::Int, 8},   {Code::UInt, 8}, {Code::Int, 16},
                {Code::UInt, 16},  {Code::Int, 32},   {Code::UInt, 32}, {Code::Int, 64}, {Code::Bool, 8}};
  const auto& row = kTypes[static_cast<size_t>(type)];
  std::array<size_t, 32> extents{};
  std::copy(shape.begin(), shape.end(), extents.begin());
  const nb::dlpack::dtype dtype{static_cast<uint8_t>(row.code), row.bits, 1};
  return nb::cast(nb::ndarray<nb::numpy>(data, shape.size(), extents.data(), owner, nullptr, dtype));
}

nb::object array_of(const Array& array) {
  auto* held = new Array(array);
  const nb::capsule owner(held, [](void* p) noexcept { delete static_cast<Array*>(p); });
  return numpy_of(held->type(), held->data(), held->shape(), owner);
}

nb::list arrays_of(const std::vector<Array>& arrays) {
  nb::list list;
  for (const Array& array : arrays) list.append(array_of(array));
  return list;
}

OptionList options_of(nb::handle object) {
  constexpr const char* kMessage = "provider_options must be a dict or a sequence whose first element is a dict";
  OptionList options;
  if (object.is_none()) return options;
  nb::object dict = nb::borrow(object);
  if (!nb::isinstance<nb::dict>(dict)) {
    if (nb::isinstance<nb::str>(dict) || PySequence_Check(dict.ptr()) == 0) throw OptionError(kMessage);
    if (nb::len(dict) == 0) return options;
    dict = dict[0];
    if (!nb::isinstance<nb::dict>(dict)) throw OptionError(kMessage);
  }
  for (const auto [key, value] : nb::borrow<nb::dict>(dict)) {
    if (!nb::isinstance<nb::str>(key)) throw OptionError("provider_options keys must be strings");
    const std::string name = nb::cast<std::string>(key);
    const bool is_word = name == "layout" || name == "zero_copy_layout";  // documented to be taken as bytes, too
    const nb::object given =
        is_word && nb::isinstance<nb::bytes>(value) ? nb::object(value.attr("decode")("latin-1")) : nb::borrow(value);
    options.emplace_back(name, option_of(given));
  }
  return options;
}

OutputNames names_of(nb::handle object) {
  if (object.is_none()) return std::nullopt;
  if (nb::isinstance<nb::str>(object) || PySequence_Check(object.ptr()) == 0) {
    throw SessionError("output_names must be a sequence or None");
  }
  std::vector<std::string> names;
  for (const nb::handle item : object) names.push_back(nb::cast<std::string>(nb::str(item)));
  return names;
}

RunOptions run_options_of(nb::handle object) {
  RunOptions options;
  if (object.is_none()) return options;
  const auto entry = [&](const char* key) -> nb::object {
    if (nb::isinstance<nb::dict>(object)) {
      const auto dict = nb::borrow<nb::dict>(object);
      return dict.contains(key) ? nb::object(dict[key]) : nb::object();
    }
    if (!nb::hasattr(object, "get_run_config_entry")) return {};
    try {
      return object.attr("get_run_config_entry")(key);
    } catch (const nb::python_error&) {  // ONNX Runtime's way to say that there is none
      return {};
    }
  };
  if (const nb::object batch = entry(kBatchKey); batch.is_valid())
    options.dispatch_batch = boolean_of(batch, kBatchKey);
  if (const nb::object timeout = entry("timeout_ms"); timeout.is_valid() && !timeout.is_none()) {
    const OptionValue value = option_of(timeout);
    const bool is_text = value.kind == OptionValue::Kind::String;
    const nb::object number = is_text ? nb::steal(PyLong_FromString(value.text.c_str(), nullptr, 10)) : nb::object();
    if (is_text && !number.is_valid()) PyErr_Clear();
    options.timeout_ms = is_text && number.is_valid() ? nb::cast<int64_t>(number) : value.number;
    if ((value.kind != OptionValue::Kind::Int && !(is_text && number.is_valid())) || options.timeout_ms <= 0) {
      throw OptionError("timeout_ms must be an integer > 0");
    }
  }
  return options;
}

}  // namespace openrknn::python
