#include "compiler/importers/torchscript/pickle.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "compiler/importers/torchscript/stored_tensor.h"
#include "core/base/error.h"

namespace openrknn::torchscript {
namespace {

struct StorageType {
  std::string_view name;
  DType dtype;
  bool is_quantized = false;
};
constexpr StorageType kStorages[] = {
    {"torch.FloatStorage", DType::Float32},      {"torch.DoubleStorage", DType::Float64},
    {"torch.HalfStorage", DType::Float16},       {"torch.BFloat16Storage", DType::BFloat16},
    {"torch.LongStorage", DType::Int64},         {"torch.IntStorage", DType::Int32},
    {"torch.ShortStorage", DType::Int16},        {"torch.CharStorage", DType::Int8},
    {"torch.ByteStorage", DType::UInt8},         {"torch.BoolStorage", DType::Bool},
    {"torch.QInt8Storage", DType::Int8, true},   {"torch.QUInt8Storage", DType::UInt8, true},
    {"torch.QInt32Storage", DType::Int32, true},
};

class Reader {
 public:
  Reader(const Archive& archive, std::string entry, std::string folder)
      : archive_(archive), entry_(std::move(entry)), folder_(std::move(folder)), bytes_(archive.bytes(entry_)) {}

  Value read() {
    for (;;) {
      opcode_at_ = at_;
      const auto code = take<uint8_t>();
      if (code == '.') break;
      try {
        step(code);
      } catch (const Error& error) {
        if (!error.diagnostics.front().where.file.empty()) throw;
        refuse(error.diagnostics.front().problem, error.diagnostics.front().code);  // of values, which know no place
      }
    }
    return pop();
  }

 private:
  [[noreturn]] void refuse(std::string problem, Code code = Code::ImportBadFile) const {
    fail(code, Location{.file = archive_.file(), .node = entry_},
         fmt::format("byte {} of the pickle: {}", opcode_at_, problem));
  }
  template <class T>
  T take() {
    if (bytes_.size() - at_ < sizeof(T)) refuse("it ends here", Code::ImportTruncated);
    T value;
    std::memcpy(&value, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }
  std::string take_text(uint64_t size) {
    if (size > bytes_.size() - at_)
      refuse(fmt::format("a text of {} bytes ends behind it", size), Code::ImportTruncated);
    std::string text(reinterpret_cast<const char*>(bytes_.data()) + at_, size);
    at_ += size;
    return text;
  }
  std::string take_line() {
    std::string line;
    for (char c = static_cast<char>(take<uint8_t>()); c != '\n'; c = static_cast<char>(take<uint8_t>())) line += c;
    return line;
  }
  Value pop() {
    if (stack_.empty() || (!marks_.empty() && marks_.back() == stack_.size())) refuse("nothing is left to take");
    Value value = std::move(stack_.back());
    stack_.pop_back();
    return value;
  }
  std::vector<Value> pop_marked() {
    if (marks_.empty()) refuse("there is no mark");
    std::vector<Value> items(std::make_move_iterator(stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back())),
                             std::make_move_iterator(stack_.end()));
    stack_.resize(marks_.back());
    marks_.pop_back();
    return items;
  }
  void push(Value value) { stack_.push_back(std::move(value)); }
  void push_tuple(size_t count) {
    std::vector<Value> items(count);
    for (size_t i = count; i-- > 0;) items[i] = pop();
    push(make_tuple(std::move(items)));
  }
  Value& top() {
    if (stack_.empty()) refuse("nothing is left to look at");
    return stack_.back();
  }
  void get(uint32_t slot) {
    const auto found = memo_.find(slot);
    if (found == memo_.end()) refuse(fmt::format("it reads memo {}, which was not written", slot));
    push(found->second);
  }

  void step(uint8_t code);
  void append_all(std::vector<Value> items);
  void set_all(std::vector<Value> items);
  void build(Value state);
  Value construct(const std::string& name, std::vector<Value> arguments);
  Value storage(const Value& id);
  Value tensor(const std::vector<Value>& arguments);
  Value quantized_tensor(const std::vector<Value>& arguments);
  int64_t integer(const Value& value) const {
    if (const auto* number = value.as<int64_t>()) return *number;
    refuse(fmt::format("got {}, expected an integer", kind_of(value)));
  }
  Shape shape(const Value& value) const {
    const auto* sequence = value.sequence();
    if (sequence == nullptr) refuse(fmt::format("got {}, expected a tuple of extents", kind_of(value)));
    Shape dims;
    for (const Value& item : (*sequence)->items) dims.push_back(integer(item));
    return dims;
  }

