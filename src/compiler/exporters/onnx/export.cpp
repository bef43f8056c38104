#include "compiler/exporters/onnx/export.h"

#include <fmt/format.h>

#include <algorithm>
#include <protozero/pbf_writer.hpp>
#include <unordered_map>

#include "compiler/exporters/onnx/operators.h"
#include "core/base/version.h"

namespace openrknn {
namespace onnx_export {
namespace {

using Family = std::span<const OperatorRow> (*)();
constexpr Family kFamilies[] = {elementwise_operators, layer_operators, movement_operators, sequence_operators,
                                control_operators};

const OperatorRow* find_operator(std::string_view op) {
  static const auto table = [] {
    std::unordered_map<std::string_view, const OperatorRow*> rows;
    for (const Family family : kFamilies) {
      for (const OperatorRow& row : family()) rows.emplace(row.op, &row);
    }
    return rows;
  }();
  const auto row = table.find(op);
  return row == table.end() ? nullptr : row->second;
}

/// Names of values belong to them; inner tensors take others. A body's give way to those of the graphs around it.
void claim_names(Scope& scope) {
  for (int64_t i = 0; i < scope.graph.value_count(); ++i) {
    const ValueId id{static_cast<int32_t>(i)};
    const std::string& name = scope.graph[id].name;
    if (!name.empty()) scope.file.tensors.insert(name);
  }
}

void write_nodes(Scope& scope) {
  for (const NodeId id : scope.graph.order()) {
    Emission emission(scope, id);
    write_node(emission);
    for (const ValueId output : scope.graph[id].outputs) {
      if (output != ValueId::None) scope.store(output);
    }
  }
}

/// The tensor `name` holds the value: itself, or a copy under another name.
void give_output(Scope& scope, ValueId id, const std::string& name) {
  const std::string source = scope.read(id);
  if (source == name) return;
  scope.file.tensors.insert(name);
  scope.add_node({.op = "Identity", .name = name + "_Identity", .inputs = {source}, .outputs = {name}});
}

/// GraphProto up to its initializers.
std::string head_message(const Scope& scope, const std::string& name,
                         std::span<const std::pair<std::string, TensorType>> inputs,
                         std::span<const std::pair<std::string, TensorType>> outputs) {
  std::string message = scope.nodes;
  protozero::pbf_writer to(message);
  to.add_string(2, name);
  const auto add = [&](uint32_t field, std::span<const std::pair<std::string, TensorType>> values) {
    for (const auto& [tensor, type] : values) to.add_message(field, value_message(tensor, type));
  };
  add(11, inputs);
  add(12, outputs);
  std::set<std::string_view> declared;
  for (const auto& [tensor, type] : outputs) declared.insert(tensor);
  for (const auto& row : scope.types()) {
    if (!declared.contains(row.first)) add(13, std::span(&row, 1));
  }
  return message;
}

constexpr uint32_t kInitializer = 5;

void refuse_large(const Scope& scope, uint64_t other_bytes) {
  constexpr uint64_t kLimit = (uint64_t{1} << 31) - 1;
  uint64_t bytes = other_bytes;
  const Initializer* largest = nullptr;
  for (const Initializer& each : scope.initializers) {
    bytes += each.content.bytes().size() + each.name.size() + 64;
    if (largest == nullptr || each.content.bytes().size() > largest->content.bytes().size()) largest = &each;
  }
  if (bytes <= kLimit) return;
  fail(Code::FileUnwritable, Location{.tensor = largest->name},
       fmt::format("the model takes {} bytes, an ONNX file can hold {}; this is the largest constant, {} bytes", bytes,
                   kLimit, largest->content.bytes().size()),
       "crop the model (outputs=...), or quantize it");
}

void write(Sink& sink, std::string_view text) { sink.write(std::as_bytes(std::span(text.data(), text.size()))); }

}  // namespace

void write_node(Emission& e) {
  const OperatorRow* row = find_operator(e.node.op);
  if (row == nullptr) return e.produce_own();
  row->write(e);
}

std::string write_body(File& file, const Graph& body, size_t declared, std::span<const std::string> captures) {
  Scope scope(file, body);
  for (int64_t i = 0; i < body.value_count(); ++i) {
    const ValueId id{static_cast<int32_t>(i)};
    scope.own_name(id, file.tensor_name(body[id].name));
  }
  std::vector<std::pair<std::string, TensorType>> inputs, outputs;
  for (size_t i = 0; i < body.inputs.size(); ++i) {
    const ValueId id = body.inputs[i];
    if (i >= declared) {
      scope.rename(id, captures[i - declared]);
      continue;
    }
    inputs.emplace_back(scope.read(id), type_in_file(body[id]));
    scope.take_input(id, inputs.back().first);
  }
  write_nodes(scope);
  for (const ValueId id : body.outputs) {
    // Always a copy: ONNX wants a node of the body behind it, once.
    const std::string name = file.tensor_name(scope.read(id) + "_out");
    give_output(scope, id, name);
    outputs.emplace_back(name, type_in_file(body[id]));
  }
  std::string message = head_message(scope, "body", inputs, outputs);
  for (const Initializer& each : scope.initializers) {
    const std::string tensor = tensor_message(each.name, each.content);
    message += field_header(kInitializer, tensor.size()) + tensor;
  }
  return message;
}

}  // namespace onnx_export

using namespace onnx_export;  // NOLINT(google-build-using-namespace): this file is both

void write_onnx(const Graph& graph, const OnnxNames& names, Sink& sink) {
  File file;
  Scope scope(file, graph);
  claim_names(scope);
  file.tensors.insert(names.inputs.begin(), names.inputs.end());
  file.tensors.insert(names.outputs.begin(), names.outputs.end());
  const auto name_of = [&](const std::vector<std::string>& given, size_t i, ValueId id) {
    return i < given.size() ? given[i] : graph[id].name;
  };
  std::vector<std::pair<std::string, TensorType>> inputs, outputs;
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const ValueId id = graph.inputs[i];
    inputs.emplace_back(name_of(names.inputs, i, id), type_in_file(graph[id]));
    scope.take_input(id, inputs.back().first);
  }
  write_nodes(scope);
  for (size_t i = 0; i < graph.outputs.size(); ++i) {
    const ValueId id = graph.outputs[i];
    outputs.emplace_back(name_of(names.outputs, i, id), type_in_file(graph[id]));
    give_output(scope, id, outputs.back().first);
  }

