#include <fmt/format.h>

#include <algorithm>

#include "core/graph/schema.h"

namespace openrknn {
namespace {

/// Content of small tensors travels with the graph (shape arithmetic); larger ones wait for the fold pass.
constexpr int64_t kLargestKnownContent = 64 * 1024;
/// Keeps the arithmetic of the infer functions inside int64.
constexpr int64_t kLargestExtent = int64_t{1} << 40;

Location location_of(const Graph& graph, const Node& node) {
  Location location;
  if (!node.origins.empty() && static_cast<size_t>(node.origins[0]) < graph.origins.size()) {
    location = graph.origins[static_cast<size_t>(node.origins[0])].where;
  }
  location.node = fmt::format("{} ({})", node.name.empty() ? "?" : node.name, node.op);
  return location;
}

constexpr std::string_view kAttributeTypes[] = {"int",    "float",   "string", "ints",
                                                "floats", "strings", "tensor", "graph"};
static_assert(std::variant_size_v<Attribute> == std::size(kAttributeTypes));  // AttributeType is the variant's index

std::string range_text(const Arity& arity) {
  if (arity.least == arity.most) return std::to_string(arity.least);
  if (arity.most == kMany) return fmt::format("at least {}", arity.least);
  return fmt::format("{} to {}", arity.least, arity.most);
}

void check_arity(const Graph& graph, const Node& node, const Arity& arity, const std::vector<ValueId>& values,
                 std::string_view what) {
  const int count = static_cast<int>(values.size());
  if (count < arity.least || count > arity.most) {
    fail(Code::GraphInvalid, location_of(graph, node),
         fmt::format("{} has {} {}, expected {}", node.op, count, what, range_text(arity)));
  }
  for (int i = 0; i < arity.least; ++i) {
    if (values[static_cast<size_t>(i)] == ValueId::None) {
      fail(
          Code::GraphInvalid, location_of(graph, node),
          fmt::format("{} number {} of {} is left out, expected a value", what.substr(0, what.size() - 1), i, node.op));
    }
  }
}

void check_attributes(const Graph& graph, const Node& node, const OpSchema& schema) {
  Diagnostics problems;
  for (const auto& [name, value] : node.attributes) {
    const std::string& wanted = name;  // clang 14 cannot capture a structured binding
    const auto spec = std::find_if(schema.attributes.begin(), schema.attributes.end(),
                                   [&](const AttributeSpec& row) { return row.name == wanted; });
    if (spec == schema.attributes.end()) {
      if (schema.any_attributes) continue;
      problems.add(Code::GraphBadAttribute, location_of(graph, node),
                   fmt::format("{} has no attribute '{}'", node.op, name));
    } else if (value.index() != static_cast<size_t>(spec->type)) {
      problems.add(Code::GraphBadAttribute, location_of(graph, node),
                   fmt::format("attribute '{}' has the wrong type, got {}, expected {}", name,
                               kAttributeTypes[value.index()], kAttributeTypes[static_cast<size_t>(spec->type)]));
    }
  }
  for (const AttributeSpec& spec : schema.attributes) {
    if (spec.required && !has_attribute(node.attributes, spec.name)) {
      problems.add(Code::GraphBadAttribute, location_of(graph, node),
                   fmt::format("attribute '{}' of {} is missing, expected {}", spec.name, node.op,
                               kAttributeTypes[static_cast<size_t>(spec.type)]));
    }
  }
  problems.throw_if_any();
}

}  // namespace

Inference::Inference(const Graph& graph, const Node& node) : graph_(graph), node_(node) {
  outputs.resize(node.outputs.size());
}

bool Inference::has(size_t input) const { return input < node_.inputs.size() && node_.inputs[input] != ValueId::None; }
DType Inference::dtype(size_t input) const { return graph_[node_.inputs[input]].dtype; }
bool Inference::quantized(size_t input) const { return graph_[node_.inputs[input]].quant.has_value(); }
const Shape& Inference::shape(size_t input) const { return graph_[node_.inputs[input]].shape; }

const Tensor* Inference::constant(size_t input) const {
  if (!has(input)) return nullptr;
  const std::optional<Tensor>& content = graph_[node_.inputs[input]].constant;
  return content ? &*content : nullptr;
}

void Inference::set(size_t output, DType dtype, Shape shape) {
  if (output >= outputs.size()) return;  // a later, optional output the node does not ask for
  outputs[output].dtype = dtype;
  outputs[output].shape = std::move(shape);
  outputs[output].set = true;
}

void Inference::set_constant(size_t output, Tensor content) {
  if (output < outputs.size()) outputs[output].constant = std::move(content);
}

void Inference::fail(std::string problem, std::string fix) const {
  openrknn::fail(Code::GraphInferenceFailed, location_of(graph_, node_), std::move(problem), std::move(fix));
}

const OpSchema* find_schema(std::string_view op) {
  const std::span<const OpSchema> rows = all_schemas();
  const auto found = std::lower_bound(rows.begin(), rows.end(), op,
                                      [](const OpSchema& row, std::string_view name) { return row.name < name; });
  return found != rows.end() && found->name == op ? &*found : nullptr;
}

const OpSchema& schema_of(const Node& node) {
  if (const OpSchema* schema = find_schema(node.op)) return *schema;
  fail(Code::GraphUnknownOp, Location{.file = {}, .node = node.name, .tensor = {}},
       fmt::format("unknown operator '{}', expected one of docs/ir.md", node.op));
}

std::vector<Inference::Output> inferred_outputs(const Graph& graph, const Node& node) {
  const OpSchema* schema = find_schema(node.op);
  if (schema == nullptr) {
    fail(Code::GraphUnknownOp, location_of(graph, node),
         fmt::format("unknown operator '{}', expected one of docs/ir.md", node.op));
  }
  check_arity(graph, node, schema->inputs, node.inputs, "inputs");
  check_arity(graph, node, schema->outputs, node.outputs, "outputs");
  check_attributes(graph, node, *schema);
  Inference inference(graph, node);
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (!inference.has(i)) continue;
    for (const int64_t extent : inference.shape(i)) {
      if (extent < -1 || extent > kLargestExtent) {
        inference.fail(fmt::format("input {} has shape {}, expected extents up to {}", i, to_string(inference.shape(i)),
                                   kLargestExtent));
      }
    }
  }
  schema->infer(inference);
  for (size_t i = 0; i < inference.outputs.size(); ++i) {
    const Inference::Output& output = inference.outputs[i];
    if (!output.set) inference.fail(fmt::format("{} cannot have an output number {}", node.op, i));
    for (const int64_t extent : output.shape) {
      if (extent < -1) inference.fail(fmt::format("output {} would have shape {}", i, to_string(output.shape)));
    }
    if (is_static(output.shape)) element_count(output.shape);  // throws on overflow
  }
  return std::move(inference.outputs);
}

