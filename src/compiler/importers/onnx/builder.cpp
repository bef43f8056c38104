#include "compiler/importers/onnx/builder.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/importers/onnx/operators.h"
#include "core/executor/plan.h"
#include "core/graph/schema.h"

namespace openrknn::onnx {
namespace {

/// Function calls can multiply: a file of a few kilobytes could unfold without bound. This many nodes may come from
/// functions and branches, beside those of the graph itself.
constexpr int64_t kMostInlined = 50'000;

}  // namespace

int64_t opset_of(std::span<const OpsetId> opsets, Bytes domain) {
  for (const OpsetId& opset : opsets) {
    if (opset.domain == domain) return opset.version;
  }
  return 0;
}

Builder::Builder(const ModelProto& model, TensorFiles& files, const ImportOptions& options, std::string file)
    : custom(model.graph, options), model_(model), files_(files), file_(std::move(file)) {
  for (const Bytes name : tensor_names(model.graph)) reserved_.emplace(name);
  // Unnamed nodes are called Conv_12, after their place in the file, unless a node bears that name already.
  std::unordered_set<std::string> taken;
  for (const NodeProto& node : model.graph.nodes) taken.emplace(node.name);
  for (size_t i = 0; i < model.graph.nodes.size(); ++i) {
    const NodeProto& node = model.graph.nodes[i];
    if (!node.name.empty()) continue;
    std::string name = fmt::format("{}_{}", node.op, i);
    while (!taken.insert(name).second) name += "_";
    generated_names_.emplace(&node, std::move(name));
  }
}

std::string Builder::node_name(const Scope& scope, const NodeProto& node) const {
  const auto generated = generated_names_.find(&node);
  if (generated != generated_names_.end()) return scope.prefix + generated->second;
  if (!node.name.empty()) return scope.prefix + std::string(node.name);
  return fmt::format("{}{}_{}", scope.prefix, node.op, node.outputs.empty() ? Bytes() : node.outputs[0]);
}

Location Builder::where(const Scope& scope, const NodeProto& node) const {
  Location place;
  place.file = file_;
  place.node = node_name(scope, node);
  if (!node.outputs.empty()) place.tensor = scope.prefix + std::string(node.outputs[0]);
  return place;
}

const FunctionProto* Builder::find_function(const NodeProto& node) const {
  for (const FunctionProto& function : model_.functions) {
    if (function.name == node.op && function.domain == node.domain && function.overload == node.overload)
      return &function;
  }
  return nullptr;
}

Scope* scope_around(const Scope& scope) {
  if (scope.outer != nullptr) return scope.outer;
  return scope.capture != nullptr ? &scope.capture->around : nullptr;
}

bool Builder::is_given(const Scope& scope, Bytes name) {
  for (const Scope* s = &scope; s != nullptr; s = scope_around(*s)) {
    if (s->values.contains(name) || s->initializers.contains(name) || s->poisoned.contains(name)) return true;
  }
  return false;
}

bool Builder::is_poisoned(const Scope& scope, Bytes name) const {
  for (const Scope* s = &scope; s != nullptr; s = scope_around(*s)) {
    if (s->poisoned.contains(name)) return true;
    if (s->values.contains(name) || s->initializers.contains(name)) return false;
  }
  return false;
}

ValueId Builder::lookup(Scope& scope, Bytes name) {
  // Captured names belong to scopes further out; their constants are made there, once.
  for (Scope* s = &scope; s != nullptr; s = s->outer) {
    if (s->poisoned.contains(name)) return ValueId::None;
    if (const auto found = s->values.find(name); found != s->values.end()) return found->second;
    if (const auto found = s->initializers.find(name); found != s->initializers.end()) {
      Tensor content;
      try {
        content = files_.read(*found->second, name);
      } catch (const Error&) {
        s->poisoned.insert(name);  // reported once, by whoever read it first
        throw;
      }
      const auto waiting = s->targets.find(name);
      ValueId id;
      if (waiting != s->targets.end()) {
        id = waiting->second;
        Value& value = graph[id];
        value.dtype = content.dtype();
        value.shape = content.shape();
        value.constant = std::move(content);
      } else {
        id = graph.add_constant(s->prefix + std::string(name), std::move(content));
      }
      s->values.emplace(name, id);
      return id;
    }
    if (s->capture != nullptr) return capture(*s, name);
  }
  Location place;
  place.file = file_;
  place.tensor = std::string(name);
  fail(Code::ImportMissingTensor, place, "the tensor is read but nothing provides it", "export the model again");
}

ValueId Builder::capture(Scope& scope, Bytes name) {
  Capture& around = *scope.capture;
  std::swap(graph, around.graph);
  ValueId outside = ValueId::None;
  try {
    outside = lookup(around.around, name);
  } catch (...) {
    std::swap(graph, around.graph);
    throw;
  }
  std::swap(graph, around.graph);
  if (outside == ValueId::None) return outside;
  Value value = around.graph[outside];
  value.producer = NodeId::None;
  value.aliases.clear();
  const bool is_known = value.constant.has_value();
  const ValueId id = graph.add(std::move(value));
  if (!is_known) {
    graph.inputs.push_back(id);
    around.values.push_back(outside);
  }
  scope.values.emplace(name, id);
  return id;
}

ValueId Builder::target(Scope& scope, Bytes name) {
  const auto waiting = scope.targets.find(name);
  if (waiting != scope.targets.end()) return waiting->second;
  Value value;
  value.name = scope.prefix + std::string(name);
  return graph.add(std::move(value));
}

ValueId Builder::add_intermediate(std::string wanted) {
  std::string name = wanted;
  int64_t& suffix = suffixes_[wanted];
  while (reserved_.contains(name) || graph.find(name) != ValueId::None) name = fmt::format("{}_{}", wanted, ++suffix);
  Value value;
  value.name = std::move(name);
  return graph.add(std::move(value));
}

ValueId Builder::add_constant(std::string wanted, Tensor content) {
  const ValueId id = add_intermediate(std::move(wanted));
  Value& value = graph[id];
  value.dtype = content.dtype();
  value.shape = content.shape();
  value.constant = std::move(content);
  return id;
}

NodeId Builder::add_node(std::string_view op, std::string name, std::vector<ValueId> inputs,
                         std::vector<ValueId> outputs, Attributes attributes, int32_t origin) {
  Node node;
  node.op = std::string(op);
  node.name = std::move(name);
  node.inputs = std::move(inputs);
  node.outputs = std::move(outputs);
  node.attributes = std::move(attributes);
  node.origins = {origin};
  while (!node.inputs.empty() && node.inputs.back() == ValueId::None) node.inputs.pop_back();
  const NodeId id = graph.add(std::move(node));
  infer(graph, id, evaluate);
  return id;
}

void Builder::forward(Scope& scope, Bytes name, ValueId value, const std::string& node_name, int32_t origin) {
  const auto waiting = scope.targets.find(name);
  if (waiting == scope.targets.end()) {
    // A plain alias: the name finds the value, no node is needed.
    const ValueId alias = target(scope, name);
    graph[alias].dtype = graph[value].dtype;
    graph[alias].shape = graph[value].shape;
    graph.redirect(alias, value);
    scope.values[name] = value;
    return;
  }
  // Inputs and outputs keep their own names, so a port that repeats another one is a copy.
  const ValueId port = waiting->second;
  const bool fixed_name = graph.is_input(value) || graph.is_output(value) || graph[value].constant.has_value();
  if (graph.is_output(port) && fixed_name && !is_static(graph[value].shape)) {
    const Shape ones(graph[value].shape.size(), 1);
    const ValueId any =
        add_constant(fmt::format("{}/shape", node_name), Tensor::from<int64_t>({std::ssize(ones)}, ones));
    add_node("DynamicExpand", node_name, {value, any}, {port}, {}, origin);
    scope.values[name] = port;
  } else if (graph.is_output(port) && fixed_name) {
    add_node("Reshape", node_name, {value}, {port}, {{"shape", graph[value].shape}}, origin);
    scope.values[name] = port;
  } else {
    graph[port].dtype = graph[value].dtype;
    graph[port].shape = graph[value].shape;
    graph.redirect(port, value);
    scope.values[name] = value;
  }
}

void Builder::collect(const Error& error, const NodeProto& node, const Scope& scope) {
  const Location here = where(scope, node);
  for (Diagnostic diagnostic : error.diagnostics) {
    diagnostic.where.file = file_;
    if (diagnostic.where.node.empty()) diagnostic.where.node = here.node;
    if (diagnostic.where.tensor.empty()) diagnostic.where.tensor = here.tensor;
    if (diagnostic.fix.empty() && diagnostic.code == Code::GraphInferenceFailed)
      diagnostic.fix = "check the shapes given for the inputs; if they are right, export the model again";
    problems.add(std::move(diagnostic));
  }
}

void Builder::refuse(const NodeProto& node, const Scope& scope, const std::string& reason) {
  const std::string op = node.domain.empty() ? std::string(node.op) : fmt::format("{}::{}", node.domain, node.op);
  Refused& entry = refused_[{op, reason}];
  const Location here = where(scope, node);
  if (entry.count++ == 0) {
    entry.first = here;
    std::vector<Bytes> inputs;
    for (const Bytes input : node.inputs) {
      if (!input.empty() && !scope.initializers.contains(input)) inputs.push_back(input);
    }
    entry.crop_names = quoted_list(inputs, 4);
  }
  constexpr int64_t kShown = 4;
  if (entry.count <= kShown) {
    entry.examples += fmt::format("{}'{}' (output '{}')", entry.count == 1 ? "" : ", ", here.node, here.tensor);
  } else if (entry.count == kShown + 1) {
    entry.examples += ", …";
  }
}

void Builder::finish() {
  for (const auto& [key, entry] : refused_) {
    const auto& [op, reason] = key;
    problems.add(
        Code::ImportUnsupportedOp, entry.first,
        fmt::format("{} node{} of type {} cannot be imported: {}; {}", entry.count, entry.count == 1 ? "" : "s", op,
                    entry.examples, reason),
        entry.crop_names.empty()
            ? std::string()
            : fmt::format("end the model before it (outputs={}) and compute the rest elsewhere", entry.crop_names));
  }
  refused_.clear();
  problems.throw_if_any();
}

bool Builder::is_supported(const NodeProto& node, const Scope& scope) const {
  return find_function(node) != nullptr ||
         find_operator(node.op, node.domain, opset_of(scope.opsets, node.domain)) != nullptr || custom.covers(node.op);
}

void Builder::note_unsupported(std::span<const NodeProto* const> nodes, const Scope& scope) {
  for (const NodeProto* node : nodes) {
    if (!is_supported(*node, scope)) {
      refuse(*node, scope, refusal_reason(node->op, node->domain, opset_of(scope.opsets, node->domain)));
    }
  }
}

void Builder::translate(std::span<const NodeProto* const> nodes, Scope& scope) {
  for (const NodeProto* node : nodes) translate_node(*node, scope);
}

// An origin belongs to the nodes made for it. A source node that made none (Identity, Shape, an If) belongs to whoever
// computes its results now, or to nobody.
void Builder::place(int32_t origin, int64_t first_new_node, const NodeProto& node, Scope& scope) {
  for (int64_t i = first_new_node; i < graph.node_count(); ++i) {
    const NodeId id{static_cast<int32_t>(i)};
    const std::vector<int32_t>& own = graph[id].origins;
    if (graph.alive(id) && std::find(own.begin(), own.end(), origin) != own.end()) return;
  }
  bool placed = false;
  for (const Bytes name : node.outputs) {
    const auto found = scope.values.find(name);
    if (found == scope.values.end()) continue;
    const NodeId maker = graph[found->second].producer;
    if (maker == NodeId::None) continue;
    std::vector<int32_t>& own = graph[maker].origins;
    const auto at = std::lower_bound(own.begin(), own.end(), origin);
    if (at == own.end() || *at != origin) own.insert(at, origin);
    placed = true;
  }
  if (placed) return;
  std::vector<int32_t>& unplaced = graph.unplaced_origins;
  unplaced.insert(std::lower_bound(unplaced.begin(), unplaced.end(), origin), origin);
}

void Builder::translate_node(const NodeProto& node, Scope& scope) {
  const auto poison = [&] {
    for (const Bytes name : node.outputs) {
      if (!name.empty()) scope.poisoned.insert(name);
    }
  };
  const auto most = static_cast<int64_t>(model_.graph.nodes.size()) + kMostInlined;
  if (++translated_ > most) {
    if (translated_ == most + 1) {
      problems.add(Code::ImportBadFile, where(scope, node),
                   fmt::format("function calls unfold to more than {} nodes", kMostInlined));
    }
    return poison();
  }
  const int64_t opset = opset_of(scope.opsets, node.domain);
  if (!is_supported(node, scope)) {
    refuse(node, scope, refusal_reason(node.op, node.domain, opset));
    return poison();
  }
  for (const Bytes name : names_read(node)) {
    if (is_poisoned(scope, name)) return poison();
  }
  const int64_t first_new_node = graph.node_count();
  const auto origin = static_cast<int32_t>(graph.origins.size());
  const std::string name = node_name(scope, node);
  const Location here = where(scope, node);
  graph.origins.push_back({std::string(node.op), name, here.tensor, here});
  try {
    if (const FunctionProto* function = find_function(node)) {
      inline_function(*this, scope, node, *function, origin);
    } else {
      Translation translation(*this, scope, node, name, origin);
      const OperatorRow* row = find_operator(node.op, node.domain, opset);
      row != nullptr ? row->translate(translation) : custom.translate(translation);
    }
    place(origin, first_new_node, node, scope);
  } catch (const Error& error) {
    collect(error, node, scope);
    poison();
  }
}

}  // namespace openrknn::onnx