  const std::string head = head_message(scope, names.graph, inputs, outputs);
  refuse_large(scope, head.size());
  std::vector<std::string> headers;
  uint64_t graph_bytes = head.size();
  for (const Initializer& each : scope.initializers) {
    const std::string tensor = tensor_header(each.name, each.content);
    headers.push_back(field_header(kInitializer, tensor.size() + each.content.bytes().size()) + tensor);
    graph_bytes += headers.back().size() + each.content.bytes().size();
  }
  std::string model;
  protozero::pbf_writer to(model);
  to.add_int64(1, kOnnxIrVersion);
  to.add_string(2, "OpenRKNN");
  to.add_string(3, std::string(version()));
  const auto add_opset = [&](std::string_view domain, int64_t number) {
    protozero::pbf_writer opset(to, 8);
    opset.add_string(1, std::string(domain));
    opset.add_int64(2, number);
  };
  add_opset("", kOnnxOpset);
  if (file.uses_own_domain) add_opset(kOnnxOwnDomain, 1);
  std::map<std::string, std::string> metadata = graph.metadata;
  for (const auto& [key, text] : names.metadata) metadata[key] = text;
  for (const auto& [key, text] : metadata) {
    protozero::pbf_writer property(to, 14);
    property.add_string(1, key);
    property.add_string(2, text);
  }
  constexpr uint32_t kGraph = 7;
  write(sink, model + field_header(kGraph, graph_bytes) + head);
  for (size_t i = 0; i < headers.size(); ++i) {
    write(sink, headers[i]);
    sink.write(scope.initializers[i].content.bytes());
  }
}

}  // namespace openrknn