void infer(Graph& graph, NodeId id, const Evaluator& evaluate) {
  std::vector<Inference::Output> inferred = inferred_outputs(graph, graph[id]);
  const Node& node = graph[id];
  const auto value_known = [&](ValueId v) { return v == ValueId::None || graph[v].constant.has_value(); };
  const bool inputs_known = !node.inputs.empty() && std::all_of(node.inputs.begin(), node.inputs.end(), value_known);
  const auto value_quantized = [&](ValueId v) { return v != ValueId::None && graph[v].quant.has_value(); };
  const bool reads_codes = std::any_of(node.inputs.begin(), node.inputs.end(), value_quantized);

  bool small = true, plain = !reads_codes, missing = false;
  for (size_t i = 0; i < inferred.size(); ++i) {
    if (node.outputs[i] == ValueId::None) continue;
    Value& value = graph[node.outputs[i]];
    // A quantized graph says itself in which type a result is stored: codes, or real numbers computed from codes.
    const bool inferred_codes = reads_codes && !is_floating(inferred[i].dtype) && inferred[i].dtype != DType::Bool &&
                                inferred[i].dtype == graph[node.inputs[0]].dtype;
    const bool free_choice = value.quant.has_value() || node.op == "Convert" || inferred_codes;
    if (!free_choice) value.dtype = inferred[i].dtype;
    // An extent that depends on data is settled where the content is.
    const bool settled = inputs_known && value.constant && !is_static(inferred[i].shape);
    value.shape = settled ? value.constant->shape() : std::move(inferred[i].shape);
    if (inferred[i].constant) {
      value.constant = std::move(inferred[i].constant);
    } else if (!inputs_known) {
      value.constant.reset();
    }
    plain = plain && !value.quant;
    missing = missing || !value.constant;
    small = small && (!is_static(value.shape) || element_count(value.shape) <= kLargestKnownContent);
  }
  if (!evaluate || !inputs_known || !small || !plain || !missing) return;
  std::optional<std::vector<Tensor>> content = evaluate(graph, id);
  if (!content) return;
  for (size_t i = 0; i < content->size() && i < node.outputs.size(); ++i) {
    if (node.outputs[i] == ValueId::None) continue;
    Value& value = graph[node.outputs[i]];
    const Tensor& computed = (*content)[i];
    if (!is_static(value.shape) && computed.rank() == std::ssize(value.shape)) value.shape = computed.shape();
    if (computed.dtype() != value.dtype || computed.shape() != value.shape) {
      fail(Code::Internal, graph.where(id),
           fmt::format("evaluation of {} gave {}{}, expected {}{}", node.op, name(computed.dtype()),
                       to_string(computed.shape()), name(value.dtype), to_string(value.shape)));
    }
    value.constant = computed;
  }
}

}  // namespace openrknn
