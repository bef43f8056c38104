// (x - mean) / sqrt(variance + epsilon) * gamma + beta over the last dimensions, written out as exporters do.
#include <algorithm>

#include "compiler/passes/match.h"
#include "compiler/passes/passes.h"

namespace openrknn::passes {
namespace {

Pattern normalised() {
  const Pattern x = any("x");
  const Pattern centred = op("Sub", {x, op("ReduceMean", {x}, "mean")});
  const Pattern square = either({op("Pow", {centred, number(2)}), op("Mul", {centred, centred})});
  const Pattern deviation = op("Sqrt", {op("Add", {op("ReduceMean", {square}, "variance"), constant("epsilon")})});
  return either({op("Div", {centred, deviation}), op("Mul", {centred, op("Reciprocal", {deviation})})});
}

/// First normalised dimension, if mean and variance are taken over it and all that follow.
std::optional<int64_t> axis_of(const Graph& graph, const Match& match) {
  const int64_t rank = static_cast<int64_t>(graph[match["x"]].shape.size());
  const std::vector<int64_t> axes = ints_attribute(graph[match.node("mean")].attributes, "axes");
  if (axes.empty() || axes.front() + static_cast<int64_t>(axes.size()) != rank) return std::nullopt;
  for (const std::string_view reduction : {"mean", "variance"}) {
    const Attributes& attributes = graph[match.node(reduction)].attributes;
    const bool keeps = int_attribute(attributes, "keepdims", 1) == 1;
    if (!keeps || ints_attribute(attributes, "axes") != axes) return std::nullopt;
  }
  return axes.front();
}

/// gamma or beta under the normalised shape; nullopt if it is no constant of that shape (give or take leading ones).
std::optional<Tensor> parameter(const Graph& graph, ValueId value, const Shape& shape) {
  const Tensor* tensor = float_content(graph, value);
  if (tensor == nullptr) return std::nullopt;
  const Shape& given = tensor->shape();
  const size_t leading = given.size() > shape.size() ? given.size() - shape.size() : 0;
  const bool ones = std::all_of(given.begin(), given.begin() + static_cast<std::ptrdiff_t>(leading),
                                [](int64_t extent) { return extent == 1; });
  if (!ones || Shape(given.begin() + static_cast<std::ptrdiff_t>(leading), given.end()) != shape) return std::nullopt;
  return tensor->reshaped(shape);
}

Tensor ones(const Shape& shape) {
  return Tensor::from<float>(shape, std::vector<float>(static_cast<size_t>(element_count(shape)), 1));
}

bool replace_layer_norm(Graph& graph, ValueId result, const Match& match, const PassContext& context) {
  const ValueId x = match["x"];
  const std::optional<int64_t> axis = axis_of(graph, match);
  const std::optional<double> epsilon = scalar(graph, match["epsilon"]);
  if (!axis || !epsilon || !same_type(graph, x, result)) return false;
  const Shape shape(graph[x].shape.begin() + *axis, graph[x].shape.end());
  if (!is_static(shape)) return false;
  Node node;
  node.op = "LayerNormalization";
  node.attributes = {{"axis", *axis}, {"epsilon", *epsilon}};
  node.inputs = {x};
  std::optional<Tensor> gamma = ones(shape), beta;
  std::string name = graph[result].name;
  if (match.values.contains("gamma")) gamma = parameter(graph, match["gamma"], shape);
  if (match.values.contains("beta")) beta = parameter(graph, match["beta"], shape);
  if (!gamma || match.values.contains("beta") != beta.has_value()) return false;
  note(context, "fuse_layer_norm", graph, match.nodes);
  node.inputs.push_back(graph.add_constant(name + "_scale", *gamma));
  if (beta) node.inputs.push_back(graph.add_constant(name + "_bias", *beta));
  replace(graph, match, result, std::move(node));
  return true;
}

}  // namespace

bool fuse_layer_norm(Graph& graph, const PassContext& context) {
  const Pattern core = normalised(), scaled = op("Mul", {core, constant("gamma")});
  // What a longer one leaves had no gamma or beta.
  const std::vector<Pattern> spellings = {op("Add", {scaled, constant("beta")}), scaled, core};
  return for_each_match(graph, {"Add", "Mul", "Div"}, spellings, [&](ValueId result, const Match& match) {
    return replace_layer_norm(graph, result, match, context);
  });
}

}  // namespace openrknn::passes
