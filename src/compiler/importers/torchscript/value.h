// What TorchScript computes with: Python's values, and tensors that are values of the graph.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/graph/graph.h"

namespace openrknn::torchscript {

struct Value;

/// A list or a tuple. What is inside another container takes no containers itself any more, so there are no cycles and
/// `depth` stays true.
struct Sequence {
  std::vector<Value> items;
  std::vector<std::string> fields = {};  ///< of a named tuple
  int depth = 1;
  bool is_held = false;
};
struct Dictionary {
  std::vector<std::pair<Value, Value>> items;
  int depth = 1;
  bool is_held = false;
};
/// An instance of a class of the archive: its attributes.
struct Object {
  std::string type;
  std::map<std::string, Value, std::less<>> attributes;
  std::string path = {};  ///< where the module stands in the model: "layer1.0.conv"
  int depth = 1;          ///< 0: it is never written to, and holds nothing that holds others
  bool is_held = false;
};

/// The attribute that holds a state that is no dictionary.
inline constexpr std::string_view kPackedState = "(state)";

/// How numbers are coded: number = (code - zero point) * scale.
struct Coding {
  DType codes = DType::UInt8;
  std::vector<double> scale;
  std::vector<int32_t> zero_point;
  int64_t axis = -1;  ///< the dimension that scales run along; -1: one scale for all
};

/// A tensor has an identity: what is written in place shows everywhere. A view shows its base, and writes to it.
struct TensorBox {
  ValueId id = ValueId::None;          ///< None: `content` is not in the graph yet, or unknown
  std::optional<Tensor> content = {};  ///< of the archive; codes if `coding` is there
  std::string name = {};               ///< of that content
  std::optional<Coding> coding = {};   ///< of a quantized tensor, whose `id` are the numbers codes stand for
  bool is_dense = true;                ///< its numbers lie one after the other, as far as the code tells
  int64_t version = 0;
  std::vector<std::weak_ptr<TensorBox>> views = {};  ///< that look at it
  std::shared_ptr<TensorBox> base = {};
  int64_t seen = 0;  ///< the version of the base that `id` shows
  std::function<ValueId(ValueId base)> take = {};
  std::function<ValueId(ValueId base, ValueId part)> put = {};
};

struct None {
  bool operator==(const None&) const = default;
};
struct Unknown {};  ///< what something that failed would have given
struct Name {       ///< a function, class, module of the language: "torch.add"
  std::string text;
};
struct List {
  std::shared_ptr<Sequence> at;
};
struct Tuple {
  std::shared_ptr<Sequence> at;
};
using DictionaryRef = std::shared_ptr<Dictionary>;
using ObjectRef = std::shared_ptr<Object>;
using TensorRef = std::shared_ptr<TensorBox>;
struct Method {
  ObjectRef self;
  std::string name;
};

struct Value {
  std::variant<None, bool, int64_t, double, std::string, List, Tuple, DictionaryRef, ObjectRef, TensorRef, Name, Method,
               Unknown>
      at;

  Value() = default;
  template <class T>
  Value(T value) : at(std::move(value)) {}  // NOLINT: a value is any of them

  template <class T>
  const T* as() const {
    return std::get_if<T>(&at);
  }
  template <class T>
  bool is() const {
    return std::holds_alternative<T>(at);
  }
  /// The items of a list or tuple; null if it is none.
  const std::shared_ptr<Sequence>* sequence() const {
    if (const List* list = as<List>()) return &list->at;
    if (const Tuple* tuple = as<Tuple>()) return &tuple->at;
    return nullptr;
  }
};

/// The integer before the point. Throws Error for what 64 bits do not hold.
int64_t whole_number(double);
/// The nearest integer; what is beyond 32 bits becomes their end, and NaN 0.
int32_t zero_point_of(double);
/// "a list", for messages.
std::string_view kind_of(const Value&);
/// 0 for what is no container.
int depth_of(const Value&);
/// Throws Error if containers would lie too deep or in each other.
List make_list(std::vector<Value>);
Tuple make_tuple(std::vector<Value>);
void append(Sequence&, Value);
void replace(Sequence&, size_t at, Value);
void set_item(Dictionary&, Value key, Value value);
/// The same without a look at the keys there are.
void add_item(Dictionary&, Value key, Value value);
/// Null if there is none.
const Value* find_item(const Dictionary&, const Value& key);
void set_attribute(Object&, std::string name, Value);
/// An item of an Enum: an object that equals those of its type with its value, and is never written to.
Value make_enumerated(std::string type, Value value);
/// Equality of Python, for what is no tensor.
bool equal(const Value&, const Value&);

}  // namespace openrknn::torchscript
