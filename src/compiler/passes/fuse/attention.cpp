// enable_flash_attention: Softmax(queries · keys, scaled, plus a mask) · values as one layer, whose scores never leave
// the chip (FlashAttention-2, arXiv 2307.08691). Asked for only: what was int8 on both sides is float16 then.
#include <algorithm>
#include <numeric>

#include "compiler/passes/match.h"
#include "compiler/passes/passes.h"

namespace openrknn::passes {
namespace {

/// The spellings of attention, the longest first: what they leave has no scale or no mask.
std::vector<Pattern> spellings() {
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

/// [batch…, size, keys] as [batch…, keys, size]: merge_transposes joins this one with the one before it.
ValueId turned(Graph& graph, ValueId keys, const std::vector<int32_t>& origins) {
  Shape shape = graph[keys].shape;
  std::vector<int64_t> perm(shape.size());
  std::iota(perm.begin(), perm.end(), 0);
  std::swap(perm[perm.size() - 2], perm.back());
  const NodeId before = producer(graph, keys, "Transpose");
  if (before != NodeId::None && ints_attribute(graph[before].attributes, "perm") == perm) {
    return graph[before].inputs[0];
  }
  std::swap(shape[shape.size() - 2], shape.back());
  Value value;
  value.name = graph[keys].name + "_turned";
  value.dtype = graph[keys].dtype;
  value.shape = shape;
  Node node;
  node.op = "Transpose";
  node.inputs = {keys};
  node.attributes = {{"perm", perm}};
  node.outputs = {graph.add(std::move(value))};
  node.origins = origins;
  const ValueId result = node.outputs[0];
  graph.add(std::move(node));
  return result;
}

bool fuse(Graph& graph, ValueId result, const Match& match, const PassContext& context) {
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
  node.inputs = {q, turned(graph, keys, graph[softmax].origins), values};
  if (masked) node.inputs.push_back(match["mask"]);
  replace(graph, match, result, std::move(node));
  const NodeId turn = graph[keys].producer;  // of keys as they are: nobody turns them any more
  if (turn != NodeId::None && graph.users(keys).empty() && !graph.is_output(keys)) {
    graph.absorb(turn, std::span(&graph[result].producer, 1));
  }
  return true;
}

}  // namespace

bool fuse_attention(Graph& graph, const PassContext& context) {
  bool changed = false;
  for (const Pattern& pattern : spellings()) {
    changed = for_each_node(graph, {"MatMul"},
                            [&](NodeId id) {
                              const ValueId result = graph[id].outputs[0];
                              const std::optional<Match> found = match(graph, result, pattern);
                              return found && fuse(graph, result, *found, context);
                            }) ||
              changed;
  }
  return changed;
}

}  // namespace openrknn::passes
