#include "compiler/exporters/onnx/emission.h"

#include <fmt/format.h>

#include <cmath>

#include "compiler/exporters/onnx/export.h"
#include "core/graph/custom.h"

namespace openrknn::onnx_export {
namespace {

std::string unique_name(std::set<std::string, std::less<>>& used, const std::string& wanted) {
  if (used.insert(wanted).second) return wanted;
  for (int64_t i = 1;; ++i) {
    std::string name = fmt::format("{}_{}", wanted, i);
    if (used.insert(name).second) return name;
  }
}

}  // namespace

std::string File::tensor_name(const std::string& wanted) { return unique_name(tensors, wanted); }
std::string File::node_name(const std::string& wanted) { return unique_name(nodes, wanted); }

bool is_half(const Value& value) { return value.dtype == DType::Float16; }

void Scope::add_node(NodeMessage node) {
  node.name = file.node_name(node.name);
  const std::string message = node_message(node);
  nodes += field_header(1, message.size()) + message;
}

std::string Scope::add_initializer(const std::string& name, Tensor content) {
  std::string unique = file.tensor_name(name);
  initializers.push_back({unique, std::move(content)});
  return unique;
}

std::vector<std::string> Emission::all_inputs() const {
  std::vector<std::string> names;
  for (size_t i = 0; i < input_count(); ++i) names.push_back(in(i));
  return names;
}

std::string Emission::out(size_t i) {
  if (outs_.size() < node.outputs.size()) outs_.resize(node.outputs.size());
  if (!outs_[i].empty()) return outs_[i];
  const ValueId id = node.outputs[i];
  // Nobody reads it, but the operator has it.
  outs_[i] = id == ValueId::None ? scope.file.tensor_name(fmt::format("{}_unused", node.name)) : scope.written(id);
  return outs_[i];
}

std::vector<std::string> Emission::all_outputs() {
  std::vector<std::string> names;
  for (size_t i = 0; i < node.outputs.size(); ++i) names.push_back(out(i));
  return names;
}

std::vector<NamedAttribute> Emission::attributes(std::initializer_list<std::string_view> names) const {
  std::vector<NamedAttribute> found;
  for (const std::string_view name : names) {
    const auto given = node.attributes.find(name);
    if (given != node.attributes.end()) found.push_back({std::string(name), given->second});
  }
  return found;
}

std::string Emission::list(const std::vector<int64_t>& values, std::string_view what) {
  return scope.add_initializer(fmt::format("{}_{}", node.name, what),
                               Tensor::from<int64_t>({static_cast<int64_t>(values.size())}, values));
}

std::string Emission::number(double value, DType dtype, std::string_view what) {
  return scope.add_initializer(fmt::format("{}_{}", node.name, what), cast(Tensor::scalar<double>(value), dtype));
}

void Emission::add(std::string_view op, std::string domain, std::vector<std::string> inputs,
                   std::vector<NamedAttribute> attributes, std::vector<std::string> outputs) {
  while (!inputs.empty() && inputs.back().empty()) inputs.pop_back();
  scope.add_node({.op = std::string(op),
                  .domain = std::move(domain),
                  .name = node.name,
                  .inputs = std::move(inputs),
                  .outputs = std::move(outputs),
                  .attributes = std::move(attributes)});
}

std::string Emission::emit(std::string_view op, std::vector<std::string> inputs,
                           std::vector<NamedAttribute> attributes) {
  std::string inner = scope.file.tensor_name(fmt::format("{}/{}", scope.graph[node.outputs[0]].name, op));
  add(op, {}, std::move(inputs), std::move(attributes), {inner});
  return inner;
}

void Emission::produce(std::string_view op, std::vector<std::string> inputs, std::vector<NamedAttribute> attributes) {
  produce(op, std::move(inputs), std::move(attributes), all_outputs());
}

void Emission::produce(std::string_view op, std::vector<std::string> inputs, std::vector<NamedAttribute> attributes,
                       std::vector<std::string> outputs) {
  add(op, {}, std::move(inputs), std::move(attributes), std::move(outputs));
}

void Emission::produce_own() {
  std::vector<NamedAttribute> attributes;
  for (const auto& [name, attribute] : node.attributes) {
    if (std::holds_alternative<std::shared_ptr<const Graph>>(attribute)) {
      unsupported(fmt::format("its attribute '{}' is a graph", name));
    }
    if (is_users_attribute(name)) attributes.push_back({name, attribute});
  }
  scope.file.uses_own_domain = true;
  add(shown_op(node), std::string(kOnnxOwnDomain), all_inputs(), std::move(attributes), all_outputs());
}

void Emission::unsupported(std::string problem, std::string fix) const {
  fail(Code::NotBuilt, scope.graph.where(id_), "the node cannot be written as ONNX: " + std::move(problem),
       std::move(fix));
}

}  // namespace openrknn::onnx_export
