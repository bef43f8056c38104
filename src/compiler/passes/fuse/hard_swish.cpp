// x * HardSigmoid(x) with slope 1/6, and its spelling by Clip: x * Clip(x + 3, 0, 6) / 6 in any order.
#include <cmath>

#include "compiler/passes/match.h"
#include "compiler/passes/passes.h"

namespace openrknn::passes {
namespace {

constexpr double kTolerance = 1e-4;

bool is_sixth_sigmoid(const Graph& graph, const Match& match) {
  const Attributes& attributes = graph[match.node("sigmoid")].attributes;
  return std::abs(float_attribute(attributes, "alpha", 0.2) - 1.0 / 6) < kTolerance &&
         std::abs(float_attribute(attributes, "beta", 0.5) - 0.5) < kTolerance;
}

bool clips_to_six(const Graph& graph, const Match& match) {
  return clip_bounds(graph[match.node("clip")]) == std::pair<double, double>(0, 6);
}

}  // namespace

bool fuse_hard_swish(Graph& graph, const PassContext& context) {
  const Pattern x = any("x");
  const Function by_sigmoid = {
      .op = "HardSwish", .spellings = {op("Mul", {x, op("HardSigmoid", {x}, "sigmoid")})}, .accepts = is_sixth_sigmoid};
  const Pattern clipped = op("Clip", {op("Add", {x, number(3)})}, "clip");
  const Function by_clip = {.op = "HardSwish",
                            .spellings = {divided(op("Mul", {x, clipped}), 6), op("Mul", {x, divided(clipped, 6)}),
                                          op("Mul", {clipped, divided(x, 6)})},
                            .accepts = clips_to_six};
  const bool changed = replace_function(graph, context, "fuse_hard_swish", by_sigmoid);
  return replace_function(graph, context, "fuse_hard_swish", by_clip) || changed;
}

bool fuse_hard_sigmoid(Graph& graph, const PassContext& context) {
  const Pattern clipped = op("Clip", {op("Add", {any("x"), number(3)})}, "clip");
  const Function sigmoid = {.op = "HardSigmoid",
                            .attributes = {{"alpha", 1.0 / 6}, {"beta", 0.5}},
                            .spellings = {divided(clipped, 6)},
                            .accepts = clips_to_six};
  return replace_function(graph, context, "fuse_hard_sigmoid", sigmoid);
}

}  // namespace openrknn::passes
