#include "compiler/importers/tensorflow/graph_def.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <protozero/pbf_reader.hpp>

#include "compiler/importers/protobuf_fields.h"
#include "core/base/error.h"

namespace openrknn::tensorflow {
namespace {

using protobuf::bytes;
using protobuf::fixed32;
using protobuf::fixed64;
using protobuf::varint;
using protozero::pbf_reader;

std::string text_of(protozero::data_view view) { return {view.data(), view.size()}; }

// clang-format off
// (the switches below are tables: a field a line)

std::optional<Shape> parse_shape(pbf_reader reader) {
  Shape shape;
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case bytes(2): {
        pbf_reader dimension = reader.get_message();
        int64_t size = 0;
        while (dimension.next()) dimension.tag_and_type() == varint(1) ? void(size = dimension.get_int64()) : dimension.skip();
        shape.push_back(size);
        break;
      }
      case varint(3): if (reader.get_bool()) return std::nullopt; break;
      default: reader.skip();
    }
  }
  return shape;
}

void parse_list(pbf_reader reader, AttributeValue& value) {
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case bytes(3): for (const int64_t number : reader.get_packed_int64()) value.integers.push_back(number); break;
      case varint(3): value.integers.push_back(reader.get_int64()); break;
      default: reader.skip();
    }
  }
}

/// Of a message the text in field 1: a name.
std::string first_text(pbf_reader reader) {
  std::string text;
  while (reader.next()) reader.tag_and_type() == bytes(1) ? void(text = text_of(reader.get_view())) : reader.skip();
  return text;
}

AttributeValue parse_value(pbf_reader reader) {
  AttributeValue value;
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case bytes(1): parse_list(reader.get_message(), value); break;
      case bytes(2): value.text = text_of(reader.get_view()); break;
      case varint(3): value.integer = reader.get_int64(); break;
      case fixed32(4): value.number = static_cast<double>(reader.get_float()); break;
      case varint(5): value.boolean = reader.get_bool(); break;
      case varint(6): value.type = reader.get_enum(); break;
      case bytes(7): value.shape = parse_shape(reader.get_message()); break;
      case bytes(8): { const auto view = reader.get_view(); value.tensor = {view.data(), view.size()}; break; }
      case bytes(10): value.text = first_text(reader.get_message()); break;
      default: reader.skip();
    }
  }
  return value;
}

SourceNode parse_node(pbf_reader reader) {
  SourceNode node;
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case bytes(1): node.name = text_of(reader.get_view()); break;
      case bytes(2): node.op = text_of(reader.get_view()); break;
      case bytes(3): node.inputs.push_back(text_of(reader.get_view())); break;
      case bytes(5): {
        pbf_reader entry = reader.get_message();
        std::string key;
        AttributeValue value;
        while (entry.next()) {
          switch (entry.tag_and_type()) {
            case bytes(1): key = text_of(entry.get_view()); break;
            case bytes(2): value = parse_value(entry.get_message()); break;
            default: entry.skip();
          }
        }
        node.attributes.insert_or_assign(std::move(key), std::move(value));
        break;
      }
      default: reader.skip();
    }
  }
  return node;
}

void parse_signature(pbf_reader reader, std::string& name, SourceFunction& function) {
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case bytes(1): name = text_of(reader.get_view()); break;
      case bytes(2): function.arguments.push_back(first_text(reader.get_message())); break;
      case bytes(3): function.results.push_back(first_text(reader.get_message())); break;
      default: reader.skip();
    }
  }
}

void parse_function(pbf_reader reader, SourceGraph& graph) {
  SourceFunction function;
  std::string name;
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case bytes(1): parse_signature(reader.get_message(), name, function); break;
      case bytes(3): function.nodes.push_back(parse_node(reader.get_message())); break;
      case bytes(4): {
        pbf_reader entry = reader.get_message();
        std::string key, tensor;
        while (entry.next()) {
          switch (entry.tag_and_type()) {
            case bytes(1): key = text_of(entry.get_view()); break;
            case bytes(2): tensor = text_of(entry.get_view()); break;
            default: entry.skip();
          }
        }
        function.returned.insert_or_assign(std::move(key), std::move(tensor));
        break;
      }
      default: reader.skip();
    }
  }
  graph.functions.insert_or_assign(std::move(name), std::move(function));
}

void parse_library(pbf_reader reader, SourceGraph& graph) {
  while (reader.next()) reader.tag_and_type() == bytes(1) ? parse_function(reader.get_message(), graph) : reader.skip();
}

template <class Numbers, class Out>
void append(const Numbers& all, std::vector<Out>& out) {
  for (const auto number : all) out.push_back(static_cast<Out>(number));
}

