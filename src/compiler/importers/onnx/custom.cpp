#include "compiler/importers/onnx/custom.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/importers/onnx/translation.h"
#include "core/graph/custom.h"

namespace openrknn::onnx {
namespace {

constexpr std::string_view kShapeFix =
    "add the tensor's type and shape to the model (graph.value_info of onnx), or declare how they follow from the "
    "inputs (reg_custom_op with shape_infer)";

/// One attribute as the graph keeps it. Floats are float32 in the file and stay exact.
Attribute attribute_of(const Translation& node, const AttributeProto& attribute, Bytes name) {
  switch (attribute.kind) {
    case AttributeKind::Int:
      return attribute.i;
    case AttributeKind::Float:
      return static_cast<double>(attribute.f);
    case AttributeKind::String:
      return std::string(attribute.s);
    case AttributeKind::Ints:
      return attribute.ints;
    case AttributeKind::Floats:
      return std::vector<double>(attribute.floats.begin(), attribute.floats.end());
    case AttributeKind::Strings:
      return std::vector<std::string>(attribute.strings.begin(), attribute.strings.end());
    case AttributeKind::Tensor:
      return node.tensor(attribute);
    default:
      node.unsupported(fmt::format("attribute '{}' is neither a number, a text, a tensor nor a list", name),
                       "custom operators take int, float, string and tensor attributes and lists of them");
  }
}

}  // namespace

Attributes users_attributes(const Translation& translation) {
  Attributes attributes;
  for (const AttributeProto& own : translation.node().attributes) {
    const AttributeProto* given = translation.any_attribute(own.name);  // a function's argument, perhaps left out
    if (given == nullptr) continue;
    if (!is_users_attribute(own.name)) {
      translation.unsupported(fmt::format("attribute '{}' has a name that is reserved", own.name),
                              "names of ONNX attributes are letters, digits and underscores");
    }
    attributes.insert_or_assign(std::string(own.name), attribute_of(translation, *given, own.name));
  }
  return attributes;
}

CustomOperators::CustomOperators(const GraphProto& graph, const ImportOptions& options) : options_(options) {
  for (const std::vector<ValueInfo>* list : {&graph.inputs, &graph.values, &graph.outputs}) {
    for (const ValueInfo& info : *list) infos_.emplace(info.name, &info);
  }
  for (const auto& [symbol, extent] : options.dimensions) symbols_.emplace(symbol, extent);
}

const ValueInfo* CustomOperators::info(Bytes tensor) const {
  const auto found = infos_.find(tensor);
  return found == infos_.end() ? nullptr : found->second;
}

void CustomOperators::learn(Bytes input, const Shape& shape) {
  const ValueInfo* declared = info(input);
  if (declared == nullptr || !declared->shape || declared->shape->size() != shape.size()) return;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (const Bytes symbol = (*declared->shape)[d].symbol; !symbol.empty()) symbols_.emplace(symbol, shape[d]);
  }
}

const CustomDeclaration* CustomOperators::declaration(Bytes op) const {
  const auto found = std::find_if(options_.custom_ops.begin(), options_.custom_ops.end(),
                                  [&](const CustomDeclaration& row) { return row.type == op; });
  return found == options_.custom_ops.end() ? nullptr : &*found;
}

bool CustomOperators::covers(Bytes op) const { return op.starts_with("cst") || declaration(op) != nullptr; }

std::optional<int64_t> CustomOperators::extent(const Dimension& dimension) const {
  if (const auto known = symbols_.find(dimension.symbol); !dimension.symbol.empty() && known != symbols_.end()) {
    return known->second;
  }
  return dimension.value && *dimension.value >= 0 && dimension.symbol.empty() ? dimension.value : std::nullopt;
}

/// Shapes in the file belong to the inputs in the file. Given others, what it says of the outputs is wrong too.
void CustomOperators::refuse_stale_shapes(Translation& node) const {
  for (size_t i = 0; i < node.input_count(); ++i) {
    const ValueInfo* declared = node.has(i) ? info(node.node().inputs[i]) : nullptr;
    if (declared == nullptr || !declared->shape) continue;
    const Shape& shape = node.shape(i);
    bool fits = shape.size() == declared->shape->size();
    for (size_t d = 0; fits && d < shape.size(); ++d) {
      const std::optional<int64_t> said = extent((*declared->shape)[d]);
      fits = !said || *said == shape[d];
    }
    if (fits) continue;
    node.fail(Code::ImportUnsupportedOp,
              fmt::format("the file's shapes were made for other inputs: '{}' is {} now, so the shape of the output is "
                          "not known",
                          declared->name, to_string(shape)),
              std::string(kShapeFix));
  }
}

