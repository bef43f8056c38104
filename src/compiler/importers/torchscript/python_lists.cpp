// Lists, tuples, dicts and texts of Python.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/importers/torchscript/python.h"

namespace openrknn::torchscript {
namespace {

using Arguments = const std::vector<Value>&;

void require(Interpreter& run, Arguments arguments, size_t count) {
  if (arguments.size() < count)
    run.refuse(fmt::format("a function of {} arguments is called with {}", count, arguments.size()));
}

Sequence& sequence_of(Interpreter& run, Arguments arguments, size_t i = 0) {
  require(run, arguments, i + 1);
  const auto* sequence = arguments[i].sequence();
  if (sequence == nullptr) run.refuse(fmt::format("got {}, expected a list", kind_of(arguments[i])));
  run.spend(static_cast<int64_t>((*sequence)->items.size()) / 8);
  return **sequence;
}

Dictionary& dictionary_of(Interpreter& run, Arguments arguments) {
  require(run, arguments, 1);
  const auto* dictionary = arguments[0].as<DictionaryRef>();
  if (dictionary == nullptr) run.refuse(fmt::format("got {}, expected a dict", kind_of(arguments[0])));
  run.spend(static_cast<int64_t>((*dictionary)->items.size()) / 8);
  return **dictionary;
}

size_t index_in(Interpreter& run, const Sequence& sequence, const Value& index) {
  const auto count = static_cast<int64_t>(sequence.items.size());
  const int64_t given = integer_of(run, index), at = given < 0 ? given + count : given;
  if (at < 0 || at >= count) run.refuse(fmt::format("item {} of {}", given, count));
  return static_cast<size_t>(at);
}

Value get_item(Interpreter& run, Arguments x) {
  require(run, x, 2);
  if (x[0].is<DictionaryRef>()) {
    const Value* found = find_item(dictionary_of(run, x), x[1]);
    if (found == nullptr) run.refuse("a dict has no item of this key");
    return *found;
  }
  if (const auto* text = x[0].as<std::string>()) {
    const int64_t given = integer_of(run, x[1]), count = static_cast<int64_t>(text->size());
    const int64_t at = given < 0 ? given + count : given;
    if (at < 0 || at >= count) run.refuse(fmt::format("character {} of {}", given, count));
    return std::string(1, (*text)[static_cast<size_t>(at)]);
  }
  const Sequence& sequence = sequence_of(run, x);
  return sequence.items[index_in(run, sequence, x[1])];
}

Value set_item_of(Interpreter& run, Arguments x) {
  require(run, x, 3);
  if (x[0].is<DictionaryRef>()) {
    set_item(dictionary_of(run, x), x[1], x[2]);
  } else {
    Sequence& sequence = sequence_of(run, x);
    replace(sequence, index_in(run, sequence, x[1]), x[2]);
  }
  return None{};
}

Value length(Interpreter& run, Arguments x) {
  require(run, x, 1);
  if (const auto* text = x[0].as<std::string>()) return static_cast<int64_t>(text->size());
  if (x[0].is<DictionaryRef>()) return static_cast<int64_t>(dictionary_of(run, x).items.size());
  if (const auto* tensor = x[0].as<TensorRef>()) {
    const ValueId id = run.id(*tensor);
    if (id == ValueId::None) return Unknown{};
    const Shape& shape = run.builder().shape(id);
    return shape.empty() ? int64_t{0} : shape[0];
  }
  return static_cast<int64_t>(sequence_of(run, x).items.size());
}

Value slice(Interpreter& run, Arguments x) {
  const Sequence& sequence = sequence_of(run, x);
  const auto count = static_cast<int64_t>(sequence.items.size());
  const auto bound = [&](size_t i, int64_t otherwise) {
    if (i >= x.size() || x[i].is<None>()) return otherwise;
    const int64_t at = integer_of(run, x[i]);
    return std::clamp<int64_t>(at < 0 ? at + count : at, 0, count);
  };
  const int64_t begin = bound(1, 0), end = bound(2, count), step = x.size() > 3 ? integer_of(run, x[3]) : 1;
  if (step < 1) run.refuse(fmt::format("a slice with a step of {}", step));
  std::vector<Value> items;
  for (int64_t i = begin; i < end; i += step) items.push_back(sequence.items[static_cast<size_t>(i)]);
  if (x[0].is<Tuple>()) return make_tuple(std::move(items));
  return make_list(std::move(items));
}

Value append_to(Interpreter& run, Arguments x) {
  require(run, x, 2);
  append(sequence_of(run, x), x[1]);
  return x[0];
}

Value extend(Interpreter& run, Arguments x) {
  Sequence& into = sequence_of(run, x);
  const std::vector<Value> items = sequence_of(run, x, 1).items;
  run.spend(static_cast<int64_t>(items.size()));
  for (const Value& item : items) append(into, item);
  return x[0];
}

Value insert(Interpreter& run, Arguments x) {
  require(run, x, 3);
  Sequence& into = sequence_of(run, x);
  const auto count = static_cast<int64_t>(into.items.size());
  const int64_t given = integer_of(run, x[1]), at = std::clamp<int64_t>(given < 0 ? given + count : given, 0, count);
  append(into, x[2]);
  std::rotate(into.items.begin() + at, into.items.end() - 1, into.items.end());
  return None{};
}

Value pop(Interpreter& run, Arguments x) {
  Sequence& from = sequence_of(run, x);
  const size_t at = index_in(run, from, x.size() > 1 ? x[1] : Value(int64_t{-1}));
  Value item = from.items[at];
  from.items.erase(from.items.begin() + static_cast<std::ptrdiff_t>(at));
  return item;
}

Value contains(Interpreter& run, Arguments x) {
  require(run, x, 2);
  if (x[0].is<DictionaryRef>()) return find_item(dictionary_of(run, x), x[1]) != nullptr;
  if (const auto* text = x[0].as<std::string>()) {
    const auto* part = x[1].as<std::string>();
    return part != nullptr && text->find(*part) != std::string::npos;
  }
  return std::ranges::any_of(sequence_of(run, x).items, [&](const Value& item) { return equal(item, x[1]); });
}

Value all_of(Interpreter& run, Arguments x) {
  return std::ranges::all_of(sequence_of(run, x).items, [&](const Value& item) { return truth(run, item); });
}
Value any_of(Interpreter& run, Arguments x) {
  return std::ranges::any_of(sequence_of(run, x).items, [&](const Value& item) { return truth(run, item); });
}

Value copy_list(Interpreter& run, Arguments x) {
  if (x.empty()) return make_list({});
  run.spend(static_cast<int64_t>(sequence_of(run, x).items.size()));
  return make_list(sequence_of(run, x).items);
}

Value reverse(Interpreter& run, Arguments x) {
  std::ranges::reverse(sequence_of(run, x).items);
  return None{};
}

Value clear(Interpreter& run, Arguments x) {
  sequence_of(run, x).items.clear();
  return None{};
}

Value keys(Interpreter& run, Arguments x) {
  std::vector<Value> all;
  for (const auto& [key, value] : dictionary_of(run, x).items) all.push_back(key);
  return make_list(std::move(all));
}
Value values(Interpreter& run, Arguments x) {
  std::vector<Value> all;
  for (const auto& [key, value] : dictionary_of(run, x).items) all.push_back(value);
  return make_list(std::move(all));
}
Value items(Interpreter& run, Arguments x) {
  std::vector<Value> all;
  for (const auto& [key, value] : dictionary_of(run, x).items) all.push_back(make_tuple({key, value}));
  return make_list(std::move(all));
}
Value get(Interpreter& run, Arguments x) {
  require(run, x, 2);
  if (const Value* found = find_item(dictionary_of(run, x), x[1])) return *found;
  return x.size() > 2 ? x[2] : Value();
}

/// dict(), and dict of a list of pairs
Value dictionary(Interpreter& run, Arguments x) {
  auto made = std::make_shared<Dictionary>();
  if (x.empty()) return made;
  for (const Value& pair : sequence_of(run, x).items) {
    const auto* both = pair.sequence();
    if (both == nullptr || (*both)->items.size() != 2) run.refuse("a dict of what are no pairs");
    set_item(*made, (*both)->items[0], (*both)->items[1]);
  }
  return made;
}

std::string text_of(const Value& value) {
  if (const auto* text = value.as<std::string>()) return *text;
  if (const auto* flag = value.as<bool>()) return *flag ? "True" : "False";
  if (const auto* integer = value.as<int64_t>()) return fmt::format("{}", *integer);
  if (const auto* real = value.as<double>()) return fmt::format("{}", *real);
  if (const auto* sequence = value.sequence(); sequence != nullptr && (*sequence)->items.size() <= 32) {
    std::string text;
    for (const Value& item : (*sequence)->items) text += (text.empty() ? "" : ", ") + text_of(item);
    return "[" + text + "]";
  }
  return value.is<None>() ? "None" : fmt::format("<{}>", kind_of(value));
}

/// "got {}" with what stands for each pair of braces.
Value format(Interpreter& run, Arguments x) {
  require(run, x, 1);
  const std::string pattern = text_of(x[0]);
  run.spend(static_cast<int64_t>(pattern.size()));
  std::string text;
  size_t next = 1, at = 0;
  for (size_t braces = pattern.find("{}"); braces != std::string::npos && next < x.size();
       braces = pattern.find("{}", at)) {
    text += pattern.substr(at, braces - at) + text_of(x[next++]);
    at = braces + 2;
    if (text.size() > 65536) run.refuse("a text of more than 64 kB");
  }
  return text + pattern.substr(at);
}

Value raise_exception(Interpreter& run, Arguments x) {
  const std::string message = x.empty() ? "" : text_of(x[0]);
  run.refuse(fmt::format("the model refuses its inputs: {}", message.empty() ? "it says no reason" : message),
             "give the shapes and numbers it is made for (input_shapes, initial_values)");
}

constexpr PythonRow kPythonListRows[] = {
    {"aten::__contains__", contains, When::Always},
    {"aten::__getitem__", get_item, When::Holder},
    {"aten::_set_item", set_item_of, When::Holder},
    {"aten::add_", extend, When::Holder},
    {"aten::all", all_of, When::Holder},
    {"aten::any", any_of, When::Holder},
    {"aten::append", append_to, When::Always},
    {"aten::clear", clear, When::Holder},
    {"aten::copy", copy_list, When::Holder},
    {"aten::dict", dictionary, When::Plain},
    {"aten::extend", extend, When::Always},
    {"aten::format", format, When::Always},
    {"aten::get", get, When::Always},
    {"aten::insert", insert, When::Always},
    {"aten::items", items, When::Always},
    {"aten::keys", keys, When::Always},
    {"aten::len", length, When::Always},
    {"aten::list", copy_list, When::Holder},
    {"aten::pop", pop, When::Always},
    {"aten::reverse", reverse, When::Holder},
    {"aten::slice", slice, When::Holder},
    {"aten::str",
     [](Interpreter& run, Arguments x) -> Value {
       require(run, x, 1);
       return text_of(x[0]);
     },
     When::Always},
    {"aten::values", values, When::Holder},
    {"aten::warn", [](Interpreter&, Arguments) -> Value { return None{}; }, When::Always},
    {"prim::RaiseException", raise_exception, When::Always},
};

}  // namespace

std::span<const PythonRow> python_lists() { return kPythonListRows; }

}  // namespace openrknn::torchscript
