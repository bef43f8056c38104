#include "core/rknn_file/decode.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "core/graph/schema.h"
#include "core/rknn_file/rknn_generated.h"
#include "core/rknn_file/upgrade.h"

namespace openrknn {
namespace {

namespace fb = flatbuffers;

constexpr int64_t kMostDimensions = 64;
constexpr int kDeepestGraph = 16;  ///< bodies within bodies

// By memcpy: the verifier aligns a vector's length, not its elements, and a damaged file may put these anywhere.
template <class T>
std::vector<T> list(const fb::Vector<T>* values) {
  static_assert(std::endian::native == std::endian::little && std::is_arithmetic_v<T>);
  std::vector<T> copy(values == nullptr ? 0 : values->size());
  if (!copy.empty()) std::memcpy(copy.data(), values->Data(), copy.size() * sizeof(T));
  return copy;
}

std::vector<std::string> texts(const fb::Vector<fb::Offset<fb::String>>* values) {
  std::vector<std::string> result;
  if (values != nullptr) {
    for (const fb::String* value : *values) result.push_back(fb::GetString(value));
  }
  return result;
}

template <class T, class F>
void for_each(const fb::Vector<fb::Offset<T>>* tables, F&& use) {
  if (tables == nullptr) return;
  for (const T* table : *tables) use(*table);
}

class Decoder {
 public:
  explicit Decoder(const DecodeSource& source) : source_(source) {}

  Model decode(std::span<const Section> extras);

 private:
  [[noreturn]] void invalid(const std::string& problem) const;
  void require(bool condition, const char* problem) const {
    if (!condition) invalid(problem);
  }

  DType dtype(uint8_t) const;
  Shape shape(const fb::Vector<int64_t>*) const;
  Tensor tensor(const file::TensorRef*) const;
  QuantParams quant(const file::Quant&) const;
  FixedPoint fixed(const file::Fixed&) const;
  Attribute attribute(const file::Attribute&, int depth) const;
  Value value(const file::Value&, int64_t id) const;
  std::vector<ValueId> ids(const fb::Vector<int32_t>*, int64_t count, bool may_be_none) const;
  Node node(const file::Node&, int64_t values, int64_t origins, int depth) const;
  Graph graph(const file::Graph*, int depth) const;
  Port port(const file::Port&) const;
  Tensor extra(const file::Extra&, std::span<const Section>) const;
  std::vector<FileOperator> operators(const file::Model&) const;