CustomOperators::Type CustomOperators::declared_type(Translation& node, Bytes tensor) const {
  const auto unknown = [&](std::string problem) {
    node.fail(Code::ImportUnsupportedOp, std::move(problem), std::string(kShapeFix));
  };
  const ValueInfo* declared = node.scope().prefix.empty() ? info(tensor) : nullptr;  // not inside of functions
  if (declared == nullptr || !declared->shape || declared->type == ElementType::Undefined) {
    unknown(fmt::format("the shape of the custom operator's output '{}' is not known", tensor));
  }
  const std::optional<DType> dtype = ir_dtype(declared->type);
  if (!dtype) unknown(fmt::format("output '{}' has element type {}", tensor, name(declared->type)));
  Shape shape;
  for (size_t d = 0; d < declared->shape->size(); ++d) {
    const std::optional<int64_t> known = extent((*declared->shape)[d]);
    if (!known) unknown(fmt::format("dimension {} of the custom operator's output '{}' is not known", d, tensor));
    shape.push_back(*known);
  }
  return {*dtype, shape};
}

std::vector<CustomOperators::Type> CustomOperators::output_types(Translation& node,
                                                                 const Attributes& attributes) const {
  const CustomDeclaration* declared = declaration(node.op());
  if (declared != nullptr && declared->infer) {
    std::vector<Type> inputs;
    for (size_t i = 0; i < node.input_count(); ++i) {
      inputs.push_back(node.has(i) ? Type(node.dtype(i), node.shape(i)) : Type());
    }
    std::vector<Type> types = declared->infer(attributes, inputs);
    if (types.size() == node.output_count()) return types;
    node.fail(Code::ImportUnsupportedOp,
              fmt::format("its shape inference gave {} outputs, the node has {}", types.size(), node.output_count()));
  }
  std::vector<Type> types;
  const bool follows_input = declared != nullptr && declared->like_first_input && node.has(0);
  for (const Bytes output : node.node().outputs) {
    const ValueInfo* known = info(output);
    const bool said = known != nullptr && known->shape.has_value();
    if (!said && follows_input) {
      types.emplace_back(node.dtype(0), node.shape(0));
      continue;
    }
    refuse_stale_shapes(node);
    types.push_back(declared_type(node, output));
  }
  return types;
}

void CustomOperators::translate(Translation& node) const {
  Builder& builder = node.builder();
  const std::vector<Bytes>& names = node.node().outputs;
  if (names.empty() || std::any_of(names.begin(), names.end(), [](Bytes name) { return name.empty(); })) {
    node.unsupported("a custom operator needs a name for every output", "export the model again");
  }
  Attributes attributes = users_attributes(node);
  const std::vector<Type> types = output_types(node, attributes);

  std::vector<ValueId> inputs, outputs;
  std::vector<std::string> declared;
  for (size_t i = 0; i < node.input_count(); ++i) inputs.push_back(node.optional_input(i));
  for (size_t i = 0; i < names.size(); ++i) {
    // Every float type of the file is float32 in the graph.
    const DType dtype = is_floating(types[i].first) ? DType::Float32 : types[i].first;
    declared.push_back(custom_output_text(dtype, types[i].second));
    outputs.push_back(builder.target(node.scope(), names[i]));
  }
  attributes.insert_or_assign(std::string(kCustomType), std::string(node.op()));
  attributes.insert_or_assign(std::string(kCustomOutputs), std::move(declared));
  const std::string name = builder.node_name(node.scope(), node.node());
  builder.add_node(kCustomOp, name, std::move(inputs), outputs, std::move(attributes), node.origin());
  for (size_t i = 0; i < names.size(); ++i) node.scope().values[names[i]] = outputs[i];
}

}  // namespace openrknn::onnx
