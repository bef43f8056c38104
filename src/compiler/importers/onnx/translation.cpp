#include "compiler/importers/onnx/translation.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "core/graph/schema.h"

namespace openrknn::onnx {
namespace {

constexpr std::string_view kKindNames[] = {"undefined",      "float", "int",     "string",  "tensor", "graph",
                                           "floats",         "ints",  "strings", "tensors", "graphs", "sparse tensor",
                                           "sparse tensors", "type",  "types"};

std::string_view name_of(AttributeKind kind) {
  const auto index = static_cast<size_t>(kind);
  return index < std::size(kKindNames) ? kKindNames[index] : "unknown";
}

}  // namespace

Translation::Translation(Builder& builder, Scope& scope, const NodeProto& node, std::string node_name, int32_t origin)
    : builder_(builder),
      scope_(scope),
      node_(node),
      name_(std::move(node_name)),
      origin_(origin),
      opset_(opset_of(scope.opsets, node.domain)) {
  for (const Bytes input : node.inputs) inputs_.push_back(input.empty() ? ValueId::None : builder.lookup(scope, input));
}

bool Translation::has(size_t input) const { return input < inputs_.size() && inputs_[input] != ValueId::None; }

ValueId Translation::optional_input(size_t index) const { return has(index) ? inputs_[index] : ValueId::None; }

ValueId Translation::input(size_t index) const {
  if (!has(index)) fail(Code::ImportBadFile, fmt::format("input {} is missing", index), "export the model again");
  return inputs_[index];
}

std::vector<ValueId> Translation::inputs() const {
  std::vector<ValueId> all;
  for (size_t i = 0; i < inputs_.size(); ++i) all.push_back(input(i));
  if (all.empty()) fail(Code::ImportBadFile, "the node has no inputs", "export the model again");
  return all;
}

const Shape& Translation::open_shape_of(ValueId id) const { return std::as_const(builder_.graph)[id].shape; }

const Shape& Translation::shape_of(ValueId id) const {
  const Shape& shape = open_shape_of(id);
  if (is_static(shape)) return shape;
  fail(Code::ImportNotConstant,
       fmt::format("the shape of '{}', {}, depends on data (-1), but must be known when the model is imported",
                   std::as_const(builder_.graph)[id].name, to_string(shape)),
       node_.inputs.empty() ? std::string()
                            : fmt::format("end the model before this node with outputs=['{}']", node_.inputs[0]));
}

DType Translation::dtype_of(ValueId id) const { return std::as_const(builder_.graph)[id].dtype; }

const Tensor* Translation::constant(ValueId id) const {
  const Value& value = std::as_const(builder_.graph)[id];
  return value.constant ? &*value.constant : nullptr;
}

const Tensor& Translation::known(size_t index, std::string_view meaning) const {
  const ValueId id = input(index);
  if (const Tensor* tensor = constant(id)) return *tensor;
  const Value& value = std::as_const(builder_.graph)[id];
  std::string source = "is an input of the model";
  if (value.producer != NodeId::None) {
    const Node& maker = std::as_const(builder_.graph)[value.producer];
    source = fmt::format("is computed at run time by {} '{}'", maker.op, maker.name);
  }
  fail(Code::ImportNotConstant,
       fmt::format("{} must be known when the model is imported, but '{}' {}", meaning, value.name, source),
       value.producer == NodeId::None
           ? fmt::format("freeze '{}' with an initial value", value.name)
           : fmt::format("fix every input shape, or end the model before this node with outputs=['{}']",
                         node_.inputs.empty() ? Bytes() : node_.inputs[0]));
}

std::vector<int64_t> Translation::known_ints(size_t index, std::string_view meaning) const {
  return to_ints(known(index, meaning));
}
std::vector<double> Translation::known_doubles(size_t index, std::string_view meaning) const {
  return to_doubles(known(index, meaning));
}
int64_t Translation::known_int(size_t index, std::string_view meaning) const {
  const std::vector<int64_t> values = known_ints(index, meaning);
  if (values.size() != 1) {
    fail(Code::ImportShapeMismatch, fmt::format("{} must be one number, got {}", meaning, values.size()));
  }
  return values[0];
}

const AttributeProto* Translation::any_attribute(std::string_view name) const {
  for (const AttributeProto& attribute : node_.attributes) {
    if (attribute.name != name) continue;
    if (attribute.reference.empty()) return &attribute;
    if (scope_.arguments == nullptr) {
      fail(Code::ImportBadFile,
           fmt::format("attribute '{}' refers to a function's attribute outside of a function", name));
    }
    const auto found = scope_.arguments->find(attribute.reference);
    return found != scope_.arguments->end() ? found->second : nullptr;
  }
  return nullptr;
}

const AttributeProto* Translation::attribute(std::string_view name, AttributeKind kind) const {
  const AttributeProto* found = any_attribute(name);
  if (found == nullptr) return nullptr;
  // An empty list has no field on the wire, and so no kind if the writer leaves `type` out.
  const bool empty_list =
      found->kind == AttributeKind::Undefined &&
      (kind == AttributeKind::Ints || kind == AttributeKind::Floats || kind == AttributeKind::Strings);
  if (found->kind != kind && !empty_list) {
    unsupported(fmt::format("attribute '{}' is of type {}, expected {}", name, name_of(found->kind), name_of(kind)),
                "export the model again");
  }
  return found;
}

bool Translation::has_attribute(std::string_view name) const { return any_attribute(name) != nullptr; }

int64_t Translation::integer(std::string_view name, int64_t fallback) const {
  const AttributeProto* found = attribute(name, AttributeKind::Int);
  return found != nullptr ? found->i : fallback;
}
int64_t Translation::required_integer(std::string_view name) const {
  if (!has_attribute(name))
    fail(Code::ImportBadFile, fmt::format("attribute '{}' is missing", name), "export the model again");
  return integer(name, 0);
}
double Translation::real(std::string_view name, double fallback) const {
  const AttributeProto* found = attribute(name, AttributeKind::Float);
  return found != nullptr ? static_cast<double>(found->f) : fallback;
}
std::string Translation::text(std::string_view name, std::string_view fallback) const {
  const AttributeProto* found = attribute(name, AttributeKind::String);
  return std::string(found != nullptr ? found->s : fallback);
}
std::vector<int64_t> Translation::integers(std::string_view name) const {
  const AttributeProto* found = attribute(name, AttributeKind::Ints);
  return found != nullptr ? found->ints : std::vector<int64_t>{};
}
std::vector<double> Translation::reals(std::string_view name) const {
  const AttributeProto* found = attribute(name, AttributeKind::Floats);
  return found != nullptr ? std::vector<double>(found->floats.begin(), found->floats.end()) : std::vector<double>{};
}

Tensor Translation::tensor(const AttributeProto& attribute) const {
  if (attribute.tensor == nullptr)
    fail(Code::ImportBadFile, fmt::format("attribute '{}' holds no tensor", attribute.name));
  return builder_.read_tensor(*attribute.tensor, name_);
}

int64_t Translation::axis(int64_t value, int64_t rank, std::string_view name) const {
  const std::optional<int64_t> normal = normalize_axis(value, rank);
  if (!normal) {
    fail(Code::ImportShapeMismatch,
         fmt::format("{} is out of range, got {} for a tensor of rank {}", name, value, rank));
  }
  return *normal;
}

std::vector<int64_t> Translation::axes(std::vector<int64_t> values, int64_t rank) const {
  for (int64_t& value : values) value = axis(value, rank, "axes");
  std::sort(values.begin(), values.end());
  if (std::adjacent_find(values.begin(), values.end()) != values.end()) {
    fail(Code::ImportShapeMismatch, fmt::format("axes {} name a dimension twice", to_string(values)));
  }
  return values;
}

bool Translation::output_used(size_t index) const {
  return index < node_.outputs.size() && !node_.outputs[index].empty() && scope_.read.contains(node_.outputs[index]);
}

ValueId Translation::emit(std::string_view op, std::vector<ValueId> inputs, Attributes attributes) {
  const std::string base = scope_.prefix + std::string(node_.outputs.empty() ? node_.op : node_.outputs[0]);
  const ValueId out = builder_.add_intermediate(fmt::format("{}/{}", base, op));
  builder_.add_node(op, fmt::format("{}/{}", name_, op), std::move(inputs), {out}, std::move(attributes), origin_);
  return out;
}

std::vector<ValueId> Translation::emit_many(std::string_view op, std::vector<ValueId> inputs, Attributes attributes,
                                            size_t count) {
  const std::string base = scope_.prefix + std::string(node_.op);
  std::vector<ValueId> outputs;
  for (size_t i = 0; i < count; ++i) {
    outputs.push_back(output_used(i) ? builder_.add_intermediate(fmt::format("{}/{}/{}", base, op, i)) : ValueId::None);
  }
  builder_.add_node(op, fmt::format("{}/{}", name_, op), std::move(inputs), outputs, std::move(attributes), origin_);
  return outputs;
}

ValueId Translation::add_constant(Tensor content, std::string_view what) {
  const std::string base = scope_.prefix + std::string(node_.outputs.empty() ? node_.op : node_.outputs[0]);
  return builder_.add_constant(fmt::format("{}/{}", base, what), std::move(content));
}

ValueId Translation::scalar(double value, DType dtype) {
  return add_constant(openrknn::cast(Tensor::scalar<double>(value), dtype), "constant");
}

std::vector<ValueId> Translation::output_targets(std::string_view op) {
  // As many outputs as the source node names and the canonical operator has. Those that may be left out are, if nobody
  // reads them.
  const OpSchema* schema = find_schema(op);
  const size_t most = schema != nullptr ? static_cast<size_t>(schema->outputs.most) : 1;
  const size_t least = schema != nullptr ? static_cast<size_t>(schema->outputs.least) : 1;
  const size_t count = std::max(least, std::min(most, node_.outputs.size()));
  std::vector<ValueId> targets;
  for (size_t i = 0; i < count; ++i) {
    const bool named = i < node_.outputs.size() && !node_.outputs[i].empty();
    if (i >= least && op != "Split" && !output_used(i)) {
      targets.push_back(ValueId::None);
      continue;
    }
    targets.push_back(named ? builder_.target(scope_, node_.outputs[i])
                            : builder_.add_intermediate(fmt::format("{}/unused", name_)));
  }
  return targets;
}

void Translation::produce(std::string_view op, std::vector<ValueId> inputs, Attributes attributes) {
  const std::vector<ValueId> targets = output_targets(op);
  builder_.add_node(op, name_, std::move(inputs), targets, std::move(attributes), origin_);
  for (size_t i = 0; i < targets.size() && i < node_.outputs.size(); ++i) {
    if (!node_.outputs[i].empty() && targets[i] != ValueId::None) scope_.values[node_.outputs[i]] = targets[i];
  }
}

void Translation::forward(ValueId value, size_t output) {
  if (output < node_.outputs.size() && !node_.outputs[output].empty()) {
    builder_.forward(scope_, node_.outputs[output], value, name_, origin_);
  }
}

void Translation::produce_constant(Tensor content, size_t output) {
  if (output >= node_.outputs.size() || node_.outputs[output].empty()) return;
  const ValueId id = builder_.target(scope_, node_.outputs[output]);
  Value& value = builder_.graph[id];
  value.dtype = content.dtype();
  value.shape = content.shape();
  value.constant = std::move(content);
  scope_.values[node_.outputs[output]] = id;
}

void Translation::produce_filled(const Tensor& element, const Shape& shape, size_t output) {
  constexpr int64_t kLargestConstant = 64 * 1024;  // what inference keeps as known content, too
  const int64_t count = element_count(shape);
  if (bit_width(element.dtype()) == 4) {
    const Tensor wide = openrknn::cast(element, DType::Int8).reshaped(Shape(shape.size(), 1));
    return forward(cast(emit("Expand", {add_constant(wide, "element")}, {{"shape", shape}}), element.dtype()), output);
  }
  if (count <= kLargestConstant) {
    Tensor filled(element.dtype(), shape);
    const std::span<std::byte> bytes = filled.mutable_bytes();
    const std::span<const std::byte> one = element.bytes();
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = one[i % one.size()];
    return produce_constant(std::move(filled), output);
  }
  const ValueId single = add_constant(element.reshaped(Shape(shape.size(), 1)), "element");
  forward(emit("Expand", {single}, {{"shape", shape}}), output);
}

ValueId Translation::reshape(ValueId value, Shape shape) {
  if (is_static(shape) && open_shape_of(value) == shape) return value;
  return emit("Reshape", {value}, {{"shape", std::move(shape)}});
}

ValueId Translation::transpose(ValueId value, std::vector<int64_t> order) {
  if (std::is_sorted(order.begin(), order.end())) return value;
  return emit("Transpose", {value}, {{"perm", std::move(order)}});
}

ValueId Translation::cast(ValueId value, DType dtype) {
  if (dtype_of(value) == dtype) return value;
  if (const Tensor* content = constant(value)) return add_constant(openrknn::cast(*content, dtype), "cast");
  return emit("Cast", {value}, {{"to", static_cast<int64_t>(dtype)}});
}

ValueId Translation::list(const std::vector<int64_t>& values, std::string_view what) {
  return add_constant(Tensor::from<int64_t>({std::ssize(values)}, values), what);
}

void Translation::produce_rearranged(ValueId value, const std::vector<int64_t>& dimensions) {
  const Shape x = open_shape_of(value);
  Shape shape;
  for (const int64_t d : dimensions) shape.push_back(d == kOne ? 1 : x[static_cast<size_t>(d)]);
  const auto open = std::count(shape.begin(), shape.end(), -1);
  if (open == 0 && is_static(x)) return produce_reshaped(value, std::move(shape));
  const Attributes literally = {{"allowzero", int64_t{1}}};
  if (open <= 1) return produce("DynamicReshape", {value, list(shape, "shape")}, literally);
  // Several extents that only a run can tell: taken from the shape it finds.
  const ValueId extents = emit("Concat", {emit("Shape", {value}), list({1}, "one")}, {{"axis", int64_t{0}}});
  std::vector<int64_t> places;
  for (const int64_t d : dimensions) places.push_back(d == kOne ? std::ssize(x) : d);
  const ValueId chosen = emit("Gather", {extents, list(places, "dimensions")}, {{"axis", int64_t{0}}});
  produce("DynamicReshape", {value, chosen}, literally);
}

void Translation::produce_reshaped(ValueId value, Shape shape) {
  produce("Reshape", {value}, {{"shape", std::move(shape)}});
}

void Translation::fail(Code code, std::string problem, std::string fix) const {
  openrknn::fail(code, builder_.where(scope_, node_), fmt::format("{}: {}", node_.op, problem), std::move(fix));
}

}  // namespace openrknn::onnx