  const DecodeSource& source_;
};

void Decoder::invalid(const std::string& problem) const {
  Location where;
  where.file = source_.file;
  fail(Code::RknnInvalid, where, problem, "convert the source model again");
}

DType Decoder::dtype(uint8_t number) const {
  require(number < kDTypeCount, "a tensor has an unknown element type");
  return static_cast<DType>(number);
}

Shape Decoder::shape(const fb::Vector<int64_t>* dims) const {
  Shape result = list(dims);
  require(static_cast<int64_t>(result.size()) <= kMostDimensions, "a tensor has more than 64 dimensions");
  for (const int64_t extent : result) require(extent >= -1, "a tensor has a negative extent");
  if (is_static(result)) element_count(result);  // throws if the product overflows
  return result;
}

Tensor Decoder::tensor(const file::TensorRef* ref) const {
  require(ref != nullptr, "a tensor is missing");
  const DType type = dtype(ref->dtype());
  Shape dims = shape(ref->shape());
  require(is_static(dims), "a constant has an unknown extent");
  const int64_t count = element_count(dims);
  require(count <= INT64_MAX / 64, "a constant is too large");
  const uint64_t size = static_cast<uint64_t>(byte_size(type, count));
  if (ref->removed()) {
    const std::optional<Tensor> found = source_.shared ? source_.shared(ref->hash(), size) : std::nullopt;
    require(found.has_value(), "a weight is neither in the file nor in the model that shares its weights");
    return Tensor::view(type, std::move(dims), found->bytes(), std::make_shared<Tensor>(*found));
  }
  const Bytes all = source_.weights;
  require(ref->offset() % kSectionAlignment == 0 && ref->offset() <= all.size() && size <= all.size() - ref->offset(),
          "a constant lies outside the weights section");
  return Tensor::view(type, std::move(dims), all.subspan(ref->offset(), size), source_.owner);
}

QuantParams Decoder::quant(const file::Quant& quant) const {
  return {.scale = list(quant.scale()),
          .zero_point = list(quant.zero_point()),
          .axis = quant.axis(),
          .group = quant.group()};
}

FixedPoint Decoder::fixed(const file::Fixed& fixed) const {
  FixedPoint result;
  result.channel = list(fixed.channel());
  result.channel_shift = fixed.channel_shift();
  if (fixed.scale() != nullptr) {
    for (const file::Scale* scale : *fixed.scale()) result.scale.emplace_back(scale->multiplier(), scale->shift());
  }
  result.slope = list(fixed.slope());
  result.low = fixed.low();
  result.high = fixed.high();
  return result;
}

Attribute Decoder::attribute(const file::Attribute& attribute, int depth) const {
  using Kind = file::AttributeKind;
  switch (attribute.kind()) {
    case Kind::Int:
      return attribute.i();
    case Kind::Float:
      return attribute.f();
    case Kind::String:
      return fb::GetString(attribute.s());
    case Kind::Ints:
      return list(attribute.ints());
    case Kind::Floats:
      return list(attribute.floats());
    case Kind::Strings:
      return texts(attribute.strings());
    case Kind::Tensor:
      return tensor(attribute.tensor());
    case Kind::Graph:
      return std::make_shared<const Graph>(graph(attribute.graph(), depth + 1));
  }
  invalid(fmt::format("attribute '{}' has unknown kind {}", fb::GetString(attribute.name()),
                      static_cast<int>(attribute.kind())));
}

Value Decoder::value(const file::Value& value, int64_t id) const {
  Value result;
  if (value.dead()) {
    result.name = fmt::format("~{}", id);  // a place without meaning, which must not take a real value's name
    return result;
  }
  result.name = fb::GetString(value.name());
  result.dtype = dtype(value.dtype());
  result.shape = shape(value.shape());
  if (value.quant() != nullptr) result.quant = quant(*value.quant());
  if (value.constant() != nullptr) result.constant = tensor(value.constant());
  result.aliases = texts(value.aliases());
  return result;
}

std::vector<ValueId> Decoder::ids(const fb::Vector<int32_t>* numbers, int64_t count, bool may_be_none) const {
  std::vector<ValueId> result;
  for (const int32_t number : list(numbers)) {
    require(number >= (may_be_none ? -1 : 0) && number < count, "a node refers to a value that does not exist");
    result.push_back(ValueId(number));
  }
  return result;
}

Node Decoder::node(const file::Node& node, int64_t values, int64_t origins, int depth) const {
  Node result;
  result.name = fb::GetString(node.name());
  result.op = fb::GetString(node.op());
  result.inputs = ids(node.inputs(), values, true);
  result.outputs = ids(node.outputs(), values, true);
  for_each(node.attributes(), [&](const file::Attribute& entry) {
    require(result.attributes.emplace(fb::GetString(entry.name()), attribute(entry, depth)).second,
            "a node has the same attribute twice");
  });
  if (node.fixed() != nullptr) result.fixed = fixed(*node.fixed());
  require(node.placement() <= static_cast<uint8_t>(Placement::Gpu), "a node has an unknown placement");
  result.placement = static_cast<Placement>(node.placement());
  result.origins = list(node.origins());
  for (const int32_t origin : result.origins) {
    require(origin >= 0 && origin < origins, "a node refers to a source layer that does not exist");
  }
  return result;
}

Graph Decoder::graph(const file::Graph* source, int depth) const {
  require(source != nullptr, "a graph is missing");
  require(depth < kDeepestGraph, "graphs are nested too deeply");
  Graph graph;
  for_each(source->origins(), [&](const file::Origin& origin) {
    Origin result{fb::GetString(origin.op()), fb::GetString(origin.node()), fb::GetString(origin.tensor()), {}};
    result.where.file = fb::GetString(origin.file());
    result.where.node = fb::GetString(origin.where_node());
    result.where.tensor = fb::GetString(origin.where_tensor());
    result.where.line = origin.line();
    graph.origins.push_back(std::move(result));
  });
  const int64_t origins = static_cast<int64_t>(graph.origins.size());
  graph.unplaced_origins = list(source->unplaced_origins());
  for (const int32_t origin : graph.unplaced_origins) {
    require(origin >= 0 && origin < origins, "the graph refers to a source layer that does not exist");
  }
  // add() makes names unique; a name that changes thereby was there twice.
  for_each(source->values(), [&](const file::Value& entry) {
    Value wanted = value(entry, graph.value_count());
    const std::string name = wanted.name;
    const size_t aliases = wanted.aliases.size();
    const ValueId id = graph.add(std::move(wanted));
    if (graph[id].name != name || graph[id].aliases.size() != aliases) {
      invalid(fmt::format("value name '{}' or one of its aliases is empty or taken twice", name));
    }
  });
  const int64_t values = graph.value_count();
  graph.inputs = ids(source->inputs(), values, false);
  graph.outputs = ids(source->outputs(), values, false);
  for_each(source->nodes(), [&](const file::Node& entry) {
    Node wanted = node(entry, values, origins, depth);
    for (const ValueId output : wanted.outputs) {
      if (output == ValueId::None) continue;
      require(graph[output].producer == NodeId::None && !graph.is_input(output), "a value is produced twice");
    }
    const std::string name = wanted.name;
    const std::vector<ValueId> outputs = wanted.outputs;
    const NodeId id = graph.add(std::move(wanted));
    if (graph[id].name != name || graph[id].outputs != outputs) {
      invalid(fmt::format("node name '{}' is empty or taken twice, or it produces a value twice", name));
    }
  });
  for_each(source->metadata(),
           [&](const file::Pair& pair) { graph.metadata[fb::GetString(pair.key())] = fb::GetString(pair.value()); });
  return graph;
}

Port Decoder::port(const file::Port& port) const {
  Port result;
  result.name = fb::GetString(port.name());
  result.dtype = dtype(port.dtype());
  result.source_order = list(port.source_order());
  result.mean = list(port.mean());
  result.std = list(port.std());
  result.pixel_format = fb::GetString(port.pixel_format());
  return result;
}

Tensor Decoder::extra(const file::Extra& extra, std::span<const Section> sections) const {
  const std::string name = "extra/" + fb::GetString(extra.name());
  for (const Section& section : sections) {
    if (section.name != name) continue;
    const DType type = dtype(extra.dtype());
    Shape dims = shape(extra.shape());
    if (!is_static(dims) || element_count(dims) > INT64_MAX / 64 ||
        static_cast<uint64_t>(byte_size(type, element_count(dims))) != section.size) {
      invalid(fmt::format("section '{}' has {} bytes, its shape asks for another number", name, section.size));
    }
    return Tensor::view(type, std::move(dims), section.bytes, source_.owner);
  }
  invalid(fmt::format("section '{}' is missing", name));
}

std::vector<FileOperator> Decoder::operators(const file::Model& model) const {
  std::vector<FileOperator> result;
  for_each(model.operators(), [&](const file::Operator& op) {
    result.push_back({fb::GetString(op.name()), op.version()});
  });
  return result;
}

Model Decoder::decode(std::span<const Section> extras) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(source_.model.data());
  fb::Verifier verifier(bytes, source_.model.size(), 64, 100'000'000);
  require(source_.model.size() >= 8 && file::VerifyModelBuffer(verifier),
          "the model section is not a FlatBuffer of ours");
  const file::Model& source = *file::GetModel(bytes);