/// A TensorProto as far as it is read.
struct TensorFields {
  int type = 0;
  std::optional<Shape> shape = Shape{};
  std::string_view content;
  std::vector<double> reals;
  std::vector<int64_t> integers;
  std::vector<uint32_t> halves;  ///< bits of 16-bit floats
};

TensorFields parse_tensor(pbf_reader reader) {
  TensorFields t;
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case varint(1): t.type = reader.get_enum(); break;
      case bytes(2): t.shape = parse_shape(reader.get_message()); break;
      case bytes(4): { const auto view = reader.get_view(); t.content = {view.data(), view.size()}; break; }
      case bytes(5): append(reader.get_packed_float(), t.reals); break;
      case fixed32(5): t.reals.push_back(static_cast<double>(reader.get_float())); break;
      case bytes(6): append(reader.get_packed_double(), t.reals); break;
      case fixed64(6): t.reals.push_back(reader.get_double()); break;
      case bytes(7): append(reader.get_packed_int32(), t.integers); break;
      case varint(7): t.integers.push_back(reader.get_int32()); break;
      case bytes(10): append(reader.get_packed_int64(), t.integers); break;
      case varint(10): t.integers.push_back(reader.get_int64()); break;
      case bytes(11): append(reader.get_packed_bool(), t.integers); break;
      case varint(11): t.integers.push_back(reader.get_bool()); break;
      case bytes(13): append(reader.get_packed_int32(), t.halves); break;
      case varint(13): t.halves.push_back(static_cast<uint32_t>(reader.get_int32())); break;
      case bytes(16): append(reader.get_packed_uint32(), t.integers); break;
      case varint(16): t.integers.push_back(reader.get_uint32()); break;
      case bytes(17): append(reader.get_packed_uint64(), t.integers); break;
      case varint(17): t.integers.push_back(static_cast<int64_t>(reader.get_uint64())); break;
      default: reader.skip();
    }
  }
  return t;
}

// clang-format on

template <class T>
Tensor repeated(DType dtype, const Shape& shape, const std::vector<T>& given) {
  const auto count = static_cast<size_t>(element_count(shape));
  std::vector<T> numbers = given;
  if (numbers.size() > count) {
    fail(Code::ImportBadFile, fmt::format("a tensor of {} holds {} numbers", to_string(shape), numbers.size()));
  }
  numbers.resize(count, given.empty() ? T{} : given.back());
  return cast(Tensor::from<T>(shape, numbers), dtype);
}

}  // namespace

std::optional<DType> dtype_of_type(int type) {
  switch (type % 100) {  // references are 100 above
    case 1:
      return DType::Float32;
    case 2:
      return DType::Float64;
    case 3:
      return DType::Int32;
    case 4:
      return DType::UInt8;
    case 5:
      return DType::Int16;
    case 6:
      return DType::Int8;
    case 9:
      return DType::Int64;
    case 10:
      return DType::Bool;
    case 14:
      return DType::BFloat16;
    case 17:
      return DType::UInt16;
    case 19:
      return DType::Float16;
    case 22:
      return DType::UInt32;
    case 23:
      return DType::UInt64;
    default:
      return std::nullopt;
  }
}

DType computed_as(DType dtype) {
  const bool is_other_float = dtype == DType::Float16 || dtype == DType::BFloat16 || dtype == DType::Float64;
  return is_other_float ? DType::Float32 : dtype;
}

SourceGraph read_graph(std::shared_ptr<const MappedFile> file) {
  SourceGraph graph{.file = std::move(file), .nodes = {}};
  const std::span<const std::byte> content = graph.file->bytes();
  try {
    pbf_reader reader(reinterpret_cast<const char*>(content.data()), content.size());
    while (reader.next()) {
      switch (reader.tag_and_type()) {
        case bytes(1):
          graph.nodes.push_back(parse_node(reader.get_message()));
          break;
        case bytes(2):
          parse_library(reader.get_message(), graph);
          break;
        default:
          reader.skip();
      }
    }
  } catch (const protozero::exception&) {
    fail(Code::ImportBadFile, Location{.file = graph.file->name()},
         "the file is damaged: it is no complete GraphDef of TensorFlow", "fetch or freeze it again");
  }
  if (graph.nodes.empty()) {
    fail(Code::ImportBadFile, Location{.file = graph.file->name()}, "the file holds no nodes of a TensorFlow graph");
  }
  return graph;
}

