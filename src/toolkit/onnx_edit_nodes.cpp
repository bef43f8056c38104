// Reshape and Transpose nodes for the steps of an equation. Target shapes are Constant nodes: files before IR version 4
// would have to declare initializers as inputs.
#include <algorithm>

#include "toolkit/onnx_edit_plan.h"

namespace openrknn {
namespace {

using onnx_export::NamedAttribute;
using onnx_export::NodeMessage;

void collect_names(const onnx::GraphProto& graph, std::set<std::string>& taken) {
  for (const onnx::ValueInfo& each : graph.inputs) taken.emplace(each.name);
  for (const onnx::ValueInfo& each : graph.outputs) taken.emplace(each.name);
  for (const onnx::TensorProto& each : graph.initializers) taken.emplace(each.name);
  for (const onnx::Bytes name : graph.sparse_initializers) taken.emplace(name);
  for (const onnx::NodeProto& node : graph.nodes) {
    taken.emplace(node.name);
    taken.insert(node.inputs.begin(), node.inputs.end());
    taken.insert(node.outputs.begin(), node.outputs.end());
    for (const onnx::AttributeProto& attribute : node.attributes) {
      if (attribute.graph) collect_names(*attribute.graph, taken);
    }
  }
}

/// Appends nodes, each with a result of its own name.
class Writer {
 public:
  Writer(FreshNames& names, std::string base) : names_(names), base_(std::move(base)) {}

  std::string add(const std::string& op, std::vector<std::string> inputs, std::vector<NamedAttribute> attributes = {},
                  std::string result = {}) {
    const std::string name = names_.make(base_ + "/" + op);
    if (result.empty()) result = name;
    nodes_.push_back({.op = op,
                      .domain = {},
                      .name = name,
                      .inputs = std::move(inputs),
                      .outputs = {result},
                      .attributes = std::move(attributes)});
    return result;
  }
  std::string constant(const std::vector<int64_t>& values) {
    return add("Constant", {},
               {{"value", Attribute(Tensor::from<int64_t>({static_cast<int64_t>(values.size())}, values))}});
  }
  std::vector<NodeMessage> take() { return std::move(nodes_); }

 private:
  FreshNames& names_;
  std::string base_;
  std::vector<NodeMessage> nodes_;
};

/// The letters of a group that a run decides.
std::string dynamic_letters(const std::string& group, const BoundEquation& bound) {
  std::string letters;
  for (const char letter : group) {
    if (bound.dynamic.contains(letter)) letters += letter;
  }
  return letters;
}

/// The product of the group's other letters.
int64_t fixed_part(const std::string& group, const BoundEquation& bound) {
  int64_t product = 1;
  for (const char letter : group) {
    if (const auto known = bound.extents.find(letter); known != bound.extents.end()) product *= known->second;
  }
  return product;
}

bool all_one(const std::vector<int64_t>& values) {
  return std::ranges::all_of(values, [](int64_t value) { return value == 1; });
}

/// The value that holds the shape, for a result of several extents that a run decides: each is taken from the dimension
/// of `source` that has its letter, divided by the other letters there.
std::string shape_at_run_time(Writer& writer, const std::string& source, const DimensionGroups& from,
                              const DimensionGroups& to, const BoundEquation& bound) {
  const std::string one = writer.constant({1});
  const std::string extents =
      writer.add("Concat", {writer.add("Shape", {source}), one}, {{"axis", Attribute(int64_t{0})}});
  const auto no_letter = static_cast<int64_t>(from.size());  // where the 1 is
  std::vector<std::string> letters;
  std::vector<int64_t> fixed;
  size_t most = 0;
  for (const std::string& group : to) {
    most = std::max(most, letters.emplace_back(dynamic_letters(group, bound)).size());
    fixed.push_back(fixed_part(group, bound));
  }
  std::string product;
  const auto multiply = [&](const std::string& factor) {
    product = product.empty() ? factor : writer.add("Mul", {product, factor});
  };
  for (size_t i = 0; i < most; ++i) {
    std::vector<int64_t> indices, divisors;
    for (const std::string& each : letters) {
      const auto at =
          i < each.size()
              ? std::ranges::find_if(from,
                                     [&](const std::string& group) { return group.find(each[i]) != std::string::npos; })
              : from.end();
      indices.push_back(at == from.end() ? no_letter : at - from.begin());
      divisors.push_back(at == from.end() ? 1 : fixed_part(*at, bound));
    }
    const std::string taken =
        writer.add("Gather", {extents, writer.constant(indices)}, {{"axis", Attribute(int64_t{0})}});
    multiply(all_one(divisors) ? taken : writer.add("Div", {taken, writer.constant(divisors)}));
  }
  if (!all_one(fixed)) multiply(writer.constant(fixed));
  return product;
}

std::string target_shape(Writer& writer, const std::string& source, const DimensionGroups& from,
                         const DimensionGroups& to, const BoundEquation& bound) {
  std::vector<int64_t> shape;
  for (const DeclaredExtent& each : bound.shape_of(to)) shape.push_back(each.extent);
  // One -1 says: what is left.
  return std::ranges::count(shape, -1) <= 1 ? writer.constant(shape)
                                            : shape_at_run_time(writer, source, from, to, bound);
}

}  // namespace

FreshNames::FreshNames(const onnx::GraphProto& graph) { collect_names(graph, taken_); }

std::string FreshNames::make(const std::string& wish) {
  std::string name = wish;
  for (int i = 1; !taken_.insert(name).second; ++i) name = wish + "_" + std::to_string(i);
  return name;
}

std::vector<NodeMessage> nodes_of(const std::vector<DimensionStep>& steps, const DimensionGroups& groups,
                                  const BoundEquation& bound, const std::string& from, const std::string& to,
                                  FreshNames& names) {
  Writer writer(names, from);
  std::string value = from;
  DimensionGroups current = groups;
  for (const DimensionStep& step : steps) {
    const std::string result = &step == &steps.back() ? to : std::string();
    if (step.order.empty()) {
      const std::string shape = target_shape(writer, value, current, step.result, bound);
      value = writer.add("Reshape", {value, shape}, {}, result);
    } else {
      const std::vector<int64_t> order(step.order.begin(), step.order.end());
      value = writer.add("Transpose", {value}, {{"perm", Attribute(order)}}, result);
    }
    current = step.result;
  }
  return writer.take();
}

}  // namespace openrknn
