// enable_flash_attention: Softmax(queries · keys, scaled, plus a mask) · values as one layer, whose scores never leave
// the chip (FlashAttention-2, arXiv 2307.08691). Asked for only: what was int8 on both sides is float16 then.
#include <algorithm>

#include "compiler/passes/match.h"
#include "compiler/passes/passes.h"

namespace openrknn::passes {
namespace {

/// The spellings of attention, the longest first: what they leave has no scale or no mask.
std::vector<Pattern> attention_spellings() {
  const Pattern product = op("MatMul", {any("q"), any("keys")});
  const Pattern scaled = either({op("Mul", {product, constant("factor")}), op("Div", {product, constant("divisor")})});
  std::vector<Pattern> patterns;
  for (const Pattern& scores : {op("Add", {scaled, any("mask")}), scaled, op("Add", {product, any("mask")}), product}) {
    patterns.push_back(op("MatMul", {op("Softmax", {scores}, "softmax"), any("values")}));
  }
  return patterns;
}

std::optional<double> scale_of(const Graph& graph, const Match& match) {
  if (match.values.contains("factor")) return scalar(graph, match["factor"]);
  if (!match.values.contains("divisor")) return 1;
  const std::optional<double> divisor = scalar(graph, match["divisor"]);
  if (!divisor || *divisor == 0) return std::nullopt;
  return 1 / *divisor;
}

/// The documented forms: one mask for all items and heads, or one number a key.
bool takes_mask(const Graph& graph, ValueId mask, size_t rank) {
  Shape shape = graph[mask].shape;
  if (shape.size() > rank || !is_float(graph, mask)) return false;
  shape.insert(shape.begin(), rank - shape.size(), 1);
  const bool has_batch = std::any_of(shape.begin(), shape.end() - 2, [](int64_t extent) { return extent != 1; });
  return !has_batch || shape[rank - 2] == 1;
}

bool replace_attention(Graph& graph, ValueId result, const Match& match, const PassContext& context) {
  const ValueId q = match["q"], keys = match["keys"], values = match["values"];
  const Shape shape = graph[q].shape;
  const size_t rank = shape.size();
  const bool fits = rank >= 2 && is_static(shape) && is_static(graph[keys].shape) && is_static(graph[values].shape);
  if (!fits || graph[keys].shape.size() != rank || graph[values].shape.size() != rank) return false;
  for (const ValueId other : {keys, values}) {
    if (!std::equal(shape.begin(), shape.end() - 2, graph[other].shape.begin())) return false;
  }
  const NodeId softmax = match.node("softmax");
  const int64_t last = static_cast<int64_t>(rank) - 1;
  const std::optional<double> scale = scale_of(graph, match);
  if (!scale || int_attribute(graph[softmax].attributes, "axis", last) != last) return false;
  const bool masked = match.values.contains("mask");
  if (masked && !takes_mask(graph, match["mask"], rank)) return false;
  note(context, "fuse_attention", graph, match.nodes);
  Node node;
  node.op = "Attention";
  node.attributes = {{"scale", *scale}};
  node.inputs = {q, keys, values};
  if (masked) node.inputs.push_back(match["mask"]);
  replace(graph, match, result, std::move(node));
  return true;
}

}  // namespace

bool fuse_attention(Graph& graph, const PassContext& context) {
  return for_each_match(graph, {"MatMul"}, attention_spellings(), [&](ValueId result, const Match& match) {
    return replace_attention(graph, result, match, context);
  });
}

}  // namespace openrknn::passes