Tensor read_tensor(std::string_view message, const std::shared_ptr<const MappedFile>& file) try {
  const auto [type, shape, content, reals, integers, halves] = parse_tensor(pbf_reader(message.data(), message.size()));
  const std::optional<DType> dtype = dtype_of_type(type);
  if (!dtype) fail(Code::ImportUnsupportedAttribute, fmt::format("a constant of type {} holds no numbers", type));
  constexpr int64_t kMostElements = int64_t{1} << 31;
  if (!shape) fail(Code::ImportBadFile, "a constant has no shape");
  for (const int64_t extent : *shape)
    if (extent < 0) fail(Code::ImportBadFile, fmt::format("a constant has the shape {}", to_string(*shape)));
  const int64_t count = element_count(*shape);
  if (count > kMostElements) fail(Code::ImportBadFile, fmt::format("a constant has the shape {}", to_string(*shape)));
  const auto needed = static_cast<size_t>(count * bit_width(*dtype) / 8);
  if (!content.empty()) {
    if (content.size() != needed) {
      fail(Code::ImportBadFile, fmt::format("a constant has {} bytes, {} {} need {}", content.size(), name(*dtype),
                                            to_string(*shape), needed));
    }
    const std::span<const std::byte> view = std::as_bytes(std::span(content.data(), content.size()));
    if (reinterpret_cast<uintptr_t>(view.data()) % static_cast<size_t>(bit_width(*dtype) / 8) == 0)
      return Tensor::view(*dtype, *shape, view, file);
    Tensor copy(*dtype, *shape);
    std::memcpy(copy.mutable_bytes().data(), view.data(), view.size());
    return copy;
  }
  // Few numbers may stand for many: as many as a fill of this size may be.
  constexpr int64_t kMostRepeated = int64_t{1} << 26;
  if (count > kMostRepeated) fail(Code::ImportBadFile, fmt::format("a constant repeats a number {} times", count));
  if (!halves.empty()) {
    Tensor bits(*dtype, {static_cast<int64_t>(halves.size())});
    if (bit_width(*dtype) != 16) fail(Code::ImportBadFile, "a constant of 16-bit floats has another type");
    for (size_t i = 0; i < halves.size(); ++i) {
      const auto half = static_cast<uint16_t>(halves[i]);
      std::memcpy(bits.mutable_bytes().data() + 2 * i, &half, 2);
    }
    return repeated(*dtype, *shape, to_doubles(bits));
  }
  if (!integers.empty()) return repeated(*dtype, *shape, integers);
  return repeated(*dtype, *shape, reals);
} catch (const protozero::exception&) {
  fail(Code::ImportBadFile, "a constant is damaged");
}

const AttributeValue* SourceNode::find(std::string_view key) const {
  const auto found = attributes.find(key);
  return found == attributes.end() ? nullptr : &found->second;
}
std::string SourceNode::text(std::string_view key, std::string fallback) const {
  const AttributeValue* value = find(key);
  return value == nullptr ? std::move(fallback) : value->text;
}
int64_t SourceNode::integer(std::string_view key, int64_t fallback) const {
  const AttributeValue* value = find(key);
  return value == nullptr ? fallback : value->integer;
}
double SourceNode::number(std::string_view key, double fallback) const {
  const AttributeValue* value = find(key);
  return value == nullptr ? fallback : value->number;
}
bool SourceNode::boolean(std::string_view key, bool fallback) const {
  const AttributeValue* value = find(key);
  return value == nullptr ? fallback : value->boolean;
}
std::vector<int64_t> SourceNode::integers(std::string_view key) const {
  const AttributeValue* value = find(key);
  return value == nullptr ? std::vector<int64_t>{} : value->integers;
}

namespace {

/// Length of a varint's message behind `at`, which moves past it.
std::optional<size_t> length_at(std::string_view head, size_t& at) {
  size_t value = 0;
  for (int shift = 0; at < head.size() && shift < 35; shift += 7) {
    const auto byte = static_cast<unsigned char>(head[at++]);
    value |= size_t{byte & 0x7fU} << shift;
    if ((byte & 0x80U) == 0) return value;
  }
  return std::nullopt;
}

bool is_word(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](unsigned char c) { return c > 32 && c < 127; });
}

}  // namespace

// The first node: its name, then its op, a word that begins with a capital.
bool looks_like_graph_def(std::string_view head) {
  if (head.size() < 8 || head[0] != 0x0a) return false;
  size_t at = 1;
  if (!length_at(head, at) || at >= head.size() || head[at++] != 0x0a) return false;
  const std::optional<size_t> name = length_at(head, at);
  if (!name || *name > 512 || at + *name + 2 > head.size() || !is_word(head.substr(at, *name))) return false;
  at += *name;
  if (head[at++] != 0x12) return false;
  const std::optional<size_t> op = length_at(head, at);
  if (!op || *op > 64 || at + *op > head.size() || !is_word(head.substr(at, *op))) return false;
  return head[at] >= 'A' && head[at] <= 'Z';
}

// saved_model_schema_version, then a MetaGraphDef that begins with a MetaInfoDef.
bool looks_like_saved_model(std::string_view head) {
  return head.size() > 8 && head[0] == 0x08 && head[1] == 0x01 && head[2] == 0x12;
}

}  // namespace openrknn::tensorflow
