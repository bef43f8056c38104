#include "toolkit/custom_operators.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/graph/custom.h"

namespace openrknn {
namespace {

const CustomOperatorCode* code_of(const std::vector<CustomOperatorCode>& codes, std::string_view type) {
  const auto found = std::ranges::find(codes, type, &CustomOperatorCode::type);
  return found == codes.end() || !found->compute ? nullptr : &*found;
}

Tensor tensor_of(const CustomNode::Type& type, const std::byte* from) {
  Tensor tensor(type.dtype, type.shape);
  const std::span<std::byte> bytes = tensor.mutable_bytes();
  if (from != nullptr && !bytes.empty()) std::memcpy(bytes.data(), from, bytes.size());
  return tensor;
}

}  // namespace

std::vector<CustomDeclaration> declarations(const std::vector<CustomOperatorCode>& codes) {
  std::vector<CustomDeclaration> result;
  for (const CustomOperatorCode& code : codes) {
    if (code.compute || code.infer) result.push_back({.type = code.type, .infer = code.infer});
  }
  return result;
}

CustomNode custom_node(const Graph& graph, NodeId id) {
  const Node& node = graph[id];
  CustomNode custom{.name = node.name, .attributes = node.attributes};
  const auto type_of = [&](ValueId value) {
    return value == ValueId::None ? CustomNode::Type{} : CustomNode::Type{true, graph[value].dtype, graph[value].shape};
  };
  for (const ValueId input : node.inputs) custom.inputs.push_back(type_of(input));
  for (const ValueId output : node.outputs) custom.outputs.push_back(type_of(output));
  return custom;
}

void compute_custom(const CustomOperatorCode& code, const CustomNode& node, std::span<std::byte* const> buffers) {
  std::vector<Tensor> inputs;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (node.inputs[i].is_given) inputs.push_back(tensor_of(node.inputs[i], buffers[i]));
  }
  std::vector<Tensor> outputs = code.compute(node.attributes, inputs);
  const auto refuse = [&](const std::string& problem) {
    fail(Code::RuntimeCallFailed, Location{.node = node.name},
         fmt::format("custom operator {}: compute gave {}", code.type, problem));
  };
  if (outputs.size() != node.outputs.size()) {
    refuse(fmt::format("{} outputs, expected {}", outputs.size(), node.outputs.size()));
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    const CustomNode::Type& expected = node.outputs[i];
    if (outputs[i].shape() != expected.shape) {
      refuse(fmt::format("an output {} of shape {}, expected {} as shape_infer or the file says", i,
                         to_string(outputs[i].shape()), to_string(expected.shape)));
    }
    if (outputs[i].dtype() != expected.dtype) outputs[i] = cast(outputs[i], expected.dtype);
    std::byte* to = buffers[node.inputs.size() + i];
    const std::span<const std::byte> bytes = outputs[i].bytes();
    if (to != nullptr && !bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  }
}

CustomCode custom_code(std::vector<CustomOperatorCode> codes) {
  if (codes.empty()) return {};
  return [codes = std::move(codes)](const Graph& graph, NodeId id) -> CustomCompute {
    const CustomOperatorCode* found = code_of(codes, custom_type(graph[id]));
    if (found == nullptr) return {};
    return [code = *found, node = custom_node(graph, id)](std::span<const Buffer> buffers) {
      std::vector<std::byte*> pointers;
      for (const Buffer& buffer : buffers) pointers.push_back(buffer.data);
      compute_custom(code, node, pointers);
    };
  };
}

}  // namespace openrknn