  Model model;
  for_each(source.variants(), [&](const file::Graph& variant) { model.variants.push_back(graph(&variant, 0)); });
  for_each(source.inputs(), [&](const file::Port& entry) { model.inputs.push_back(port(entry)); });
  for_each(source.outputs(), [&](const file::Port& entry) { model.outputs.push_back(port(entry)); });
  model.target = fb::GetString(source.target());
  model.custom_string = fb::GetString(source.custom_string());
  model.tool_version = fb::GetString(source.tool_version());
  model.source_framework = fb::GetString(source.source_framework());
  model.arithmetic = {fb::GetString(source.arithmetic_family()), source.arithmetic_version()};
  model.batch = source.batch();
  model.single_core = source.single_core();
  model.sparse = source.sparse();
  if (source.golden() != nullptr) model.golden = graph(source.golden(), 0);
  for_each(source.extras(),
           [&](const file::Extra& entry) { model.sections[fb::GetString(entry.name())] = extra(entry, extras); });

  const std::vector<FileOperator> ops = operators(source);
  for (Graph& variant : model.variants) upgrade(variant, ops, source_.file);
  if (model.golden) upgrade(*model.golden, ops, source_.file);
  return model;
}

}  // namespace

Model decode_model(const DecodeSource& source, std::span<const Section> extras) {
  return Decoder(source).decode(extras);
}

}  // namespace openrknn