  const Archive& archive_;
  std::string entry_, folder_;
  std::span<const std::byte> bytes_;
  size_t at_ = 0, opcode_at_ = 0;
  std::vector<Value> stack_;
  std::vector<size_t> marks_;
  std::map<uint32_t, Value> memo_;
};

void Reader::step(uint8_t code) {
  switch (code) {
    case 0x80:
      take<uint8_t>();
      return;  // PROTO
    case 0x95:
      take<uint64_t>();
      return;  // FRAME
    case 'N':
      return push(None{});
    case 0x88:
      return push(true);
    case 0x89:
      return push(false);
    case 'K':
      return push(int64_t{take<uint8_t>()});
    case 'M':
      return push(int64_t{take<uint16_t>()});
    case 'J':
      return push(int64_t{take<int32_t>()});
    case 'G': {  // big-endian
      uint64_t bits = 0;
      for (int i = 0; i < 8; ++i) bits = bits << 8 | take<uint8_t>();
      double number = 0;
      std::memcpy(&number, &bits, 8);
      return push(number);
    }
    case 0x8a: {  // LONG1
      const size_t size = take<uint8_t>();
      if (size > 8) refuse(fmt::format("an integer of {} bytes", size));
      uint64_t bits = 0;
      uint8_t byte = 0;
      for (size_t i = 0; i < size; ++i) bits |= uint64_t{byte = take<uint8_t>()} << (8 * i);
      if (size > 0 && size < 8 && byte >= 128) bits |= ~uint64_t{0} << (8 * size);
      return push(static_cast<int64_t>(bits));
    }
    case 'X':
      return push(take_text(take<uint32_t>()));
    case 0x8c:
      return push(take_text(take<uint8_t>()));
    case 0x8d:
      return push(take_text(take<uint64_t>()));
    case 'T':
    case 'B':
      return push(take_text(take<uint32_t>()));
    case 'U':
    case 'C':
      return push(take_text(take<uint8_t>()));
    case ')':
      return push(make_tuple({}));
    case ']':
      return push(make_list({}));
    case '}':
      return push(std::make_shared<Dictionary>());
    case '(':
      marks_.push_back(stack_.size());
      return;
    case 't':
      return push(make_tuple(pop_marked()));
    case 0x85:
    case 0x86:
    case 0x87:
      return push_tuple(code - 0x84u);
    case 'a':
      return append_all({pop()});
    case 'e':
      return append_all(pop_marked());
    case 's': {
      Value value = pop(), key = pop();
      return set_all({std::move(key), std::move(value)});
    }
    case 'u':
      return set_all(pop_marked());
    case 'q':
      memo_[take<uint8_t>()] = top();
      return;
    case 'r':
      memo_[take<uint32_t>()] = top();
      return;
    case 0x94: {
      const auto slot = static_cast<uint32_t>(memo_.size());
      memo_[slot] = top();
      return;
    }
    case 'h':
      return get(take<uint8_t>());
    case 'j':
      return get(take<uint32_t>());
    case 'c': {
      const std::string module = take_line();
      return push(Name{module + "." + take_line()});
    }
    case 0x93: {
      const Value name = pop(), module = pop();
      if (!name.is<std::string>() || !module.is<std::string>()) refuse("a name that is no text");
      return push(Name{*module.as<std::string>() + "." + *name.as<std::string>()});
    }
    case 'Q':
      return push(storage(pop()));
    case 0x81:
    case 'R': {  // NEWOBJ, REDUCE
      const Value arguments = pop(), callee = pop();
      const auto* name = callee.as<Name>();
      if (code == 'R' && name != nullptr && name->text.starts_with("__torch__.") && !arguments.is<Tuple>())
        return push(make_enumerated(name->text, arguments));
      const auto* tuple = arguments.as<Tuple>();
      if (name == nullptr || tuple == nullptr) refuse("what it constructs has no name");
      if (code == 'R') return push(construct(name->text, tuple->at->items));
      if (!tuple->at->items.empty()) refuse(fmt::format("{} is made with arguments", name->text));
      auto object = std::make_shared<Object>();
      object->type = name->text;
      return push(object);
    }
    case 'b':
      return build(pop());
    default:
      refuse(fmt::format("opcode 0x{:02x}{} is none a model needs; nothing in a pickle is executed here", code,
                         code >= 32 && code < 127 ? fmt::format(" ('{}')", static_cast<char>(code)) : ""));
  }
}

void Reader::append_all(std::vector<Value> items) {
  const List* list = top().as<List>();
  if (list == nullptr) refuse(fmt::format("{} is appended to, expected a list", kind_of(top())));
  for (Value& item : items) append(*list->at, std::move(item));
}

void Reader::set_all(std::vector<Value> items) {
  const DictionaryRef* dictionary = top().as<DictionaryRef>();
  if (dictionary == nullptr || items.size() % 2 != 0)
    refuse(fmt::format("items are set in {}, expected a dict", kind_of(top())));
  for (size_t i = 0; i < items.size(); i += 2) add_item(**dictionary, std::move(items[i]), std::move(items[i + 1]));
}

void Reader::build(Value state) {
  const Value target = top();
  if (target.is<DictionaryRef>()) return;  // an OrderedDict's own attributes
  const ObjectRef* object = target.as<ObjectRef>();
  if (object == nullptr) refuse(fmt::format("{} gets a state, expected an object", kind_of(target)));
  const DictionaryRef* attributes = state.as<DictionaryRef>();
  if (attributes == nullptr) {
    set_attribute(**object, std::string(kPackedState), std::move(state));
    return;
  }
  for (const auto& [key, value] : (*attributes)->items) {
    const auto* name = key.as<std::string>();
    if (name == nullptr) refuse("an attribute whose name is no text");
    set_attribute(**object, *name, value);
  }
}

Value Reader::construct(const std::string& name, std::vector<Value> arguments) {
  using Constructor = Value (*)(Reader&, std::vector<Value>&);
  static const std::map<std::string_view, Constructor> kConstructors = {
      {"torch._utils._rebuild_tensor_v2", [](Reader& r, std::vector<Value>& a) { return r.tensor(a); }},
      {"torch._utils._rebuild_tensor", [](Reader& r, std::vector<Value>& a) { return r.tensor(a); }},
      {"torch._utils._rebuild_qtensor", [](Reader& r, std::vector<Value>& a) { return r.quantized_tensor(a); }},
      {"torch._utils._rebuild_parameter", [](Reader&, std::vector<Value>& a) { return a.empty() ? Value() : a[0]; }},
      {"collections.OrderedDict", [](Reader&, std::vector<Value>&) -> Value { return std::make_shared<Dictionary>(); }},
      {"torch.jit._pickle.build_intlist", [](Reader&, std::vector<Value>& a) { return a.empty() ? Value() : a[0]; }},
      {"torch.jit._pickle.build_doublelist", [](Reader&, std::vector<Value>& a) { return a.empty() ? Value() : a[0]; }},
      {"torch.jit._pickle.build_boollist", [](Reader&, std::vector<Value>& a) { return a.empty() ? Value() : a[0]; }},
      {"torch.jit._pickle.build_tensorlist", [](Reader&, std::vector<Value>& a) { return a.empty() ? Value() : a[0]; }},
      {"torch.jit._pickle.restore_type_tag", [](Reader&, std::vector<Value>& a) { return a.empty() ? Value() : a[0]; }},
      {"torch.device", [](Reader&, std::vector<Value>& a) { return a.empty() ? Value() : a[0]; }},
  };
  const auto found = kConstructors.find(name);
  if (found == kConstructors.end())
    refuse(fmt::format("it would call {}, which is none a model needs; nothing in a pickle is executed here", name));
  return found->second(*this, arguments);
}

Value Reader::storage(const Value& id) {
  const auto* tuple = id.as<Tuple>();
  if (tuple == nullptr || tuple->at->items.size() < 5) refuse("a storage that is not described as torch does");
  const std::vector<Value>& items = tuple->at->items;
  const auto* type = items[1].as<Name>();
  const auto* key = items[2].as<std::string>();
  if (type == nullptr || key == nullptr) refuse("a storage without type or key");
  auto object = std::make_shared<Object>();
  object->type = "storage";
  object->attributes = {{"type", type->text}, {"key", *key}, {"count", integer(items[4])}};
  return object;
}

Value Reader::tensor(const std::vector<Value>& arguments) {
  const ObjectRef* storage = arguments.size() < 4 ? nullptr : arguments[0].as<ObjectRef>();
  if (storage == nullptr || (*storage)->type != "storage") refuse("a tensor without a storage");
  const std::string& type = *(*storage)->attributes.at("type").as<std::string>();
  const auto* row = std::ranges::find(kStorages, type, &StorageType::name);
  if (row == std::end(kStorages))
    refuse(fmt::format("numbers of type {} are not read", type), Code::ImportUnsupportedType);
  const StoredTensor stored{.entry = folder_ + "/" + *(*storage)->attributes.at("key").as<std::string>(),
                            .dtype = row->dtype,
                            .dims = shape(arguments[2]),
                            .strides = shape(arguments[3]),
                            .offset = integer(arguments[1])};
  auto box = std::make_shared<TensorBox>();
  box->content =
      read_tensor(archive_, stored, [&](std::string problem, Code code) { refuse(std::move(problem), code); });
  if (row->is_quantized) box->coding = Coding{.codes = row->dtype, .scale = {}, .zero_point = {}};
  return box;
}

Value Reader::quantized_tensor(const std::vector<Value>& arguments) {
  const Value value = tensor(arguments);
  const TensorRef& box = *value.as<TensorRef>();
  const Tuple* quantizer = arguments.size() < 5 ? nullptr : arguments[4].as<Tuple>();
  if (quantizer == nullptr || quantizer->at->items.size() < 3) refuse("a quantized tensor without its parameters");
  const std::vector<Value>& items = quantizer->at->items;
  const auto* kind = items[0].as<Name>();
  Coding parameters{.codes = box->content->dtype(), .scale = {}, .zero_point = {}};
  if (kind != nullptr && kind->text == "torch.per_tensor_affine" && items[1].is<double>()) {
    parameters.scale = {*items[1].as<double>()};
    parameters.zero_point = {zero_point_of(static_cast<double>(integer(items[2])))};
  } else if (kind != nullptr && items.size() == 4 && items[1].is<TensorRef>() && items[2].is<TensorRef>()) {
    parameters.scale = to_doubles(*(*items[1].as<TensorRef>())->content);
    for (const double point : to_doubles(*(*items[2].as<TensorRef>())->content))
      parameters.zero_point.push_back(zero_point_of(point));
    parameters.axis = integer(items[3]);
    const Shape& dims = box->content->shape();
    if (parameters.axis < 0 || parameters.axis >= static_cast<int64_t>(dims.size()) ||
        static_cast<int64_t>(parameters.scale.size()) != dims[static_cast<size_t>(parameters.axis)] ||
        parameters.zero_point.size() != parameters.scale.size())
      refuse("a quantized tensor with other parameters than channels", Code::ImportShapeMismatch);
  } else {
    refuse(fmt::format("a tensor quantized by {}, expected per_tensor_affine or per_channel_affine",
                       kind == nullptr ? "something without a name" : kind->text),
           Code::ImportUnsupportedType);
  }
  box->coding = std::move(parameters);
  return value;
}

}  // namespace

Value read_pickle(const Archive& archive, const std::string& entry, const std::string& folder) {
  return Reader(archive, entry, folder).read();
}

namespace {

// c10/core/ScalarType.h; quantized types are those of their codes.
constexpr std::pair<int64_t, DType> kScalarTypes[] = {
    {0, DType::UInt8},   {1, DType::Int8},    {2, DType::Int16},   {3, DType::Int32},    {4, DType::Int64},
    {6, DType::Float32}, {5, DType::Float32}, {7, DType::Float32}, {15, DType::Float32}, {11, DType::Bool},
    {12, DType::Int8},   {13, DType::UInt8},  {14, DType::Int32},
};

}  // namespace

DType dtype_of_number(int64_t scalar_type) {
  for (const auto& [number, dtype] : kScalarTypes)
    if (number == scalar_type) return dtype;
  fail(Code::ImportUnsupportedType, fmt::format("torch's type number {} is not read", scalar_type));
}

int64_t number_of_dtype(DType type) {
  for (const auto& [number, dtype] : kScalarTypes)
    if (dtype == type) return number;
  return 6;
}

}  // namespace openrknn::torchscript
