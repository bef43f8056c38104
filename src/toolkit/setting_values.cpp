#include "toolkit/setting_values.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"

namespace openrknn {
namespace {

using List = std::vector<ArgumentValue>;

Shape shape_of(const ArgumentValue& value, std::string_view argument) {
  if (const std::string* text = std::get_if<std::string>(&value.data))
    return shape_of(parse_argument_value("[" + *text + "]"), argument);
  const List* list = std::get_if<List>(&value.data);
  if (list == nullptr) bad_value(argument, value, "a shape like [1, 3, 224, 224]");
  Shape shape;
  for (const ArgumentValue& item : *list) {
    const int64_t* extent = std::get_if<int64_t>(&item.data);
    if (extent == nullptr || *extent < 0) bad_value(argument, item, "an extent that is a whole number, 0 or more");
    shape.push_back(*extent);
  }
  return shape;
}

}  // namespace

void bad_value(std::string_view argument, const ArgumentValue& got, std::string_view expected) {
  fail(Code::ConfigBadValue, fmt::format("{}: got {}, expected {}", argument, to_string(got), expected));
}

std::optional<double> number(const ArgumentValue& value) {
  if (const int64_t* i = std::get_if<int64_t>(&value.data)) return static_cast<double>(*i);
  if (const double* d = std::get_if<double>(&value.data)) return *d;
  return std::nullopt;
}

std::string text_of(const ArgumentValue& value, std::string_view argument) {
  const std::string* text = std::get_if<std::string>(&value.data);
  if (text == nullptr) bad_value(argument, value, "text");
  return *text;
}

std::vector<float> numbers_of(const ArgumentValue& value, std::string_view argument) {
  if (value.is_none()) return {};
  const List* list = std::get_if<List>(&value.data);
  if (list == nullptr) bad_value(argument, value, "a list of numbers per input");
  std::vector<float> out;
  for (const ArgumentValue& item : *list) {
    const std::optional<double> n = number(item);
    if (!n) bad_value(argument, item, "a number");
    out.push_back(static_cast<float>(*n));
  }
  return out;
}

std::vector<std::vector<float>> channel_lists(const ArgumentValue& value, std::string_view argument) {
  if (value.is_none()) return {};
  const List* list = std::get_if<List>(&value.data);
  if (list == nullptr) bad_value(argument, value, "a list like [[a, b, c]], one inner list per input");
  const bool nested = std::any_of(list->begin(), list->end(), [](const ArgumentValue& item) {
    return std::holds_alternative<List>(item.data) || item.is_none();
  });
  if (!nested) return {numbers_of(value, argument)};
  std::vector<std::vector<float>> out;
  for (const ArgumentValue& item : *list) out.push_back(numbers_of(item, argument));
  return out;
}

std::vector<bool> flags_of(const ArgumentValue& value, std::string_view argument) {
  if (const bool* one = std::get_if<bool>(&value.data)) return {*one};  // for every input
  const List* list = std::get_if<List>(&value.data);
  if (list == nullptr) bad_value(argument, value, "a bool, or a list of bool per input");
  std::vector<bool> out;
  for (const ArgumentValue& item : *list) out.push_back(bool_of(item, argument));
  return out;
}

bool bool_of(const ArgumentValue& value, std::string_view argument) {
  if (const bool* flag = std::get_if<bool>(&value.data)) return *flag;
  if (const int64_t* i = std::get_if<int64_t>(&value.data); i != nullptr && (*i == 0 || *i == 1)) return *i == 1;
  bad_value(argument, value, "True or False");
}

int64_t batch_of(const ArgumentValue& value, std::string_view method) {
  const int64_t* items = std::get_if<int64_t>(&value.data);
  if (value.is_none() || (items != nullptr && *items == -1)) return 1;
  if (items == nullptr || *items < 1) {
    bad_value(fmt::format("{}: rknn_batch_size", method), value, "None or a whole number, 1 or more");
  }
  return *items;
}

std::vector<std::string> names_of(const ArgumentValue& value, std::string_view argument) {
  if (value.is_none()) return {};
  if (const std::string* one = std::get_if<std::string>(&value.data)) return {*one};
  const List* list = std::get_if<List>(&value.data);
  if (list == nullptr) bad_value(argument, value, "a list of tensor names");
  std::vector<std::string> names;
  for (const ArgumentValue& item : *list) {
    // YAML and command lines turn names like 378 into numbers.
    const std::string* text = std::get_if<std::string>(&item.data);
    names.push_back(text != nullptr ? *text : to_string(item));
  }
  return names;
}

std::vector<Shape> shapes_of(const ArgumentValue& value, std::string_view argument) {
  if (value.is_none()) return {};
  const List* list = std::get_if<List>(&value.data);
  if (list == nullptr) return {shape_of(value, argument)};
  const bool flat = !list->empty() && std::all_of(list->begin(), list->end(), [](const ArgumentValue& item) {
    return std::holds_alternative<int64_t>(item.data);
  });
  if (flat) return {shape_of(value, argument)};
  std::vector<Shape> shapes;
  for (const ArgumentValue& item : *list) shapes.push_back(shape_of(item, argument));
  return shapes;
}

}  // namespace openrknn
