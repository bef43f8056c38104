// x above 0, slope * x below, as frameworks without such a layer write it: of relu(x), relu(-x), |x|, min and max.
#include <algorithm>
#include <limits>

#include "compiler/passes/match.h"
#include "compiler/passes/passes.h"

namespace openrknn::passes {
namespace {

/// What becomes of the constant "k" of a spelling.
struct Spelling {
  Pattern pattern;
  double slope_of_k = 1;
  bool is_larger = false;  ///< max(x, k * x): a slope only up to 1
};

std::vector<Spelling> prelu_spellings() {
  const Pattern x = any("x"), k = constant("k");
  const Pattern above = op("Relu", {x}), below = op("Relu", {op("Neg", {x})});
  const Pattern twice = op("Sub", {x, op("Abs", {x})});  // 2x below 0
  return {
      {op("Sub", {above, op("Mul", {k, below})})},
      {op("Add", {above, op("Mul", {k, below})}), -1},
      {op("Add", {above, op("Mul", {k, op("Neg", {below})})})},
      {op("Add", {above, op("Neg", {op("Mul", {k, below})})})},
      {op("Add", {above, either({divided(op("Mul", {k, twice}), 2), op("Mul", {k, divided(twice, 2)})})})},
      {op("Add", {above, op("Mul", {k, twice})}), 2},
      {op("Add", {above, op("Mul", {k, op("Clip", {x}, "clip")})})},
      {op("Max", {x, op("Mul", {k, x})}), 1, true},
  };
}

bool cuts_at_zero(const Graph& graph, const Match& match) {
  const auto clip = match.named.find("clip");
  if (clip == match.named.end()) return true;
  const auto [low, high] = clip_bounds(graph[clip->second]);
  return low == -std::numeric_limits<double>::infinity() && high == 0;
}

/// Without leading ones, as slopes of models are.
Tensor trimmed(const Tensor& slope) {
  const Shape& shape = slope.shape();
  const auto first = std::ranges::find_if(shape, [](int64_t extent) { return extent != 1; });
  return slope.reshaped(Shape(first, shape.end()));
}

bool replace_prelu(Graph& graph, ValueId result, const Match& match, const Spelling& spelling,
                   const PassContext& context) {
  const ValueId x = match["x"];
  const Tensor* k = float_content(graph, match["k"]);
  if (k == nullptr || k->size() == 0 || !same_type(graph, x, result) || !cuts_at_zero(graph, match)) return false;
  std::vector<float> slopes;
  for (const float number : k->values<float>()) slopes.push_back(number * static_cast<float>(spelling.slope_of_k));
  if (spelling.is_larger && !std::ranges::all_of(slopes, [](float slope) { return slope <= 1; })) return false;
  note(context, "fuse_prelu", graph, match.nodes);
  Node node;
  if (slopes.size() == 1) {
    node.op = "LeakyRelu";
    node.attributes = {{"alpha", static_cast<double>(slopes[0])}};
    node.inputs = {x};
  } else {
    node.op = "PRelu";
    const Tensor slope = trimmed(Tensor::from<float>(k->shape(), std::move(slopes)));
    node.inputs = {x, graph.add_constant(graph[result].name + "_slope", slope)};
  }
  replace(graph, match, result, std::move(node));
  return true;
}

}  // namespace

bool fuse_prelu(Graph& graph, const PassContext& context) {
  const std::vector<Spelling> all = prelu_spellings();
  return for_each_node(graph, {"Add", "Sub", "Max"}, [&](NodeId id) {
    const ValueId result = graph[id].outputs[0];
    return std::ranges::any_of(all, [&](const Spelling& spelling) {
      const std::optional<Match> found = match(graph, result, spelling.pattern);
      return found && replace_prelu(graph, result, *found, spelling, context);
    });
  });
}

}  // namespace openrknn::passes
