// Questions about tensors, whose shapes and types are known while the code is read.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "compiler/importers/torchscript/packed_weights.h"
#include "compiler/importers/torchscript/pickle.h"
#include "compiler/importers/torchscript/python.h"

namespace openrknn::torchscript {
namespace {

using Arguments = const std::vector<Value>&;

const TensorRef* tensor_of(Interpreter& run, Arguments x) {
  const TensorRef* tensor = x.empty() ? nullptr : x[0].as<TensorRef>();
  if (tensor == nullptr) run.refuse(fmt::format("got {}, expected a tensor", x.empty() ? "nothing" : kind_of(x[0])));
  return run.id(*tensor) == ValueId::None ? nullptr : tensor;  // unknown
}

Value shape_of(Interpreter& run, Arguments x) {
  const TensorRef* tensor = tensor_of(run, x);
  if (tensor == nullptr) return Unknown{};
  const Shape& shape = run.builder().shape(run.id(*tensor));
  if (x.size() > 1 && !x[1].is<None>()) {
    const auto rank = static_cast<int64_t>(shape.size());
    const int64_t given = integer_of(run, x[1]), axis = given < 0 ? given + rank : given;
    if (axis < 0 || axis >= rank) run.refuse(fmt::format("dimension {} of {}", given, to_string(shape)));
    return shape[static_cast<size_t>(axis)];
  }
  std::vector<Value> extents(shape.begin(), shape.end());
  return make_list(std::move(extents));
}

Value rank_of(Interpreter& run, Arguments x) {
  const TensorRef* tensor = tensor_of(run, x);
  if (tensor == nullptr) return Unknown{};
  return static_cast<int64_t>(run.builder().shape(run.id(*tensor)).size());
}

Value count_of(Interpreter& run, Arguments x) {
  const TensorRef* tensor = tensor_of(run, x);
  if (tensor == nullptr) return Unknown{};
  return element_count(run.builder().shape(run.id(*tensor)));
}

Value type_of(Interpreter& run, Arguments x) {
  const TensorRef* tensor = tensor_of(run, x);
  if (tensor == nullptr) return Unknown{};
  if ((*tensor)->coding) return int64_t{(*tensor)->coding->codes == DType::Int8 ? 12 : 13};  // qint8, quint8
  return number_of_dtype(run.builder().graph[run.id(*tensor)].dtype);
}

Value is_float_of(Interpreter& run, Arguments x) {
  const TensorRef* tensor = tensor_of(run, x);
  if (tensor == nullptr) return Unknown{};
  return is_floating(run.builder().graph[run.id(*tensor)].dtype);
}

Value is_coded(Interpreter& run, Arguments x) {
  const TensorRef* tensor = tensor_of(run, x);
  if (tensor == nullptr) return Unknown{};
  return (*tensor)->coding.has_value();
}

/// x.item(): a number of Python.
Value item_of(Interpreter& run, Arguments x) {
  const TensorRef* tensor = tensor_of(run, x);
  if (tensor == nullptr) return Unknown{};
  const DType type = run.builder().graph[run.id(*tensor)].dtype;
  if (is_floating(type)) return number_of(run, x[0]);
  if (type == DType::Bool) return truth(run, x[0]);
  return integer_of(run, x[0]);
}

Value as_tensor(Interpreter& run, Arguments x) {
  if (x.empty()) run.refuse("a tensor is made of nothing");
  auto made = std::make_shared<TensorBox>();
  if (const auto* real = x[0].as<double>()) {
    made->content = Tensor::scalar<float>(static_cast<float>(*real));
  } else {
    made->content = Tensor::scalar<int64_t>(integer_of(run, x[0]));
  }
  return made;
}

bool is_same(const Value& a, const Value& b) {
  if (a.is<TensorRef>() || b.is<TensorRef>()) {
    const auto *x = a.as<TensorRef>(), *y = b.as<TensorRef>();
    return x != nullptr && y != nullptr && *x == *y;
  }
  return equal(a, b);
}
Value is(Interpreter& run, Arguments x) {
  if (x.size() != 2) run.refuse("'is' with other than two sides");
  return is_same(x[0], x[1]);
}
Value is_not(Interpreter& run, Arguments x) { return !*is(run, x).as<bool>(); }

Value is_instance(Interpreter& run, Arguments x) {
  const Name* type = x.size() < 2 ? nullptr : x[1].as<Name>();
  if (type == nullptr) run.refuse("isinstance with a type that is not known here");
  if (type->text == "Tensor") return x[0].is<TensorRef>();
  if (type->text == "int") return x[0].is<int64_t>();
  if (type->text == "float") return x[0].is<double>();
  if (type->text == "str") return x[0].is<std::string>();
  if (type->text == "list") return x[0].is<List>();
  if (type->text == "tuple") return x[0].is<Tuple>();
  if (type->text == "bool") return x[0].is<bool>();
  run.refuse(fmt::format("isinstance with the type {}, which is not known here", type->text));
}

template <class T>
Value always(Interpreter&, Arguments) {
  return T{};
}
Value yes(Interpreter&, Arguments) { return true; }
Value first(Interpreter&, Arguments x) { return x.empty() ? Value() : x[0]; }
Value cpu(Interpreter&, Arguments) { return std::string("cpu"); }

constexpr PythonRow kPythonQuestionRows[] = {
    {"aten::__is__", is, When::Always},
    {"aten::__isnot__", is_not, When::Always},
    {"aten::_assert_async", always<None>, When::Always},
    {"aten::_assert_scalar", always<None>, When::Always},
    {"aten::_assert_tensor_metadata", always<None>, When::Always},
    {"aten::cpu", first, When::Always},
    {"aten::cuda", first, When::Always},
    {"aten::device", cpu, When::Always},
    {"aten::dim", rank_of, When::Always},
    {"aten::is_autocast_enabled", always<bool>, When::Always},
    {"aten::is_complex", always<bool>, When::Always},
    {"aten::is_contiguous", yes, When::Always},
    {"aten::is_floating_point", is_float_of, When::Always},
    {"aten::is_grad_enabled", always<bool>, When::Always},
    {"aten::isinstance", is_instance, When::Always},
    {"aten::item", item_of, When::Always},
    {"aten::numel", count_of, When::Always},
    {"aten::requires_grad_", first, When::Always},
    {"aten::set_grad_enabled", always<None>, When::Always},
    {"aten::size", shape_of, When::Always},
    {"aten::ScalarImplicit", item_of, When::Always},
    {"prim::NumToTensor", as_tensor, When::Plain},
    {"prim::data", first, When::Always},
    {"prim::device", cpu, When::Always},
    {"prim::dtype", type_of, When::Always},
    {"prim::is_cuda", always<bool>, When::Always},
    {"prim::is_nested", always<bool>, When::Always},
    {"prim::is_quantized", is_coded, When::Always},
    {"prim::isinstance", is_instance, When::Always},
    {"prim::layout", always<int64_t>, When::Always},
    {"prim::requires_grad", always<bool>, When::Always},
    {"prim::shape", shape_of, When::Always},
    {"prim::type", first, When::Plain},  // of a device
};

bool fits(When when, std::span<const Value> arguments) {
  switch (when) {
    case When::Always:
      return true;
    case When::Holder:
      return !arguments.empty() &&
             (arguments[0].sequence() != nullptr || arguments[0].is<DictionaryRef>() || arguments[0].is<std::string>());
    case When::Plain:
      return std::ranges::none_of(arguments, [](const Value& value) { return value.is<TensorRef>(); });
  }
  return false;
}

}  // namespace

std::span<const PythonRow> python_questions() { return kPythonQuestionRows; }

PythonFunction find_python_function(std::string_view name, std::span<const Value> arguments) {
  static const std::multimap<std::string_view, const PythonRow*> rows = [] {
    std::multimap<std::string_view, const PythonRow*> made;
    for (const auto& table : {python_numbers(), python_lists(), python_questions(), python_packing()})
      for (const PythonRow& row : table) made.emplace(row.name, &row);
    return made;
  }();
  const auto [begin, end] = rows.equal_range(name);
  for (auto it = begin; it != end; ++it)
    if (fits(it->second->when, arguments)) return it->second->function;
  return nullptr;
}

double number_of(Interpreter& run, const Value& value) {
  if (const auto* real = value.as<double>()) return *real;
  if (const auto* tensor = value.as<TensorRef>()) {
    const std::optional<Tensor> content = run.content(*tensor);
    if (content && content->size() == 1) return to_doubles(*content)[0];
    run.refuse("a number is read from a tensor that is not known before the model runs",
               "trace the model so that it does not look into its tensors");
  }
  return static_cast<double>(integer_of(run, value));
}

int64_t integer_of(Interpreter& run, const Value& value) {
  if (const auto* integer = value.as<int64_t>()) return *integer;
  if (const auto* flag = value.as<bool>()) return *flag ? 1 : 0;
  if (value.is<TensorRef>()) return whole_number(number_of(run, value));
  run.refuse(fmt::format("got {}, expected an integer", kind_of(value)));
}

bool truth(Interpreter& run, const Value& value) {
  if (const auto* flag = value.as<bool>()) return *flag;
  if (const auto* integer = value.as<int64_t>()) return *integer != 0;
  if (const auto* real = value.as<double>()) return *real != 0;
  if (const auto* text = value.as<std::string>()) return !text->empty();
  if (value.is<None>()) return false;
  if (const auto* sequence = value.sequence()) return !(*sequence)->items.empty();
  if (const auto* dictionary = value.as<DictionaryRef>()) return !(*dictionary)->items.empty();
  if (const auto* tensor = value.as<TensorRef>()) {
    const std::optional<Tensor> content = run.content(*tensor);
    if (content && content->size() == 1) return to_doubles(*content)[0] != 0;
    run.refuse("the way of the code depends on a tensor that is not known before the model runs",
               "trace the model with inputs that take the way wanted");
  }
  run.refuse(fmt::format("{} is a condition", kind_of(value)));
}

}  // namespace openrknn::torchscript
