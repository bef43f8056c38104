// Calls of model-local functions and branches of If are replaced by their bodies.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/importers/onnx/builder.h"

namespace openrknn::onnx {
namespace {

/// Functions may call functions and contain branches; a function that calls itself must end somewhere.
constexpr int kMostNesting = 48;

struct Body {
  std::span<const NodeProto> nodes;
  std::vector<Bytes> outputs;
};

/// Translates the body in `inner` and binds the call's outputs in `outer`.
void inline_body(Builder& builder, Scope& outer, Scope& inner, const NodeProto& node, const Body& body,
                 int32_t origin) {
  std::vector<Bytes> wanted;
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i].empty()) continue;
    if (i >= body.outputs.size()) {
      fail(Code::ImportBadFile, builder.where(outer, node),
           fmt::format("the node has {} outputs, its body {}", node.outputs.size(), body.outputs.size()),
           "export the model again");
    }
    wanted.push_back(body.outputs[i]);
  }
  const auto is_given = [&](Bytes name) { return Builder::is_given(inner, name); };
  const Selection selection = select_nodes(body.nodes, wanted, is_given, builder.file(), builder.problems);
  inner.read = selection.reached;

  // What the body computes appears under the names the caller gave it.
  NameSet computed;
  for (const NodeProto* n : selection.nodes) computed.insert(n->outputs.begin(), n->outputs.end());
  std::vector<bool> direct(node.outputs.size());
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    const Bytes name = node.outputs[i];
    if (name.empty() || !computed.contains(body.outputs[i]) || inner.targets.contains(body.outputs[i])) continue;
    inner.targets.emplace(body.outputs[i], builder.target(outer, name));
    direct[i] = true;
  }
  builder.translate(selection.nodes, inner);

  for (size_t i = 0; i < node.outputs.size(); ++i) {
    const Bytes name = node.outputs[i];
    if (name.empty()) continue;
    const Bytes source = body.outputs[i];
    const ValueId value = is_given(source) ? builder.lookup(inner, source) : ValueId::None;
    if (value == ValueId::None) {
      outer.poisoned.insert(name);
    } else if (direct[i]) {
      outer.values[name] = value;
    } else {
      builder.forward(outer, name, value, builder.node_name(outer, node), origin);
    }
  }
}

/// The call's attributes by name: given ones, those it passes on from a call around it, and the function's defaults.
Arguments bind_attributes(const Scope& scope, const NodeProto& call, const FunctionProto& function) {
  Arguments bound;
  for (const AttributeProto& attribute : function.defaults) bound[attribute.name] = &attribute;
  for (const AttributeProto& attribute : call.attributes) {
    if (attribute.reference.empty()) {
      bound[attribute.name] = &attribute;
    } else if (scope.arguments != nullptr) {
      const auto found = scope.arguments->find(attribute.reference);
      if (found != scope.arguments->end()) bound[attribute.name] = found->second;
    }
  }
  return bound;
}

}  // namespace

void check_depth(const Builder& builder, const Scope& scope, const NodeProto& node) {
  if (scope.depth < kMostNesting) return;
  fail(Code::ImportBadFile, builder.where(scope, node),
       fmt::format("functions and bodies are nested more than {} deep; does a function call itself?", kMostNesting));
}

void inline_function(Builder& builder, Scope& scope, const NodeProto& call, const FunctionProto& function,
                     int32_t origin) {
  check_depth(builder, scope, call);
  if (call.inputs.size() > function.inputs.size()) {
    fail(Code::ImportBadFile, builder.where(scope, call),
         fmt::format("function {} has {} inputs, got {}", function.name, function.inputs.size(), call.inputs.size()),
         "export the model again");
  }
  const Arguments arguments = bind_attributes(scope, call, function);
  Scope inner;
  inner.prefix = builder.node_name(scope, call) + "/";
  inner.opsets = function.opsets.empty() ? scope.opsets : std::span<const OpsetId>(function.opsets);
  inner.arguments = &arguments;
  inner.depth = scope.depth + 1;
  for (size_t i = 0; i < function.inputs.size(); ++i) {
    const bool given = i < call.inputs.size() && !call.inputs[i].empty();
    inner.values[function.inputs[i]] = given ? builder.lookup(scope, call.inputs[i]) : ValueId::None;
  }
  inline_body(builder, scope, inner, call, {function.nodes, function.outputs}, origin);
}

void inline_branch(Builder& builder, Scope& scope, const NodeProto& node, const GraphProto& branch, int32_t origin) {
  check_depth(builder, scope, node);
  Scope inner;
  inner.outer = &scope;
  inner.prefix = scope.prefix;
  inner.opsets = scope.opsets;
  inner.arguments = scope.arguments;
  inner.depth = scope.depth + 1;
  for (const TensorProto& tensor : branch.initializers) inner.initializers.emplace(tensor.name, &tensor);
  std::vector<Bytes> outputs;
  for (const ValueInfo& output : branch.outputs) outputs.push_back(output.name);
  inline_body(builder, scope, inner, node, {branch.nodes, std::move(outputs)}, origin);
}

std::vector<ValueId> inline_graph(Builder& builder, Scope& scope, const NodeProto& node, const GraphProto& graph,
                                  std::span<const ValueId> inputs, const std::string& part) {
  check_depth(builder, scope, node);
  if (graph.inputs.size() != inputs.size()) {
    fail(Code::ImportBadFile, builder.where(scope, node),
         fmt::format("{} takes {} inputs, expected {}", part, graph.inputs.size(), inputs.size()));
  }
  Scope inner;
  inner.outer = &scope;
  inner.prefix = builder.node_name(scope, node) + "/" + part + "/";
  inner.opsets = scope.opsets;
  inner.arguments = scope.arguments;
  inner.depth = scope.depth + 1;
  for (const TensorProto& tensor : graph.initializers) inner.initializers.emplace(tensor.name, &tensor);
  std::vector<Bytes> wanted;
  for (const ValueInfo& output : graph.outputs) wanted.push_back(output.name);
  for (size_t i = 0; i < inputs.size(); ++i) inner.values[graph.inputs[i].name] = inputs[i];
  const auto is_given = [&](Bytes name) {
    for (const Scope* s = &inner; s != nullptr; s = s->outer) {
      if (s->values.contains(name) || s->initializers.contains(name) || s->poisoned.contains(name)) return true;
    }
    return false;
  };
  const Selection selection = select_nodes(graph.nodes, wanted, is_given, builder.file(), builder.problems);
  inner.read = selection.reached;
  builder.translate(selection.nodes, inner);
  std::vector<ValueId> results;
  for (const Bytes name : wanted) {
    const ValueId value = is_given(name) ? builder.lookup(inner, name) : ValueId::None;
    if (value == ValueId::None) {
      fail(Code::ImportBadFile, builder.where(scope, node),
           fmt::format("output '{}' of {} could not be computed", name, part));
    }
    results.push_back(value);
  }
  return results;
}

}  // namespace openrknn::onnx
