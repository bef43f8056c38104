#include "compiler/importers/torchscript/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace openrknn::torchscript {
namespace {

constexpr int kDeepestContainer = 100;

/// The container `child` is put into something of this depth. Throws Error.
void hold(const Value& child, int& depth, bool parent_is_held) {
  const int inner = depth_of(child);
  if (inner == 0) return;
  if (parent_is_held)
    fail(Code::ImportBadFile, "a container is put into one that lies in another already, which is not supported");
  if (inner >= kDeepestContainer) fail(Code::ImportBadFile, "containers lie in each other more than 100 deep");
  depth = std::max(depth, inner + 1);
  if (const auto* sequence = child.sequence()) (*sequence)->is_held = true;
  if (const auto* dictionary = child.as<DictionaryRef>()) (*dictionary)->is_held = true;
  if (const auto* object = child.as<ObjectRef>()) (*object)->is_held = true;
}

std::shared_ptr<Sequence> make_sequence(std::vector<Value> items) {
  auto sequence = std::make_shared<Sequence>();
  for (const Value& item : items) hold(item, sequence->depth, false);
  sequence->items = std::move(items);
  return sequence;
}

}  // namespace

int64_t whole_number(double number) {
  if (std::fabs(number) < 9.2e18) return static_cast<int64_t>(number);
  fail(Code::ImportBadFile, fmt::format("{} is no integer of 64 bits", number));
}

int32_t zero_point_of(double number) {
  if (std::isnan(number)) return 0;
  return static_cast<int32_t>(std::nearbyint(std::clamp(number, -2147483648.0, 2147483647.0)));
}

std::string_view kind_of(const Value& value) {
  static constexpr std::string_view kKinds[] = {"None",   "a bool",   "an integer",      "a float",   "a string",
                                                "a list", "a tuple",  "a dict",          "an object", "a tensor",
                                                "a name", "a method", "an unknown value"};
  static_assert(std::size(kKinds) == std::variant_size_v<decltype(Value::at)>);
  return kKinds[value.at.index()];
}

int depth_of(const Value& value) {
  if (const auto* sequence = value.sequence()) return (*sequence)->depth;
  if (const auto* dictionary = value.as<DictionaryRef>()) return (*dictionary)->depth;
  if (const auto* object = value.as<ObjectRef>()) return (*object)->depth;
  if (const auto* method = value.as<Method>()) return method->self->depth;
  return 0;
}

List make_list(std::vector<Value> items) { return List{make_sequence(std::move(items))}; }
Tuple make_tuple(std::vector<Value> items) { return Tuple{make_sequence(std::move(items))}; }

void append(Sequence& list, Value item) {
  const auto* inner = item.sequence();
  if (inner != nullptr && inner->get() == &list) fail(Code::ImportBadFile, "a list is put into itself");
  hold(item, list.depth, list.is_held);
  list.items.push_back(std::move(item));
}

void replace(Sequence& sequence, size_t at, Value item) {
  const auto* inner = item.sequence();
  if (inner != nullptr && inner->get() == &sequence) fail(Code::ImportBadFile, "a list is put into itself");
  hold(item, sequence.depth, sequence.is_held);
  sequence.items.at(at) = std::move(item);
}

void add_item(Dictionary& dictionary, Value key, Value value) {
  const auto* inner = value.as<DictionaryRef>();
  if (inner != nullptr && inner->get() == &dictionary) fail(Code::ImportBadFile, "a dict is put into itself");
  hold(value, dictionary.depth, dictionary.is_held);
  if (depth_of(key) > 0) fail(Code::ImportBadFile, "a dict has a container as its key");
  dictionary.items.emplace_back(std::move(key), std::move(value));
}

void set_item(Dictionary& dictionary, Value key, Value value) {
  for (auto& [known, content] : dictionary.items) {
    if (!equal(known, key)) continue;
    if (depth_of(value) > 0) fail(Code::ImportBadFile, "a container replaces another in a dict");
    content = std::move(value);
    return;
  }
  add_item(dictionary, std::move(key), std::move(value));
}

const Value* find_item(const Dictionary& dictionary, const Value& key) {
  for (const auto& [known, value] : dictionary.items) {
    if (equal(known, key)) return &value;
  }
  return nullptr;
}

void set_attribute(Object& object, std::string name, Value value) {
  hold(value, object.depth, object.is_held && value.is<ObjectRef>());
  const auto* self = value.as<ObjectRef>();
  if (self != nullptr && self->get() == &object) fail(Code::ImportBadFile, "an object is put into itself");
  object.attributes.insert_or_assign(std::move(name), std::move(value));
}

Value make_enumerated(std::string type, Value value) {
  if (depth_of(value) > 0) fail(Code::ImportBadFile, "an Enum has a container as its value");
  auto made = std::make_shared<Object>();
  made->type = std::move(type);
  made->attributes.emplace("value", std::move(value));
  made->depth = 0;
  return made;
}

bool equal(const Value& a, const Value& b) {
  const auto number = [](const Value& value) -> std::optional<double> {
    if (const auto* flag = value.as<bool>()) return *flag ? 1 : 0;
    if (const auto* integer = value.as<int64_t>()) return static_cast<double>(*integer);
    if (const auto* real = value.as<double>()) return *real;
    return std::nullopt;
  };
  if (a.is<int64_t>() && b.is<int64_t>()) return *a.as<int64_t>() == *b.as<int64_t>();
  if (const auto x = number(a), y = number(b); x && y) return *x == *y;
  if (a.at.index() != b.at.index()) return false;
  if (a.is<None>()) return true;
  if (const auto* text = a.as<std::string>()) return *text == *b.as<std::string>();
  if (const auto* object = a.as<ObjectRef>()) {
    const Object &x = **object, &y = **b.as<ObjectRef>();
    if (&x == &y) return true;
    const auto left = x.attributes.find("value"), right = y.attributes.find("value");
    return x.depth == 0 && y.depth == 0 && x.type == y.type && left != x.attributes.end() &&
           right != y.attributes.end() && equal(left->second, right->second);
  }
  if (const auto* tensor = a.as<TensorRef>()) return *tensor == *b.as<TensorRef>();
  if (const auto* x = a.sequence()) return std::ranges::equal((*x)->items, (*b.sequence())->items, equal);
  return false;
}

}  // namespace openrknn::torchscript
