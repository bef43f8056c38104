#include "compiler/exporters/onnx/edit.h"

#include <fmt/format.h>

#include <protozero/pbf_writer.hpp>

#include "compiler/exporters/onnx/pieces.h"
#include "core/base/error.h"

namespace openrknn::onnx_export {
namespace {

using Names = std::map<std::string, std::string, std::less<>>;

/// Messages nest through bodies of nodes; the stack must not be the file's choice. Three levels a body.
constexpr int kDeepest = 120;

// Field numbers: onnx/onnx.proto3 (Apache-2.0).
namespace model_field {
constexpr uint32_t kGraph = 7;
}
namespace graph_field {
constexpr uint32_t kNode = 1, kInitializer = 5, kInput = 11, kOutput = 12, kValue = 13, kQuantization = 14;
}
namespace node_field {
constexpr uint32_t kInput = 1, kOutput = 2, kAttribute = 5;
}
namespace attribute_field {
constexpr uint32_t kGraph = 6, kGraphs = 11;
}
constexpr uint32_t kNameOfValue = 1, kNameOfTensor = 8;
namespace value_field {
constexpr uint32_t kType = 2, kTensorType = 1, kShape = 2;
}

[[noreturn]] void too_deep() {
  fail(Code::ImportBadFile, fmt::format("messages are nested more than {} deep", kDeepest));
}

std::string_view text_of(std::string_view message, uint32_t field) {
  std::string_view text;
  for_each_field(message, [&](uint32_t number, const std::optional<std::string_view>& content, std::string_view) {
    if (number == field && content) text = *content;
  });
  return text;
}

std::optional<Pieces> renamed(std::string_view name, const Names& names) {
  const auto found = names.find(name);
  if (found == names.end()) return std::nullopt;
  Pieces made;
  made.add(found->second);
  return made;
}

/// A message whose first field is the name of a value: ValueInfoProto, TensorAnnotation.
std::optional<Pieces> rename_subject(std::string_view message, const Names& names) {
  return change_fields(message, [&](uint32_t number, std::string_view content) {
    return number == kNameOfValue ? renamed(content, names) : std::nullopt;
  });
}

std::optional<Pieces> rename_in_body(std::string_view graph, const Names& names, int depth);

std::optional<Pieces> rename_in_node(std::string_view node, const Names& names, int depth) {
  return change_fields(node, [&](uint32_t number, std::string_view content) -> std::optional<Pieces> {
    if (number == node_field::kInput || number == node_field::kOutput) return renamed(content, names);
    if (number != node_field::kAttribute) return std::nullopt;
    return change_fields(content, [&](uint32_t attribute, std::string_view graph) -> std::optional<Pieces> {
      const bool is_graph = attribute == attribute_field::kGraph || attribute == attribute_field::kGraphs;
      return is_graph ? rename_in_body(graph, names, depth + 1) : std::nullopt;
    });
  });
}

/// What a body defines itself hides values of the same name around it.
void drop_defined(std::string_view graph, Names& names) {
  const auto drop = [&](std::string_view name) {
    if (const auto found = names.find(name); found != names.end()) names.erase(found);
  };
  for_each_field(graph, [&](uint32_t number, const std::optional<std::string_view>& content, std::string_view) {
    if (!content) return;
    if (number == graph_field::kInput) drop(text_of(*content, kNameOfValue));
    if (number == graph_field::kInitializer) drop(text_of(*content, kNameOfTensor));
    if (number != graph_field::kNode) return;
    for_each_field(*content, [&](uint32_t field, const std::optional<std::string_view>& name, std::string_view) {
      if (field == node_field::kOutput && name) drop(*name);
    });
  });
}

std::optional<Pieces> rename_in_body(std::string_view graph, const Names& outside, int depth) {
  if (depth > kDeepest) too_deep();
  Names names = outside;
  drop_defined(graph, names);
  if (names.empty()) return std::nullopt;
  return change_fields(graph, [&](uint32_t number, std::string_view content) -> std::optional<Pieces> {
    switch (number) {
      case graph_field::kNode:
        return rename_in_node(content, names, depth);
      case graph_field::kOutput:
      case graph_field::kValue:
      case graph_field::kQuantization:
        return rename_subject(content, names);
      default:
        return std::nullopt;
    }
  });
}

std::string shape_field(const std::vector<DeclaredDimension>& shape) {
  std::string dimensions;
  protozero::pbf_writer to(dimensions);
  for (const DeclaredDimension& each : shape) {
    // Assembled apart: an empty message has to be there, too.
    std::string dimension;
    if (each.extent >= 0)
      protozero::pbf_writer(dimension).add_int64(1, each.extent);
    else if (!each.symbol.empty())
      protozero::pbf_writer(dimension).add_string(2, each.symbol);
    to.add_message(1, dimension);
  }
  return field_header(value_field::kShape, dimensions.size()) + dimensions;
}

/// A ValueInfoProto of a tensor with another shape.
std::optional<Pieces> redeclared(std::string_view value, const DeclaredShapes& shapes) {
  const auto shape = shapes.find(text_of(value, kNameOfValue));
  if (shape == shapes.end()) return std::nullopt;
  return change_fields(value, [&](uint32_t number, std::string_view type) -> std::optional<Pieces> {
    if (number != value_field::kType) return std::nullopt;
    return change_fields(type, [&](uint32_t kind, std::string_view tensor) -> std::optional<Pieces> {
      if (kind != value_field::kTensorType) return std::nullopt;
      Pieces made;
      for_each_field(tensor, [&](uint32_t field, const std::optional<std::string_view>&, std::string_view whole) {
        if (field != value_field::kShape) made.keep(whole);
      });
      made.add(shape_field(shape->second));
      return made;
    });
  });
}

void add_nodes(Pieces& graph, const std::vector<NodeMessage>& nodes) {
  for (const NodeMessage& node : nodes) {
    Pieces content;
    content.add(node_message(node));
    graph.add_field(graph_field::kNode, std::move(content));
  }
}

Pieces edited_graph(std::string_view graph, const GraphEdit& edit) {
  Pieces result;
  add_nodes(result, edit.first);
  const auto change = [&](uint32_t number, std::string_view content) -> std::optional<Pieces> {
    switch (number) {
      case graph_field::kNode:
        return rename_in_node(content, edit.renamed, 0);
      case graph_field::kInput:
        return redeclared(content, edit.inputs);
      case graph_field::kOutput:
        return redeclared(content, edit.outputs);
      case graph_field::kValue:
      case graph_field::kQuantization:
        return rename_subject(content, edit.renamed);
      default:
        return std::nullopt;
    }
  };
  for_each_field(graph, [&](uint32_t number, const std::optional<std::string_view>& content, std::string_view whole) {
    std::optional<Pieces> made = content ? change(number, *content) : std::nullopt;
    if (made)
      result.add_field(number, std::move(*made));
    else
      result.keep(whole);
  });
  add_nodes(result, edit.last);
  return result;
}

std::string_view text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

/// Kinds of messages that lead to tensors.
enum class Kind : uint8_t { Model, Graph, Node, Attribute, Function, Training, Sparse, Tensor, Entry };

struct Way {
  Kind from;
  uint32_t field;
  Kind to;
};
constexpr Way kWaysToTensors[] = {
    {Kind::Model, 7, Kind::Graph},       {Kind::Model, 20, Kind::Training},  {Kind::Model, 25, Kind::Function},
    {Kind::Graph, 1, Kind::Node},        {Kind::Graph, 5, Kind::Tensor},     {Kind::Graph, 15, Kind::Sparse},
    {Kind::Node, 5, Kind::Attribute},    {Kind::Attribute, 5, Kind::Tensor}, {Kind::Attribute, 6, Kind::Graph},
    {Kind::Attribute, 10, Kind::Tensor}, {Kind::Attribute, 11, Kind::Graph}, {Kind::Attribute, 22, Kind::Sparse},
    {Kind::Attribute, 23, Kind::Sparse}, {Kind::Function, 7, Kind::Node},    {Kind::Function, 11, Kind::Attribute},
    {Kind::Training, 1, Kind::Graph},    {Kind::Training, 2, Kind::Graph},   {Kind::Sparse, 1, Kind::Tensor},
    {Kind::Sparse, 2, Kind::Tensor},     {Kind::Tensor, 13, Kind::Entry},
};

void collect_locations(std::string_view message, Kind kind, int depth, std::set<std::string>& found) {
  if (depth > kDeepest) too_deep();
  if (kind == Kind::Entry) {
    if (text_of(message, 1) == "location") found.emplace(text_of(message, 2));
    return;
  }
  for_each_field(message, [&](uint32_t number, const std::optional<std::string_view>& content, std::string_view) {
    if (!content) return;
    for (const Way& way : kWaysToTensors) {
      if (way.from == kind && way.field == number) collect_locations(*content, way.to, depth + 1, found);
    }
  });
}

/// Runs `work`, whose failures are told of the file.
template <class Work>
auto about(const MappedFile& model, const Work& work) {
  try {
    return work();
  } catch (const protozero::exception& error) {
    fail(Code::ImportBadFile, Location{.file = model.name()}, fmt::format("damaged ONNX file: {}", error.what()),
         "copy or download the file again");
  }
}

}  // namespace

void require_editable(const MappedFile& model) {
  // protozero reads lengths in 32 bits.
  if (model.bytes().size() >> 32 == 0) return;
  fail(Code::ImportBadFile, Location{.file = model.name()},
       fmt::format("an ONNX file of {} bytes cannot be edited, at most 4 GiB can", model.bytes().size()),
       "save the model with its weights as external data");
}

void write_edited(const MappedFile& model, const GraphEdit& edit, Sink& sink) {
  const Pieces result = about(model, [&] {
    bool done = false;
    std::optional<Pieces> made =
        change_fields(text_of(model), [&](uint32_t number, std::string_view content) -> std::optional<Pieces> {
          if (number != model_field::kGraph) return std::nullopt;
          if (std::exchange(done, true)) {
            fail(Code::ImportBadFile, Location{.file = model.name()}, "the file holds two graphs",
                 "export the model again");
          }
          return edited_graph(content, edit);
        });
    if (!made) fail(Code::ImportBadFile, Location{.file = model.name()}, "the file holds no graph");
    return std::move(*made);
  });
  result.write(sink);
}

std::set<std::string> external_files(const MappedFile& model) {
  std::set<std::string> found;
  about(model, [&] { collect_locations(text_of(model), Kind::Model, 0, found); });
  return found;
}

}  // namespace openrknn::onnx_export
